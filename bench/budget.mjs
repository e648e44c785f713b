// What a budget costs: npm run bench:budget [-- --models vit-tiny,mobilenetv2] [--rounds 3] [--no-torch] [--json]
// For each model of the table: the budget that must train, the smallest that fits, twice that, and none, each with its measured step (bias tuning,
// batch 8, 224×224, 100 classes, AdamW, random weights, one thread) by turns in one process; then the same with prompt and side in a fifth more.
// Where PyTorch is installed, its step in the same run: the same method, micro-batch and accumulation; with gradient checkpointing; and full
// fine-tuning, which is another method. Memory is process against process: the peak over what stood before the model was made.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { timeSteps } from './interleaved.mjs';
import { CLASSES, NETWORKS, openNetwork, sources } from './network.mjs';
import { findPython } from './steps.mjs';

const MIB = 1 << 20;
/** @typedef {[name: string, weights: string, budgetMib: number]} Line */
/** @type {Line[]} */
const TABLE = [
  ['vit-tiny', 'int8', 12],
  ['vit-small', 'int8', 36],
  ['vit-base', 'int8', 112],
  ['vit-base', 'int4', 64],
  ['swin-tiny', 'int8', 48],
  ['resnet-50', 'int8', 40],
  ['mobilenetv2', 'int8', 13],
];
const MODULES = 'bias+prompt:rank=8+side:ratio=8';
/** Most that twice the smallest budget, and the smallest, may cost over a step without a budget. */
const LIMITS = { double: 1.15, smallest: 1.6 };

const { values: flags } = parseArgs({
  options: {
    models: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    'no-torch': { type: 'boolean' },
    json: { type: 'boolean' },
    step: { type: 'string' },
  },
});
const mib = (bytes) => (bytes / MIB).toFixed(1);

/** Peak of this process's resident memory in bytes; 0 where the system does not say. */
function peakResident() {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
  } catch {
    return 0;
  }
}

/** In a process of its own: two steps inside a budget, and the memory that they took. */
async function step(options) {
  const source = await sources();
  const before = peakResident();
  const network = openNetwork(source, options.name, options);
  for (let step = 0; step < 2; step++) {
    for (let pass = 0; pass < network.passes; pass++) network.engine.run('train');
    network.engine.run('update');
  }
  console.log(JSON.stringify({ peakOverImportBytes: peakResident() - before, linearBytes: network.engine.memory.buffer.byteLength }));
}

const ownStep = (options) =>
  JSON.parse(execFileSync(process.execPath, [process.argv[1], '--step', JSON.stringify(options)], { encoding: 'utf8' }));

function torchStep(python, more) {
  const script = new URL('torch-budget.py', import.meta.url).pathname;
  try {
    const out = execFileSync(python, [script, ...more], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 1_200_000 });
    return JSON.parse(out.trim().split('\n').at(-1) ?? '');
  } catch (error) {
    return {
      failed: String(error.stderr ?? error)
        .trim()
        .split('\n')
        .at(-1),
    };
  }
}

/** The smallest budget, as the refusal of an impossible one names it. */
function smallestOf(source, options) {
  const model = source.parseModel({ where: options.name, values: NETWORKS[options.name] }, [224, 224]);
  try {
    source.planForBudget({ model, classes: CLASSES, batchSize: 8, ...options, budgetBytes: 1 });
  } catch (error) {
    if (error instanceof source.BudgetError) return error.smallestBytes;
    throw error;
  }
}

