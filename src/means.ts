/**
 * Rows of a head from class means: before the first step the frozen network says where each class lies among its features x.
 *
 *     logit_c(x) = level + s·( (μ_c - m)·(x - m) - ½‖μ_c - m‖² )      μ_c: mean of class c, m: mean of the means
 *
 * which is the nearest mean, as a linear layer. In a new head s makes the own class stand out by MARGIN at its mean, and the level is 0. Rows
 * that join others take their size and their level: the mean norm of the older rows about their mean, and their mean logit at m.
 *
 * Sums are f64 in the order of the pictures, so the rows do not depend on threads or runtime.
 */
import { LinearArg } from '../assembly/abi/ops/dense.ts';
import { Instruction } from '../assembly/abi/ops.ts';
import { headNames } from './adapter.ts';
import type { Compiled } from './compile.ts';
import { type Engine, readParameter, writeParameter } from './engine.ts';
import { EngineError } from './error.ts';
import { fill, type Samples } from './train.ts';

export const HEAD_STARTS = ['zero', 'means'] as const;
export type HeadStart = (typeof HEAD_STARTS)[number];

/** Logits that a class mean stands above the mean of means in a new head. */
const MARGIN = 2;

/** Fills the rows from `first` on, those of classes without pictures excepted. Walks the evaluation phase once over all samples. */
export function headFromMeans(engine: Engine, compiled: Compiled, samples: Samples, first = 0): void {
  const { weight, bias, at, x, features, classes } = classifierOf(engine, compiled);
  const { microBatch } = engine.program.about;
  const sums = new Float64Array(classes * features);
  const counts = new Int32Array(classes);
  for (let from = 0; from < samples.count; from += microBatch) {
    const rows = Math.min(microBatch, samples.count - from);
    fill(engine, rows, (row) => from + row, samples);
    engine.walk(engine.program.entries.eval.start, at);
    for (let row = 0; row < rows; row++) {
      const label = samples.label(from + row);
      counts[label]!++;
      for (let k = 0; k < features; k++) sums[label * features + k]! += x[row * features + k]!;
    }
  }
  const w = readParameter(engine, weight);
  const b = readParameter(engine, bias);
  nearestMean({ w, b, sums, counts, features, first });
  writeParameter(engine, weight, w);
  writeParameter(engine, bias, b);
}

interface Head {
  /** [classes, features] and [classes]: rows from `first` on are written, earlier ones read. */
  w: Float32Array;
  b: Float32Array;
  /** Sums of the features by class, and how many pictures they are of. */
  sums: Float64Array;
  counts: Int32Array;
  features: number;
  first: number;
}

/** The formula above. */
export function nearestMean({ w, b, sums, counts, features, first }: Head): void {
  const seen = [...counts.keys()].filter((c) => counts[c]! > 0);
  const rows = seen.filter((c) => c >= first);
  if (seen.length < 2 || rows.length === 0) return;
  const centre = new Float64Array(features);
  for (const c of seen) for (let k = 0; k < features; k++) centre[k]! += sums[c * features + k]! / counts[c]! / seen.length;
  const away = rows.map((c) => centre.map((m, k) => sums[c * features + k]! / counts[c]! - m));
  const squares = away.map((d) => d.reduce((sum, v) => sum + v * v, 0));
  const mean = (list: readonly number[]): number => list.reduce((sum, v) => sum + v, 0) / list.length;

  let [scale, level] = [MARGIN / mean(squares), 0];
  if (first > 0) {
    const older = Array.from({ length: first }, (_, c) => w.subarray(c * features, (c + 1) * features));
    const middle = centre.map((_, k) => mean(older.map((row) => row[k]!)));
    const size = mean(older.map((row) => Math.sqrt(row.reduce((sum, v, k) => sum + (v - middle[k]!) ** 2, 0))));
    scale = size / mean(squares.map(Math.sqrt));
    level = mean(older.map((row, c) => row.reduce((sum, v, k) => sum + v * centre[k]!, b[c]!))) + (scale * mean(squares)) / 2;
  }
  rows.forEach((c, i) => {
    const row = away[i]!.map((v) => scale * v);
    w.set(row, c * features);
    b[c] = level - (scale * squares[i]!) / 2 - row.reduce((sum, v, k) => sum + v * centre[k]!, 0);
  });
}

/** The backbone's classifier: its parameters, where its instruction stands in the evaluation phase, and what it reads. */
function classifierOf(engine: Engine, { graph }: Compiled) {
  const { program, memory } = engine;
  const names = headNames(program).filter((name) => !name.startsWith('side.'));
  const node = graph.phases.eval.findLast((n) => n.op === 'Linear' && names.includes(graph.values[n.inputs[1]!]!.name));
  const find = (i: number) => program.parameters.find((p) => p.name === graph.values[node?.inputs[i] ?? -1]?.name);
  const [weight, bias] = [find(1), find(2)];
  const words = new Int32Array(memory.buffer);
  const { start, end } = program.entries.eval;
  for (let at = start; at < end; at += 4 * words[at / 4 + Instruction.Words]!) {
    if (program.symbols[words[at / 4 + Instruction.Node]!] !== node?.name || !weight || !bias) continue;
    const argument = (i: LinearArg): number => words[at / 4 + Instruction.Arguments + i]!;
    const [rows, features] = [argument(LinearArg.M), argument(LinearArg.K)];
    const x = new Float32Array(memory.buffer, argument(LinearArg.X), rows * features);
    return { weight, bias, at, x, features, classes: argument(LinearArg.N) };
  }
  throw new EngineError({ where: 'program', what: 'has no classifier to begin from class means' });
}
