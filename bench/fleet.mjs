// How much of what all pictures in one place teach does a fleet reach?   npm run bench:fleet [-- --network sketch-vit --seeds 1,2,3 --ways bias,lora]
//
// Eight boards of two or three of ten classes each, unequal counts, within 8 MiB: MoveNet's MobileNetV2, as npm run demo:fleet has it, or our own vision transformer,
// which is quicker and has seen none of these classes. A seed is a deal of the drawings, and of what follows.
// Beside the fleet: each board alone, and all drawings in one place, both for as many epochs. All is judged by the fifty drawings of each class that
// no board has. The fleet is the real one but for the network (tools/fleet/inprocess.mjs). It needs Python as the demo does.
//
// Runs are kept in build/fleet/bench, so a second call goes on. --only makes those of --ways without the table, for several processes at once; there the
// way `rest` is what stands beside the fleet.
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { DEPTH, inDepth, SIDE } from '../tools/builtin.mjs';
import { judgeAlone, judgeFleet } from '../tools/fleet/comparison.mjs';
import { writeFleet } from '../tools/fleet/drawings.mjs';
import { runInProcess } from '../tools/fleet/inprocess.mjs';
import { serverPython } from '../tools/fleet/python.mjs';
import { convert } from '../tools/models/movenet.mjs';
import { TEN } from '../tools/pictures/quickdraw.mjs';
import { percent } from './statistics.mjs';

const ROOT = 'build/fleet/bench';
const NODES = 8;
/** Networks, and the low-rank adaptation of each whose adapter has about as many bytes as the biases. */
const NETWORKS = {
  movenet: { depth: DEPTH, lora: 'lora:rank=1,alpha=1,all=1' },
  'sketch-vit': { depth: 0, lora: 'lora:rank=3,alpha=3' },
};
/** What is learnt, and how the server puts it together. */
const WAYS = {
  bias: {},
  lora: {},
  fedprox: { strategy: 'fedprox', prox: 0.01 },
  fedadam: { strategy: 'fedadam', 'server-rate': 0.01 },
  'head-once': { refresh: 0 },
};

const { values } = parseArgs({
  options: {
    network: { type: 'string', default: 'movenet' },
    seeds: { type: 'string', default: '1,2,3' },
    ways: { type: 'string', default: 'bias,lora,fedprox,fedadam,head-once' },
    train: { type: 'string', default: '40' },
    rounds: { type: 'string', default: '10' },
    epochs: { type: 'string', default: '2' },
    side: { type: 'string', default: String(SIDE) },
    only: { type: 'boolean', default: false },
  },
});
const [train, rounds, epochs, side] = [values.train, values.rounds, values.epochs, values.side].map(Number);
const seeds = values.seeds.split(',').map(Number);
const ways = values.ways.split(',').filter(Boolean);
const strange = ways.find((way) => !Object.hasOwn(WAYS, way) && !(values.only && way === 'rest'));
const network = NETWORKS[values.network];
if (network === undefined || strange !== undefined || seeds.some((seed) => !Number.isSafeInteger(seed))) {
  process.stderr.write(
    `--network: ${Object.keys(NETWORKS).join(' or ')}; --ways: of ${Object.keys(WAYS).join(', ')}; --seeds: whole numbers\n`,
  );
  process.exit(2);
}
const say = (text) => process.stdout.write(`${text}\n`);
const { python = '', why } = serverPython(say);
if (!python) {
  say(`it needs Flower on the server's side: ${why}`);
  process.exit(3);
}

const setting = `${values.network}-${train}-${rounds}x${epochs}-${side}`;
/** What `make` gives for this name, or gave before. */
async function kept(name, make) {
  const path = join(ROOT, `${setting}-${name}.json`);
  if (!existsSync(path)) {
    const began = Date.now();
    const found = await make(join(ROOT, `${setting}-${name}`));
    rmSync(join(ROOT, `${setting}-${name}`), { recursive: true, force: true });
    writeFileSync(path, JSON.stringify(found));
    say(`${name}: ${Math.round((Date.now() - began) / 1000)} s`);
  }
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The deal of a seed under `folder`: a model, boards' drawings, all of them. */
function deal(folder, seed) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const model = values.network === 'movenet' ? join(folder, 'model') : join('models', values.network);
  if (values.network === 'movenet') convert(model, side);
  const boards = writeFleet(join(folder, 'drawings'), { classes: TEN, nodes: NODES, train, val: 10, seed });
  return { model, boards, data: join(folder, 'drawings', 'all') };
}

