// Threads: what a second one gains, what meeting costs, what too many cost: npm run bench:threads [-- --models vit-small,mobilenetv2] [--rounds 12]
// A line fails when its target is missed; the exit code is then 1. Wall time, so run it where nothing else runs; beside it stands the ratio by
// processor time of the busiest thread, which other programs disturb less (Linux).
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { instructions, openNetwork, sources } from './network.mjs';

const { values: flags } = parseArgs({
  options: {
    models: { type: 'string', default: 'vit-small,mobilenetv2' },
    rounds: { type: 'string', default: '12' },
    resident: { type: 'boolean' },
  },
});
const cores = availableParallelism();
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
let missed = false;

/** @param {string} what @param {number} value @param {string} unit @param {{ target?: number, atMost?: boolean, note?: string }} [goal] */
function row(what, value, unit, { target, atMost = false, note = '' } = {}) {
  const pass = target === undefined ? undefined : atMost ? value <= target : value >= target;
  missed ||= pass === false;
  const goal = target === undefined ? '' : `${atMost ? '≤' : '≥'} ${target}`;
  console.log(
    `${pass === undefined ? ' ' : pass ? '✓' : '✗'} ${what.padEnd(58)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(4)} ${goal.padEnd(7)} ${note}`.trimEnd(),
  );
}

/** Processor time of every thread of this process in ms, by its number; empty where the system does not tell. */
function threadTimes() {
  try {
    return new Map(
      readdirSync('/proc/self/task').map((id) => [
        id,
        Number(readFileSync(`/proc/self/task/${id}/schedstat`, 'latin1').split(' ')[0]) / 1e6,
      ]),
    );
  } catch {
    return new Map();
  }
}

/** One pass: wall time, and the processor time of the thread that took most, in ms. */
function pass({ engine }) {
  const before = threadTimes();
  const began = performance.now();
  engine.run('train');
  const wall = performance.now() - began;
  const spent = [...threadTimes()].map(([id, ms]) => ms - (before.get(id) ?? 0));
  return { wall, busiest: spent.length > 0 ? Math.max(...spent) : Number.NaN };
}

/** Milliseconds of a pass with nothing in it but its barriers: every instruction is turned into a sum of no elements. */
function barriersAlone(network, source) {
  const { engine, program } = network;
  const { Instruction } = source;
  const words = new Int32Array(engine.memory.buffer);
  let barriers = 0;
  for (const { start, end } of instructions(network, 'train', source)) {
    barriers += words[start / 4 + Instruction.Barrier];
    words[start / 4 + Instruction.Op] = source.OPS.Add.opcode;
    words.fill(0, start / 4 + Instruction.Arguments, end / 4);
  }
  const times = Array.from({ length: 200 }, () => {
    const began = performance.now();
    engine.run('train');
    return performance.now() - began;
  });
  new Uint8Array(engine.memory.buffer).set(program.image, program.programOffset);
  return { barriers, ms: median(times.slice(50)) };
}

/** Resident MiB that each further thread adds, in a process of its own. */
async function resident() {
  const { startThread, engineBytes } = await sources();
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
  const module = new WebAssembly.Module(engineBytes(2));
  const sizes = [process.memoryUsage.rss()];
  for (let thread = 1; thread <= 3; thread++) {
    startThread({ memory, module, scratch: { offset: 65536, bytes: 65536 }, thread, threads: 4 }).unref();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    sizes.push(process.memoryUsage.rss());
  }
  console.log((sizes[3] - sizes[0]) / 3 / 1048576);
  process.exit(0);
}

async function measure(name) {
  const source = await sources();
  const over = 2 * cores;
  const counts = [...new Set([1, 2, Math.min(4, cores), over])].filter((n) => n <= cores || n === over);
  const runs = counts.map((threads) => ({
    threads,
    wall: /** @type {number[]} */ ([]),
    busiest: /** @type {number[]} */ ([]),
    network: openNetwork(source, name, { threads, maxThreads: over }),
  }));
  for (let round = -2; round < Number(flags.rounds); round++)
    for (const run of runs) {
      const { wall, busiest } = pass(run.network);
      if (round < 0) continue;
      run.wall.push(wall);
      run.busiest.push(busiest);
    }
  const best = Object.fromEntries(
    runs.map(({ threads, wall, busiest }) => [threads, { wall: Math.min(...wall), busiest: Math.min(...busiest) }]),
  );
  const one = best[1];
  const { microBatch } = runs[0].network.program.about;
  row(`${name}: a pass of ${microBatch}, one thread`, one.wall, 'ms');
  for (const threads of counts.filter((n) => n > 1 && n <= cores))
    row(`${name}: ${threads} threads, times as fast as one`, one.wall / best[threads].wall, '×', {
      ...(threads === 2 ? { target: 1.7 } : {}),
      note: `by processor time of the busiest thread ${(one.busiest / best[threads].busiest).toFixed(2)}`,
    });
  row(`${name}: ${over} threads on ${cores} cores, times as long as one`, best[over].wall / one.wall, '×', { target: 1.2, atMost: true });
  const two = runs.find(({ threads }) => threads === 2);
  if (two) {
    const { barriers, ms } = barriersAlone(two.network, source);
    const all = instructions(two.network, 'train', source).length;
    row(`${name}: a barrier, two threads that come together`, (1000 * ms) / barriers, 'µs');
    row(`${name}: all barriers of a pass`, ms, 'ms', {
      note: `${barriers} before ${all} instructions: ${((100 * ms) / best[2].wall).toFixed(1)} % of the pass on two threads`,
    });
  }
  for (const { network } of runs) await network.engine.close();
}

if (flags.resident) await resident();
console.log(`${cores} cores, load ${loadavg()[0].toFixed(1)}, ${process.version}\n`);
const each = Number(spawnSync(process.execPath, ['bench/threads.mjs', '--resident'], { encoding: 'utf8' }).stdout);
row('resident memory of a further thread', each, 'MiB', { target: 10, atMost: true, note: 'a runtime of its own; scratch comes on top' });
for (const name of flags.models.split(',')) await measure(name);
process.exitCode = missed ? 1 : 0;
