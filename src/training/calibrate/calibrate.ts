/**
 * Calibration: each layer's derivative table fitted to the inputs that it has on given pictures, instead of one table for all of a kind.
 *
 * The training program itself measures: its evaluation phase is walked from one activation to the next, and what lies in the arena before
 * each is counted. The tables then replace the shipped ones in the program, so its digest says which it trains with. The forward pass does
 * not depend on them.
 */

import { ActivationArg } from '../../../assembly/abi/ops/elementwise.ts';
import { Instruction } from '../../../assembly/abi/ops.ts';
import { InputError } from '../../base/error.ts';
import { turnIfDue } from '../../base/pace.ts';
import type { Engine } from '../../engine/engine.ts';
import { activationAt } from '../../ops/activations.ts';
import { codebookBytes, fitTable, type Table, tableError, weight } from '../../passes/codebook.ts';
import { tables } from '../../passes/codebooktables.ts';
import { codebookName, layerOf } from '../../passes/saved.ts';
import type { Compiled } from '../../pipeline/compiled.ts';
import { fill, type Samples } from '../train.ts';
import type { CalibratedLayer, Calibration } from './file.ts';
import { count, densityOf, type Histogram, newHistogram, REACH } from './histogram.ts';

/** Layers with a table of their own in a program compiled with `ownTables`, and the function of each; in the order of the network. */
export function calibratedLayers({ graph }: Pick<Compiled, 'graph'>): Map<string, number> {
  const own = new Set(graph.values.filter((v) => v.role === 'table').map((v) => v.name));
  return new Map(
    graph.phases.eval
      .filter((node) => node.op === 'Activation' && own.has(codebookName(layerOf(node.name))))
      .map((node) => [layerOf(node.name), node.attributes.kind!]),
  );
}

/** Fits every layer's table to what comes from `pictures` pictures, in the order in which a run of the engine's seed sees them. */
export async function calibrate(
  engine: Engine,
  compiled: Compiled,
  samples: Samples,
  pictures: number,
  seed: number,
): Promise<Calibration> {
  const layers = calibratedLayers(compiled);
  const histograms = new Map<string, Histogram>([...layers.keys()].map((name) => [name, newHistogram()]));
  const { microBatch, model } = engine.program.about;
  const n = Math.min(pictures, samples.count);
  for (let from = 0; from < n; from += microBatch) {
    const rows = Math.min(microBatch, n - from);
    fill(engine, rows, (row) => engine.sampleAt(from + row, samples.count, seed, 0), samples);
    await walkActivations(engine, layers, rows / microBatch, (name, x) => count(histograms.get(name)!, x));
  }
  const found: CalibratedLayer[] = [];
  for (const [name, kind] of layers) {
    found.push(fitted(name, kind, histograms.get(name)!));
    await turnIfDue();
  }
  return { model, pictures: n, layers: found };
}

/**
 * Runs the evaluation phase, and calls `seen` with the input of each of these activations just before it: with the given share of it, from the
 * first picture on. An activation in tiles comes tile by tile.
 */
async function walkActivations(
  engine: Engine,
  layers: ReadonlyMap<string, number>,
  share: number,
  seen: (name: string, x: Float32Array) => void,
): Promise<void> {
  const { program, memory } = engine;
  const words = new Int32Array(memory.buffer);
  const { start, end } = program.entries.eval;
  const activations: { at: number; name: string; x: number; n: number }[] = [];
  const left = new Map<string, number>();
  for (let at = start; at < end; at += 4 * words[at / 4 + 1]!) {
    const name = layerOf(program.symbols[words[at / 4 + 2]!]!);
    if (!layers.has(name)) continue;
    const argument = (i: ActivationArg): number => words[at / 4 + Instruction.Arguments + i]!;
    const n = argument(ActivationArg.N);
    activations.push({ at, name, x: argument(ActivationArg.X), n });
    left.set(name, (left.get(name) ?? 0) + n * share);
  }
  let from = start;
  for (const { at, name, x, n } of activations) {
    await engine.runAsync({ start: from, end: at });
    from = at;
    const here = Math.min(n, left.get(name)!);
    left.set(name, left.get(name)! - here);
    for (let i = 0; i < here; i += SLICE) {
      seen(name, new Float32Array(memory.buffer, x + 4 * i, Math.min(SLICE, here - i)));
      await turnIfDue();
    }
  }
  await engine.runAsync({ start: from, end });
}

/** Numbers counted between two looks at the clock. */
const SLICE = 1 << 18;

/** A table that is not this much better than the shipped one is not worth being another: a part of it is the pictures' own accident. */
const WORTH = 0.9;

/** The fitted table, or the shipped one where that is about as good over what was measured. */
function fitted(name: string, kind: number, histogram: Histogram): CalibratedLayer {
  const df = activationAt(kind).df;
  const shipped = tables[kind as keyof typeof tables]!;
  const fit = { density: densityOf(histogram, weight), from: -REACH, to: REACH };
  const own = fitTable(df, { ...fit, quick: true });
  const [error, shippedError] = [own, shipped].map((table) => tableError(table, df, fit)) as [number, number];
  const better = error <= WORTH * shippedError;
  return { name, kind, table: better ? own : shipped, error: better ? error : shippedError, shippedError, largest: histogram.largest };
}

/** Puts tables into a program and its engine; layers that the calibration does not know keep the shipped one. */
export function useTables(engine: Engine, { graph, plan }: Compiled, calibration: Calibration, where: string): void {
  const layers = calibratedLayers({ graph });
  if (calibration.model !== engine.program.about.model)
    throw new InputError({
      where,
      what: 'the tables belong to another architecture',
      got: engine.program.about.model,
      expected: calibration.model,
    });
  const { image, programOffset } = engine.program;
  for (const { name, kind, table } of calibration.layers) {
    // A policy that keeps f32, or a shorter method, has no place for it.
    if (!layers.has(name)) continue;
    if (layers.get(name) !== kind)
      throw new InputError({ where, what: `the table of ${name} is for another function`, got: layers.get(name)!, expected: kind });
    const value = graph.values.find((v) => v.name === codebookName(name))!;
    const bytes = codebookBytes(table as Table);
    image.set(bytes, plan.offsets[value.id]! - programOffset);
    new Uint8Array(engine.memory.buffer, plan.offsets[value.id]!, bytes.length).set(bytes);
  }
}