/** One fleet: its accuracy before the first round and after the last, the most that a round cost a board, and its adapter's bytes. */
const fleet = (seed, way) =>
  kept(`${way}-${seed}`, async (folder) => {
    const { model, boards, data } = deal(folder, seed);
    const job = { method: inDepth(way === 'lora' ? network.lora : 'bias', network.depth), budget: '8MiB', maxThreads: 1 };
    const root = join(folder, 'run');
    const lines = await runInProcess({ python, root, model, boards, job, options: { rounds, epochs, seed, ...WAYS[way] } });
    const [before, after] = judgeFleet({ model, out: join(root, 'out'), data, rounds: [0, rounds] }).rounds;
    const bytes = statSync(join(root, 'out', 'adapter', 'adapter_model.safetensors')).size;
    return { before: before?.accuracy, after: after?.accuracy, bytes, most: mostOf(lines) };
  });

/** Bytes of the round that cost a board most. */
function mostOf(lines) {
  const costs = new Map();
  for (const { round, nodes } of lines)
    for (const { name, down, up } of round > 0 ? nodes : [])
      costs.set(`${round} ${name}`, (costs.get(`${round} ${name}`) ?? 0) + down + up);
  return Math.max(...costs.values());
}

/** Each board alone, and all in one place, of a method. */
const rest = (seed) =>
  kept(`rest-${seed}`, async (folder) => {
    const { model, boards, data } = deal(folder, seed);
    const flags = ['--method', inDepth('bias', network.depth), '--budget', '8MiB', '--max-threads', '1'];
    const { mean, pooled } = judgeAlone({ root: folder, model, boards, data, flags, epochs: rounds * epochs });
    return { alone: mean, pooled };
  });

/** Student's t of two degrees of freedom and so on, two-sided 95 %. */
const T = [Number.NaN, 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
/** Mean and 95 % interval over the seeds. */
function over(list) {
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  const deviation = Math.sqrt(list.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (list.length - 1));
  const half = ((T[list.length - 1] ?? 1.96) * deviation) / Math.sqrt(list.length);
  return `${percent(mean)}${Number.isFinite(half) ? ` ± ${(100 * half).toFixed(1)}` : ''}`;
}

const row = (cells) => say(`| ${cells.join(' | ')} |`);

if (values.only) for (const seed of seeds) for (const way of ways) await (way === 'rest' ? rest(seed) : fleet(seed, way));
else {
  const alone = [];
  for (const seed of seeds) alone.push(await rest(seed));
  const fleets = new Map();
  for (const way of ways) {
    const runs = [];
    for (const seed of seeds) runs.push(await fleet(seed, way));
    fleets.set(way, runs);
  }
  row(['', ...seeds.map((seed) => `seed ${seed}`), 'mean, 95 %', 'of one place', 'KiB', 'a round at most']);
  row(['---', ...seeds.map(() => '---'), '---', '---', '---', '---']);
  const one = (name, list, more = ['', '', '']) => row([name, ...list.map(percent), over(list), ...more]);
  one(
    'a board alone, the mean of eight',
    alone.map((r) => r.alone),
  );
  one(
    'all in one place',
    alone.map((r) => r.pooled),
  );
  for (const [way, runs] of fleets) {
    const ratio = over(runs.map(({ after }, i) => after / alone[i].pooled));
    const [bytes, most] = [Math.max(...runs.map((r) => r.bytes)), Math.max(...runs.map((r) => r.most))];
    const cost = `${(most / 1024).toFixed(0)} KiB, of ${((2.1 * bytes + 8192) / 1024).toFixed(0)}`;
    one(
      `${way}, before the first round`,
      runs.map((r) => r.before),
    );
    one(
      way,
      runs.map((r) => r.after),
      [ratio, (bytes / 1024).toFixed(0), cost],
    );
  }
}
