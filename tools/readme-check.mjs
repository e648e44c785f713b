// README's first commands, as they stand: each line of the block below "The first commands" is run by a shell in a folder that has what a checkout
// has after the demo, and must end well.   npm run check:readme, after npm run demo
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { likeCheckout } from './pages.mjs';

if (!existsSync('demo/quickdraw')) {
  console.error('demo/quickdraw is not there; npm run demo');
  process.exit(2);
}
const block = /## The first commands[\s\S]*?```sh\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8'))?.[1];
const lines = (block ?? '').split('\n').filter((line) => line.trim() !== '');
if (lines.length < 7 || !lines.every((line) => line.startsWith('npx s2a '))) {
  console.error('README.md: the block of first commands is not what it was');
  process.exit(1);
}

const { folder, env, remove } = likeCheckout(['models', 'demo']);
try {
  for (const line of lines) {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', line], { cwd: folder, env, encoding: 'utf8' });
    console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${line.replace(/ +#.*/, '')}`);
    if (status === 0 && stdout.trim() !== '') continue;
    console.log(stdout + stderr);
    process.exitCode = 1;
  }
} finally {
  remove();
}