/** @param {any} source @param {Line} line @param {string} [python] */
async function row(source, [name, weights, budgetMib], python) {
  const job = { name, weights, method: 'bias' };
  const smallest = smallestOf(source, job);
  const ways = {
    unlimited: openNetwork(source, name, job),
    double: openNetwork(source, name, { ...job, budgetBytes: 2 * smallest }),
    table: openNetwork(source, name, { ...job, budgetBytes: budgetMib * MIB }),
    smallest: openNetwork(source, name, { ...job, budgetBytes: smallest }),
    modules: openNetwork(source, name, { ...job, method: MODULES, budgetBytes: Math.floor(1.2 * budgetMib * MIB) }),
  };
  const times = timeSteps(Object.values(ways), Number(flags.rounds), source);
  const best = Object.fromEntries(Object.keys(ways).map((way, i) => [way, times[i]]));
  const result = { name, weights, budgetMib, ways: {} };
  for (const [way, { engine, program, chosen }] of Object.entries(ways))
    result.ways[way] = {
      linearBytes: engine.memory.buffer.byteLength,
      ms: best[way],
      relative: best[way] / best.unlimited,
      predicted: chosen.relativeTime,
      microBatch: program.about.microBatch,
      recompute: program.about.recompute,
      keep: program.about.keep,
    };
  result.process = ownStep({ ...job, budgetBytes: budgetMib * MIB });
  if (python !== undefined) {
    const microBatch = String(result.ways.table.microBatch);
    const same = ['--model', name, '--method', 'bias', '--micro-batch', microBatch];
    result.torch = {
      'bias, same passes': torchStep(python, same),
      'bias, same passes, checkpointed': torchStep(python, [...same, '--checkpoint']),
      'full (another method), same passes': torchStep(python, ['--model', name, '--method', 'full', '--micro-batch', microBatch]),
      'bias, batch 8 at once': torchStep(python, ['--model', name, '--method', 'bias', '--micro-batch', '8']),
    };
  }
  return result;
}

function show(r) {
  console.log(`\n${r.name}, ${r.weights} weights: ${r.budgetMib} MiB must train`);
  const label = {
    unlimited: 'no budget',
    double: 'twice the smallest',
    table: `${r.budgetMib} MiB`,
    smallest: 'the smallest',
    modules: `${MODULES} in ${(1.2 * r.budgetMib).toFixed(1)} MiB`,
  };
  for (const [way, w] of Object.entries(r.ways)) {
    const limit = LIMITS[way];
    const mark = limit === undefined ? ' ' : w.relative <= limit ? '✓' : '✗';
    const how = `passes of ${w.microBatch}, again ${w.recompute}, ${w.keep}`;
    console.log(
      `${mark} ${label[way].padEnd(46)} ${mib(w.linearBytes).padStart(7)} MiB linear ${w.ms.toFixed(0).padStart(7)} ms  ×${w.relative.toFixed(2)} (predicted ${w.predicted.toFixed(2)}${limit ? `, at most ${limit}` : ''})  ${how}`,
    );
  }
  console.log(`  process of the ${r.budgetMib} MiB run, over its start: ${mib(r.process.peakOverImportBytes)} MiB, ${r.weights} weights`);
  for (const [what, t] of Object.entries(r.torch ?? {}))
    console.log(
      t.failed
        ? `  PyTorch, ${what}: not measured (${t.failed})`
        : `  PyTorch ${t.versions.torch}, ${what}: ${mib(t.peakOverImportBytes)} MiB over its import, f32 weights, ${t.ms.toFixed(0)} ms a step`,
    );
}

if (flags.step !== undefined) await step(JSON.parse(flags.step));
else {
  const source = await sources();
  const python = flags['no-torch'] ? undefined : findPython();
  const wanted = flags.models?.split(',');
  const rows = [];
  for (const line of TABLE.filter(([name]) => wanted?.includes(name) ?? true)) {
    const result = await row(source, line, python);
    rows.push(result);
    if (!flags.json) show(result);
  }
  const failed = rows.flatMap(({ name, weights, ways }) =>
    Object.entries(LIMITS).flatMap(([way, limit]) => (ways[way].relative <= limit ? [] : [`${name} ${weights} ${way}`])),
  );
  if (flags.json) console.log(JSON.stringify({ processor: cpus()[0]?.model, load: loadavg()[0], rows, failed }, null, 1));
  else {
    if (python === undefined) console.log('\nno Python with torch and transformers here (PYTHON=…): PyTorch is not compared');
    console.log(
      `\n${cpus()[0]?.model}, one thread, processor time, load ${loadavg()[0].toFixed(1)}; ${failed.length === 0 ? 'every target met' : `missed: ${failed.join('; ')}`}`,
    );
  }
  process.exitCode = failed.length > 0 ? 1 : 0;
}
