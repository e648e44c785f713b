/** A board without JavaScript, for tests: its folder with model, arrays and card, and a shell that does the orders that come. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { build } from 'esbuild';
import { digest } from '../../src/base/digest.ts';
import { packJob } from '../../src/use/pack.ts';
import { MODEL } from './fleetrun.ts';
import { newFolder } from './folder.ts';

/** A board's WASI runtime: runs the s2a.wasm beside it, under our own preview1 host, with that folder open to it. */
const RUNTIME = `
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { runWasi } from './targets/wasi/host.ts';
process.exitCode = runWasi(new Uint8Array(readFileSync('s2a.wasm')), {
  args: ['s2a.wasm', ...process.argv.slice(2)],
  preopens: { '.': '.' },
  writable: true,
});
`;
const runtime = join(newFolder(), 'wasi.mjs');
await build({
  stdin: { contents: RUNTIME, resolveDir: '.', loader: 'ts' },
  ...{ outfile: runtime, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
});
/** How the board runs s2a.wasm. */
const S2A = `${process.execPath} ${'Deno' in globalThis ? 'run -A ' : ''}${runtime}`;

/** An scp that knows one machine, gateway, whose files are here. */
const TOOLS = newFolder();
writeFileSync(
  join(TOOLS, 'scp'),
  `#!/bin/sh
here() { case $1 in gateway:*) echo "$GATEWAY/\${1#gateway:}" ;; *) echo "$1" ;; esac; }
shift
for last; do :; done
while [ $# -gt 1 ]; do
  cp -r "$(here "$1")" "$(here "$last")"
  shift
done
`,
  { mode: 0o755 },
);

/** Makes `boards`/`name`, with the model and the pictures' arrays in it. */
export async function makeBoard(boards: string, name: string, data: string): Promise<string> {
  const folder = join(boards, name);
  mkdirSync(folder, { recursive: true });
  const packed = newFolder();
  await packJob({ model: MODEL, data, out: packed, budget: '8MiB', batchSize: 8 });
  cpSync(packed, join(folder, 'data'), { recursive: true });
  cpSync(join(packed, 'program.s2a'), join(folder, 'program.s2a'));
  cpSync(MODEL, join(folder, 'model'), { recursive: true });
  return folder;
}

/** A line of a board's shell, in its folder: exit code and what was said on standard error. `gateway` is where scp finds that machine's files. */
export function onBoard(folder: string, line: string, { gateway = '' } = {}): Promise<{ code: number; err: string }> {
  return new Promise((done) => {
    const env = { ...process.env, S2A, GATEWAY: gateway, PATH: `${TOOLS}:${process.env.PATH}` };
    const child = spawn('sh', ['-c', line], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let err = '';
    child.stderr.on('data', (bytes: Buffer) => {
      err += bytes.toString();
    });
    child.on('close', (code) => done({ code: code ?? -1, err }));
  });
}

/** Does the order that lies in a board's folder. */
export const doOrder = (folder: string): Promise<{ code: number; err: string }> => onBoard(folder, 'sh order/run.sh');

/** Sees to each order that comes, once, until it is stopped; `act` says whether it is done. */
function watching(folder: string, act: () => boolean | Promise<boolean>): { stop(): Promise<void> } {
  let isOn = true;
  const loop = (async () => {
    for (let last = ''; isOn; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const path = join(folder, 'order', 'digests');
      const order = existsSync(path) ? readFileSync(path, 'utf8') : '';
      if (order !== '' && order !== last && (await act())) last = order;
    }
  })();
  return {
    stop() {
      isOn = false;
      return loop;
    },
  };
}

/** A board that does what comes, as a line of its crontab would. */
export const workingBoard = (folder: string, didOne: () => void = () => {}): { stop(): Promise<void> } =>
  watching(folder, async () => {
    const { code, err } = await doOrder(folder);
    if (code !== 0 && !err.includes('not here whole')) throw new Error(`the board ended with ${code}: ${err}`);
    if (code === 0) didOne();
    return code === 0;
  });

/** A board that gives answers which are there already. */
export const answeringBoard = (folder: string, answer: () => ReadonlyMap<string, Uint8Array>): { stop(): Promise<void> } =>
  watching(folder, () => {
    deliver(folder, answer());
    return true;
  });

/** What came over ssh: a folder in the place of the one that was there. */
export function copyOver(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
}

/** The files of an answer as they are now, without its list of digests. */
export const answerIn = (folder: string): Map<string, Uint8Array> =>
  new Map(
    readdirSync(join(folder, 'answer'))
      .filter((name) => !name.startsWith('digests'))
      .map((name) => [name, new Uint8Array(readFileSync(join(folder, 'answer', name)))]),
  );

/** Writes these files as a whole answer to the order that lies there. */
export function deliver(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  const [answer, order] = [join(folder, 'answer'), join(folder, 'order', 'digests')];
  rmSync(answer, { recursive: true, force: true });
  mkdirSync(answer);
  const all = new Map([...files, ['order', new Uint8Array(readFileSync(order))]]);
  for (const [name, bytes] of all) writeFileSync(join(answer, name), bytes);
  writeFileSync(join(answer, 'digests'), [...all].map(([name, bytes]) => `${digest(bytes)}  ${name}\n`).join(''));
}

/** Waits until `found` gives something. */
export async function until<T>(found: () => T | undefined | false, what: string): Promise<T> {
  for (let tries = 0; tries < 3000; tries++) {
    const value = found();
    if (value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited in vain for ${what}`);
}

/** The order that lies there, other than `before`: its list of digests. */
export const nextOrder = (folder: string, before: string): Promise<string> =>
  until(() => {
    const path = join(folder, 'order', 'digests');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return text !== '' && text !== before && text;
  }, 'the next order');
