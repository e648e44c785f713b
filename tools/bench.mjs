// node tools/bench.mjs <script> …: fetches the peers (bench/package.json, from its lock file) where they are missing or outdated, then runs it.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const installed = 'bench/node_modules/.package-lock.json';
const wanted = JSON.parse(readFileSync('bench/package-lock.json', 'utf8')).packages;
const have = existsSync(installed) ? JSON.parse(readFileSync(installed, 'utf8')).packages : {};
const complete = Object.entries(wanted).every(([path, { version }]) => path === '' || have[path]?.version === version);
if (!complete) {
  console.error('installing the peers: npm ci --prefix bench');
  // Nothing that the peers want to run while they are installed is needed.
  execFileSync('npm', ['ci', '--prefix', 'bench', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'], {
    stdio: ['ignore', 2, 2],
  });
}
const [script, ...rest] = process.argv.slice(2);
process.exitCode = spawnSync('node', [script, ...rest], { stdio: 'inherit' }).status ?? 1;
