// Every speed that S2A states, measured in one run, one thread: npm run bench [-- --quick] [--json] [--only gemm,depthwise,weights,steps,policy,torch]
// What is compared, and how: docs/bench.md. A line fails when its target is missed; the exit code is then 1.
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { benchDepthwise } from './depthwise.mjs';
import { engine, measure, shapes } from './gemm.mjs';
import { ort, peak, tfjs } from './peers.mjs';
import { comparePolicies, comparePrecisions, findPython, MODELS, measureStep, torchStep } from './steps.mjs';
import { CONVOLUTIONS, compareWeights, shapes as linearShapes } from './weights.mjs';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    only: { type: 'string', default: 'gemm,depthwise,weights,steps,policy,torch' },
  },
});
const parts = new Set(flags.only.split(','));
const say = (text = '') => {
  if (!flags.json) console.log(text);
};
const rows = [];
const versions = { node: process.version, s2a: 'base SIMD (128-bit, mul + add)' };

/**
 * A line of the result. `target`: at least that much (or at most, where `atMost`); without it the line only informs.
 *
 * @param {string} part
 * @param {string} what
 * @param {number} value
 * @param {string} unit
 * @param {{ target?: number, atMost?: boolean, note?: string }} [goal]
 */
function row(part, what, value, unit, { target, atMost = false, note = '' } = {}) {
  const pass = target === undefined ? undefined : atMost ? value <= target : value >= target;
  rows.push({ part, what, value, unit, ...(target === undefined ? {} : { target, atMost, pass }), ...(note ? { note } : {}) });
  const digits = unit === 'ms' ? 0 : 2;
  const goal = target === undefined ? '' : `${atMost ? '≤' : '≥'} ${target.toFixed(2)}`;
  const mark = pass === undefined ? ' ' : pass ? '✓' : '✗';
  say(`${mark} ${what.padEnd(52)} ${value.toFixed(digits).padStart(8)} ${unit.padEnd(4)} ${goal.padEnd(8)} ${note}`.trimEnd());
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

async function gemm() {
  const ceiling = peak();
  const peers = [await tfjs(), await ort(), await tfjs({ packOnce: true })];
  const contestants = [engine({ op: 'NT' }), engine({ op: 'NN' }), ...peers, ...(ceiling ? [ceiling] : [])];
  for (const { name, version } of [...peers, ...(ceiling ? [ceiling] : [])]) versions[name] = version;
  const options = flags.quick ? { rounds: 8, ms: 5, warm: 30 } : { rounds: 30, ms: 8, warm: 80 };
  say('matrix product, GFLOP/s; forward (NT: weights [out][in]) and the gradient (NN); B packed at every call, by the peers as well\n');
  say('  M×N×K              NT     NN  XNNPACK  MLAS  XNNPACK packed once  peak');
  const results = [];
  const list = shapes().filter(
    (s) => s.op === 'NT' && s.name.startsWith('ViT') && !(flags.quick && s.m === 1576 && s.name.includes('base')),
  );
  for (const shape of list) {
    const [nt, nn, xnnpack, mlas, packedOnce, top] = await measure(shape, contestants, options);
    results.push({ shape, nt, nn, xnnpack, mlas, packedOnce, top });
    const cell = (v, w) => (v === undefined ? '-' : v.toFixed(1)).padStart(w);
    const size = [shape.m, shape.n, shape.k].join('×');
    say(`  ${size.padEnd(15)}${cell(nt, 6)} ${cell(nn, 6)} ${cell(xnnpack, 8)} ${cell(mlas, 5)} ${cell(packedOnce, 20)} ${cell(top, 5)}`);
    rows.push({ part: 'gemm', what: `${shape.name} ${size}`, gflops: { nt, nn, xnnpack, mlas, packedOnce, peak: top } });
  }
  say();
  for (const model of ['tiny', 'small', 'base']) {
    const own = results.filter((r) => r.shape.name.includes(model));
    const ratio = (of) => median(own.flatMap((r) => [r.nt / of(r), r.nn / of(r)]));
    const worst = (of) => `worst ${Math.min(...own.flatMap((r) => [r.nt / of(r), r.nn / of(r)])).toFixed(2)}`;
    const line = (name, of, target) => row('gemm', `ViT-${model}: product, ÷ ${name}`, ratio(of), '×', { target, note: worst(of) });
    line('XNNPACK', (r) => r.xnnpack, 1.2);
    line('XNNPACK packed once', (r) => r.packedOnce);
    line('MLAS', (r) => r.mlas, 1.4);
    if (ceiling) line('128-bit mul + add peak', (r) => r.top, 0.65);
  }
  if (!ceiling) say('  no C compiler here: the 128-bit peak is not measured');
}

function depthwise() {
  const results = benchDepthwise({ rounds: flags.quick ? 8 : 25 });
  for (const { shape, forward, im2col } of results)
    row('depthwise', `depthwise 3×3 ${shape}, ÷ im2col`, im2col / forward, '×', { target: 2, note: `${forward.toFixed(2)} ns an output` });
}

async function weights() {
  const options = flags.quick ? { rounds: 8, ms: 5, warm: 30 } : {};
  const compare = (name, what, results, target, least) => {
    const ratios = results.map((r) => r[name]);
    const note = `worst ${Math.min(...ratios).toFixed(2)} of ${ratios.length}, forward and gradient`;
    row('weights', `${what} over ${name}, ÷ f32`, median(ratios), '×', { target, note });
    if (least !== undefined) row('weights', `${what} over ${name}, the slowest`, Math.min(...ratios), '×', { target: least });
  };
  for (const m of flags.quick ? [197] : [1576, 197]) {
    const results = await compareWeights(linearShapes([m]), options);
    compare('int8', `linear layers of ViT, M = ${m},`, results, 1.5, 1.25);
    compare('int4', `linear layers of ViT, M = ${m},`, results, 1.4);
  }
  compare('int12', '1×1 convolutions, one picture,', await compareWeights(CONVOLUTIONS, options), 1.25);
}

/** What a step over int8 weights must gain; depthwise layers stay f32. */
const STEP_TARGETS = { 'vit-tiny': 1.35, mobilenetv2: 1.25 };

async function steps() {
  for (const model of MODELS) {
    const { f32, int8, int4 } = await comparePrecisions(model, { rounds: flags.quick ? 2 : 6 });
    const note = `${int8.toFixed(0)} and ${f32.toFixed(0)} ms a step`;
    row('steps', `${model}: bias step, f32 ÷ int8`, f32 / int8, '×', { target: STEP_TARGETS[model], note });
    row('steps', `${model}: bias step, f32 ÷ int4`, f32 / int4, '×', { note: `${int4.toFixed(0)} ms` });
  }
}

async function policy() {
  for (const model of MODELS) {
    const { s2a, exact } = await comparePolicies(model, { rounds: flags.quick ? 2 : 6 });
    const note = `${s2a.toFixed(0)} and ${exact.toFixed(0)} ms a step`;
    row('policy', `${model}: bias step, s2a ÷ exact`, s2a / exact, '×', { target: 1.1, atMost: true, note });
  }
}

async function torch() {
  const python = findPython();
  if (python === undefined) return say('  no Python with torch and transformers here (PYTHON=…): the step is not compared');
  const count = flags.quick ? 2 : 4;
  const ceiling = peak()?.prepare();
  for (const model of MODELS) {
    const rounds = flags.quick ? 3 : 6;
    const before = await measureStep(model, { rounds });
    const held = torchStep(python, model, 'torch', count);
    const whole = held.blas === 'MKL' ? torchStep(python, model, 'all', count) : held;
    const free = torchStep(python, model, 'none', count);
    // Before PyTorch and after it: the machine may have become slower or faster meanwhile.
    const after = await measureStep(model, { rounds });
    const own = Math.min(before.ms, after.ms);
    versions.torch = `${held.versions.torch} (BLAS: ${held.blas}), transformers ${held.versions.transformers}`;
    const memory = `${(after.linearBytes / 2 ** 20).toFixed(1)} MiB, passes of ${after.microBatch}`;
    row('torch', `${model}: bias step, batch 8, S2A`, own, 'ms', { note: memory });
    // A library that did not hear the variables multiplies faster than 128 bits can: then the ratio says nothing of them.
    const top = ceiling && Math.max(...Array.from({ length: 5 }, () => ceiling.slice(20)));
    const held128 = top === undefined || whole.productGflops <= 1.1 * top;
    const rates = `products at ${whole.productGflops.toFixed(0)} GFLOP/s${top === undefined ? '' : `, 128-bit peak ${top.toFixed(0)}`}`;
    row('torch', `${model}: PyTorch at 128 bits ÷ S2A`, whole.msProcessor / own, '×', {
      ...(held128 ? { target: 1 } : {}),
      note: `${whole.msProcessor.toFixed(0)} ms; ${rates}${held128 ? '' : ': NOT held to 128 bits, so no verdict'}`,
    });
    if (held.blas === 'MKL') {
      const note = `${held.msProcessor.toFixed(0)} ms; MKL does not read the variables that hold the rest and may use ${free.capability}`;
      row('torch', `${model}: the same but MKL free ÷ S2A`, held.msProcessor / own, '×', { note });
    }
    row('torch', `${model}: unrestricted PyTorch (${free.capability}) ÷ S2A`, free.msProcessor / own, '×', {
      note: `${free.msProcessor.toFixed(0)} ms`,
    });
  }
}

const began = performance.now();
for (const [name, run] of Object.entries({ gemm, depthwise, weights, steps, policy, torch }))
  if (parts.has(name)) {
    await run();
    say();
  }
const failed = rows.filter((r) => r.pass === false);
const processor = cpus()[0]?.model ?? 'unknown processor';
const load = loadavg()[0];
const seconds = Math.round((performance.now() - began) / 1000);
const noisy = `Times are processor time, best of short slices by turns (load ${load.toFixed(1)} on ${cpus().length} processors). Quiet, ratios repeat to 3 %.
Where others share the core they move by 10 to 20 %: most for products under a millisecond, the peak and PyTorch (own processes).`;
if (flags.json)
  console.log(JSON.stringify({ processor, arch: process.arch, load, seconds, versions, rows, failed: failed.length, noisy }, null, 1));
else {
  say(
    `${processor}, ${process.arch}, one thread; ${Object.entries(versions)
      .map(([k, v]) => `${k}: ${v}`)
      .join('; ')}`,
  );
  say(noisy);
  say(
    failed.length === 0
      ? `every target met (${seconds} s)`
      : `${failed.length} missed (${seconds} s): ${failed.map((r) => r.what).join('; ')}`,
  );
}
process.exitCode = failed.length > 0 ? 1 : 0;
