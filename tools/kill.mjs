// Kills a training run with SIGKILL at random moments, again and again, and lets it resume: every resume must succeed, and every run must end
// in the adapter of one that was never killed, byte for byte.
//
//     npm run test:kill                                  200 kills and more, over every runtime that is installed
//     npm run test:kill -- --kills 20 --seed 7 --only node
//     npm run test:kill -- --kills 0 --hangups 200 --pairs 100
//     npm run test:kill -- --kills 0 --hangups 0 --pairs 0 --budget-kills 200
//
// Half of the kills come by the clock, after the pictures are ready; half at a random call that changes a file, which is where checkpoints,
// best parameters and adapters are written (tools/kill/bomb.mjs; under Node, which runs the WASI program too). Killed runs leave their temporary files: these tell where it hit.
// Then come kills under --process-budget, over pictures of mixed size (tools/kill/budget.mjs), lost terminals (SIGHUP), and pairs of runs that want one
// folder (tools/kill/life.mjs).
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { budgetRounds } from './kill/budget.mjs';
import { hangUp, pairUp } from './kill/life.mjs';
import { makePictures } from './matrix/pictures.mjs';
import { WASMTIME_RUN, wasmtimePython } from './runtimes/wasi.mjs';
import { DENO, missing } from './runtimes.mjs';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    'budget-kills': { type: 'string', default: '20' },
    hangups: { type: 'string', default: '40' },
    pairs: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const folder = join(tmpdir(), `s2a-kill-${process.pid}`);
const pictures = join(folder, 'pictures');
const MODEL = 'test/golden/vit-timm-gap';
const OPTIONS = ['--epochs', '6', '--batch-size', '2', '--micro-batch', '1', '--lr', '0.01', '--seed', '5', '--augment', 'crop,flip'];
const trainArgs = (out) => ['train', MODEL, pictures, '--out', out, '--resume', '--save-every', '1', ...OPTIONS];
const denoFlags = ['run', '--no-prompt', `--allow-read=dist,node_modules,test/golden,${folder}`, `--allow-write=${folder}`];

/** The packed run; folders as the WASI program sees them, below the one that is opened to it. */
const wasiArgs = (out) => [
  'train',
  'board/program.s2a',
  '--model',
  'model',
  '--data',
  'board',
  '--out',
  relative(folder, out),
  '--resume',
  '--save-every',
  '1',
];
const preload = (armed) => (armed ? ['--import', './tools/kill/bomb.mjs'] : []);

/**
 * @typedef {{ name: string, command(out: string, armed?: boolean): string[], share?: number, bomb: boolean, begins?: RegExp,
 *   missing?(): string | undefined, check?(out: string, said: string): void }} Kind
 */
/** How a run is started on each runtime, whether a bomb can be preloaded, and its share of the kills. */
/** @type {Kind[]} */
const RUNTIMES = [
  {
    name: 'node',
    share: 4,
    bomb: true,
    command: (out, armed) => [process.execPath, ...preload(armed), 'dist/s2a.js', ...trainArgs(out)],
  },
  {
    name: 'wasi',
    share: 2,
    bomb: true,
    command: (out, armed) => [process.execPath, ...preload(armed), 'tools/kill/wasi.mjs', folder, ...wasiArgs(out)],
  },
  {
    name: 'wasmtime',
    share: 1,
    bomb: false,
    missing: missing.wasmtime,
    command: (out) => [
      wasmtimePython() ?? 'python3',
      WASMTIME_RUN,
      '--compiled',
      join(folder, 's2a.compiled'),
      `.=${folder}`,
      '--',
      'dist/s2a.wasm',
      ...wasiArgs(out),
    ],
  },
  { name: 'deno', share: 1, bomb: false, missing: missing.deno, command: (out) => [DENO, ...denoFlags, 'dist/s2a.js', ...trainArgs(out)] },
];

/** xorshift32: the moments are the same for the same seed, as far as a machine's pace lets them. */
let state = Number(values.seed) * 2654435761 || 1;
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}

/**
 * Runs a command; `after` milliseconds from the moment that its pictures are ready (or what `begins` says) it gets the signal, if that is given.
 *
 * @param {string[]} command
 * @param {{ env?: Record<string, string>, after?: number, signal?: NodeJS.Signals, begins?: RegExp }} [how]
 * @returns {Promise<{ killed: boolean, signal: string | null, code: number | null, said: string, printed: string, ms: number }>}
 */
function run([file, ...args], { env = {}, after, signal: sent = 'SIGKILL', begins = /going on|pictures/ } = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    let [said, printed] = ['', ''];
    let ready = 0;
    child.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
      if (ready || !begins.test(said)) return;
      ready = Date.now();
      if (after !== undefined) setTimeout(() => child.kill(sent), after);
    });
    child.on('close', (code, signal) =>
      resolve({ killed: signal === 'SIGKILL' || code === 137, signal, code, said, printed, ms: ready ? Date.now() - ready : 0 }),
    );
  });
}

const digestOf = (out) =>
  createHash('sha256')
    .update(readFileSync(join(out, 'adapter_model.safetensors')))
    .digest('hex');

