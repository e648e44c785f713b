/** A plan as plain data: what `s2a plan --json` prints and what reports show. */

import type { Arithmetic } from '../base/arithmetic.ts';
import { numel } from '../graph/graph.ts';
import type { Window } from '../passes/streaming.ts';
import type { Tiles } from '../passes/tiling/tiles.ts';
import type { Compiled } from '../pipeline/compiled.ts';
import type { Parts } from '../plan/memory.ts';
import { arithmeticOf } from '../program/program.ts';
import { bytesRead, storedBytes } from '../program/stored.ts';
import { cutsOf } from './featurecut.ts';
import type { Chosen } from './search.ts';

/** A plan as plain data, every size in bytes. */
export interface PlanReport {
  /** The architecture's name. */
  model: string;
  /** Height and width in pixels. */
  imageSize: readonly [number, number];
  /** Classes of the head. */
  classes: number;
  /** What learns, as a method's text. */
  method: string;
  /** What is kept for backward, as a policy's text. */
  keep: string;
  /** Precision of frozen weights. */
  weights: string;
  /** How sums are computed. */
  arithmetic: Arithmetic;
  /** `adamw` or `sgd`. */
  optimizer: string;
  /** Pictures in one step. */
  batchSize: number;
  /** Pictures in one pass. */
  microBatch: number;
  /** Size of the whole linear memory, a multiple of 64 KiB. */
  linearBytes: number;
  /** What the user allowed; null where unlimited. */
  budgetBytes: number | null;
  /** What the memory holds, in bytes, part by part. */
  parts: Omit<Parts, 'padding'>;
  /** Head, alignment, fragmentation, rest of the last page: with the parts it sums to linearBytes. */
  padding: number;
  /** Kept from forward for backward, bytes a picture. */
  keptBytesPerImage: number;
  /** The same method with everything that an f32 autograd keeps. */
  keptBytesPerImageF32: number;
  /** The node at which most is alive, and the bytes that are then. */
  peak: { node: string; bytes: number };
  /** Largest sum of live temporaries, and what their placement takes. */
  placement: { lowerBound: number; bytes: number };
  /** How many numbers learn, and the percent of all that they are. */
  trainable: { count: number; percent: number };
  /** Last node of what makes the same of a picture in every epoch, and the bytes of a picture there, where keeping them on disk pays. */
  features: { node: string; bytesPerImage: number } | null;
  /**
   * Frozen weights that stay in a file, where there are such: the bytes of the file, what a step reads of it, and what passes through memory at a time, a block
   * and the next one, a layer and the next one, or a layer. `residentNeedsBytes`: the least budget with which they would stay in memory; null: a file was asked for.
   */
  stored: { fileBytes: number; bytesReadPerStep: number; window: Window; residentNeedsBytes: number | null } | null;
  /** What the budget cost: passes in a step, blocks computed again in backward (their inputs' bits by block, as text), and predicted step time. */
  choices: {
    passes: number;
    recompute: string;
    recomputedBlocks: number;
    /** How much is worked on at a time: least rows of a tile (0: none), whether pictures are cut apart, queries of attention, pixels of a convolution. */
    tiles: Required<Tiles>;
    /** Over the same job without a budget; null where nothing was chosen. */
    relativeTime: number | null;
  };
}

/**
 * A compiled program's plan as plain data. `batchSize`: pictures in one step; `budgetBytes`: what was allowed, undefined where nothing
 * limits it. Throws nothing.
 */
export function planReport(
  { chosen, ...compiled }: Compiled & { chosen?: Chosen },
  batchSize: number,
  budgetBytes: number | undefined,
): PlanReport {
  const { plan, graph, program, autogradBytes, tiles } = compiled;
  const { model, image, classes, method, keep, weights, optimizer, microBatch } = program.about;
  const line = cutsOf(compiled)?.train;
  const { padding, ...parts } = plan.parts;
  const count = (role: string): number =>
    graph.values.reduce(
      (n, v) => ((v.stored === 'placed' ? 'frozen' : v.role) === role && plan.offsets[v.id]! >= 0 ? n + numel(v.type.shape) : n),
      0,
    );
  const [learnable, frozen] = [count('param'), count('frozen')];
  return {
    model,
    imageSize: image,
    classes,
    method,
    keep,
    weights,
    arithmetic: arithmeticOf(program.about),
    optimizer,
    batchSize,
    microBatch,
    linearBytes: plan.linearBytes,
    budgetBytes: budgetBytes ?? null,
    parts,
    padding,
    keptBytesPerImage: Math.round(plan.keptBytes / microBatch),
    keptBytesPerImageF32: Math.round(autogradBytes / microBatch),
    peak: { node: plan.peak.node, bytes: plan.peak.bytes },
    placement: { lowerBound: plan.lowerBound, bytes: plan.temporaries.bytes },
    trainable: { count: learnable, percent: (100 * learnable) / (learnable + frozen) },
    stored: chosen?.streaming
      ? {
          fileBytes: storedBytes(program),
          bytesReadPerStep: (batchSize / microBatch) * bytesRead(program, program.about.purpose === 'train' ? 'train' : 'eval'),
          window: chosen.streaming.window,
          residentNeedsBytes: chosen.residentNeedsBytes ?? null,
        }
      : null,
    features: line ? { node: line.node, bytesPerImage: line.bytes } : null,
    choices: {
      passes: batchSize / microBatch,
      recompute: program.about.recompute,
      recomputedBlocks: chosen?.recompute.size ?? 0,
      tiles,
      relativeTime: chosen?.relativeTime ?? null,
    },
  };
}