/** What a killed run was writing, by the temporary file that it left. */
function writing(out) {
  const left = (where) => (existsSync(where) ? readdirSync(where).filter((name) => name.endsWith('.tmp')) : []);
  if (left(out).length > 0) return 'an adapter';
  if (left(join(out, 'run', 'best')).length > 0) return 'best parameters';
  const [name] = left(join(out, 'run'));
  if (name === undefined) return 'nothing (training, loading)';
  return name.includes('checkpoint') ? 'a checkpoint' : name.includes('.pictures') ? 'prepared pictures' : 'lists and logs';
}

const failures = [];
const fail = (what, said) => failures.push(`${what}\n${said.trim().split('\n').slice(-3).join('\n')}`);
const total = { kills: 0, right: 0 };

/**
 * Kills a runtime's runs so often; returns the digest of a whole one, which must be `wanted` where that is known.
 *
 * @param {Kind} kind
 * @param {number} kills
 * @param {string} [wanted]
 */
async function torture({ name, command, bomb, begins, check = () => {} }, kills, wanted) {
  const where = new Map();
  const reference = join(folder, `${name}-whole`);
  mkdirSync(reference);
  const whole = await run(command(reference, bomb), { begins });
  if (whole.code !== 0) {
    fail(`${name}: the run that is not killed ended with ${whole.code}`, whole.said);
    return wanted;
  }
  check(reference, whole.said);
  const digest = digestOf(reference);
  if (digest !== (wanted ?? digest)) fail(`${name}: the run that is not killed has another digest`, '');
  const [, ...counts] = /calls that change files: (\d+) (\d+) (\d+)/.exec(whole.said) ?? [];
  let done = 0;
  for (let attempt = 0; done < kills; attempt++) {
    const out = join(folder, `${name}-${attempt}`);
    mkdirSync(out);
    for (;;) {
      const armed = bomb && random() < 0.5;
      // Beyond what is left of a run that has got far, a bomb never goes off: it then ends, and another begins.
      // A third each: any call, those of checkpoints, those of the adapter.
      const kind = Math.floor(random() * 3);
      const at = 1 + Math.floor(random() * Number(counts[kind] ?? 0));
      const share = Math.floor(random() * 3) / 2;
      const how = armed
        ? { env: { S2A_BOMB: String(at), S2A_BOMB_SHARE: String(share), S2A_BOMB_IN: ['', 'checkpoint-', 'adapter_'][kind] } }
        : { after: Math.floor(random() * whole.ms * 1.1) };
      const last = done >= kills;
      const ended = await run(command(out, armed && !last), last ? {} : { ...how, begins });
      if (ended.killed) {
        done++;
        const what = writing(out);
        where.set(what, (where.get(what) ?? 0) + 1);
        continue;
      }
      if (ended.code !== 0) fail(`${name}, folder ${attempt}: a resumed run ended with ${ended.code}`, ended.said);
      else if (digestOf(out) !== digest) fail(`${name}, folder ${attempt}: the adapter differs`, ended.said);
      else total.right++;
      if (ended.code === 0) check(out, ended.said);
      break;
    }
    rmSync(out, { recursive: true, force: true });
    if (failures.length > 3) break;
  }
  total.kills += done;
  console.log(`${name}: ${done} kills while writing ${[...where].map(([what, n]) => `${what} ${n}`).join(', ')}`);
  return digest;
}

mkdirSync(folder, { recursive: true });
let skipped = 0;
let wanted;
try {
  makePictures(pictures);
  execFileSync(process.execPath, ['dist/s2a.js', 'pack', MODEL, pictures, '--out', join(folder, 'board'), ...OPTIONS], { stdio: 'ignore' });
  cpSync(join(MODEL, 'model.safetensors'), join(folder, 'model', 'model.safetensors'));
  await build({
    entryPoints: ['targets/wasi/host.ts'],
    outfile: 'build/wasi-host.js',
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  const chosen = RUNTIMES.filter(({ name, missing: why }) => {
    if (values.only !== undefined && !values.only.split(',').includes(name)) return false;
    const reason = why?.();
    if (reason === undefined) return true;
    console.log(`SKIPPED ${name}: ${reason}`);
    skipped++;
    return false;
  });
  const shares = chosen.reduce((sum, { share = 0 }) => sum + share, 0);
  const kills = Number(values.kills);
  for (const runtime of kills > 0 ? chosen : [])
    wanted = await torture(runtime, Math.ceil((kills * (runtime.share ?? 0)) / shares), wanted);
  if (chosen.some(({ name }) => name === 'node')) {
    const budgetKills = Number(values['budget-kills']);
    if (budgetKills > 0) await torture(budgetRounds({ folder, model: MODEL, random, fail }), budgetKills);
    const { command } = RUNTIMES[0];
    const reference = join(folder, 'life-whole');
    mkdirSync(reference);
    const whole = await run(command(reference));
    const about = { folder, command, run, random, whole, digestOf, wanted: digestOf(reference), fail };
    if (Number(values.hangups) > 0) total.right += await hangUp({ ...about, count: Number(values.hangups) });
    if (Number(values.pairs) > 0) total.right += await pairUp({ ...about, count: Number(values.pairs) });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const failure of failures) console.log(`FAIL ${failure}`);
console.log(`${total.kills} kills, ${total.right} runs that went on to the same end; digest ${wanted?.slice(0, 12) ?? 'none'}`);
console.log(`${total.right} passed, ${failures.length} failed, ${skipped} skipped`);
process.exit(failures.length > 0 || total.right === 0 ? 1 : 0);
