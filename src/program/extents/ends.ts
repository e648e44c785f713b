/** Extents of linear layers, of both ends of the network, and of what happens to parameters. */
import {
  AdamWArg,
  Augment,
  BiasBackwardArg,
  CrossEntropyArg,
  FoldBatchNormArg,
  LinearArg,
  LinearBackwardWArg,
  LinearBackwardXArg,
  NormalArg,
  Op,
  PixelsArg,
  ResizePositionsArg,
  ScheduleArg,
  SgdArg,
  SumSquaresArg,
} from '../../../assembly/abi/ops.ts';
import { gemmScratch, resizePositionsScratch } from '../../scratch.ts';
import {
  between,
  MOST_PRODUCT,
  MOST_STEP,
  mayRead,
  mayWrite,
  reads,
  size,
  takesScratch,
  takesState,
  weightBytes,
  writes,
} from './touch.ts';

export function dense(op: Op): void {
  if (op === Op.Linear) {
    const m = size(LinearArg.M);
    const n = size(LinearArg.N);
    const k = size(LinearArg.K);
    reads(LinearArg.X, 4 * m * k);
    reads(LinearArg.W, weightBytes(LinearArg.ENCODING, n, k));
    mayRead(LinearArg.B, 4 * n);
    writes(LinearArg.Y, 4 * m * n);
    takesScratch(gemmScratch());
  } else if (op === Op.LinearBackwardX) {
    const m = size(LinearBackwardXArg.M);
    const n = size(LinearBackwardXArg.N);
    const k = size(LinearBackwardXArg.K);
    reads(LinearBackwardXArg.DY, 4 * m * n);
    reads(LinearBackwardXArg.W, weightBytes(LinearBackwardXArg.ENCODING, n, k));
    mayRead(LinearBackwardXArg.ACC, 4 * m * k);
    writes(LinearBackwardXArg.DX, 4 * m * k);
    takesScratch(gemmScratch());
  } else if (op === Op.LinearBackwardW) {
    const m = size(LinearBackwardWArg.M);
    const n = size(LinearBackwardWArg.N);
    const k = size(LinearBackwardWArg.K);
    reads(LinearBackwardWArg.DY, 4 * m * n);
    reads(LinearBackwardWArg.X, 4 * m * k);
    writes(LinearBackwardWArg.DW, 4 * n * k);
    takesScratch(gemmScratch());
  } else {
    const n = size(BiasBackwardArg.N);
    reads(BiasBackwardArg.DY, 4 * size(BiasBackwardArg.M) * n);
    writes(BiasBackwardArg.DB, 4 * n);
  }
}

export function ends(op: Op): void {
  if (op === Op.Pixels) {
    const b = size(PixelsArg.BATCH);
    const augment = between(PixelsArg.AUGMENT, 0, Augment.Crop + Augment.Flip + Augment.Float);
    between(PixelsArg.PAD, 0, MOST_STEP);
    reads(PixelsArg.X, b * size(PixelsArg.SH) * size(PixelsArg.SW) * (augment >= Augment.Float ? 12 : 3));
    writes(PixelsArg.Y, 12 * b * size(PixelsArg.H) * size(PixelsArg.WIDTH));
    reads(PixelsArg.TABLE, 24);
    reads(PixelsArg.SAMPLES, 4 * b);
    takesState(PixelsArg.STATE);
  } else {
    const b = size(CrossEntropyArg.BATCH);
    const n = size(CrossEntropyArg.N);
    reads(CrossEntropyArg.X, 4 * b * n);
    reads(CrossEntropyArg.LABELS, 4 * b);
    mayWrite(CrossEntropyArg.DLOGITS, 4 * b * n);
    writes(CrossEntropyArg.LOSSES, 4 * b);
    writes(CrossEntropyArg.CHOICES, 4 * b);
    takesState(CrossEntropyArg.STATE);
  }
}

export function update(op: Op): void {
  if (op === Op.SumSquares) {
    reads(SumSquaresArg.G, 4 * size(SumSquaresArg.N));
    takesState(SumSquaresArg.STATE);
  } else if (op === Op.Schedule) takesState(ScheduleArg.STATE);
  else if (op === Op.AdamW) {
    const bytes = 4 * size(AdamWArg.N);
    writes(AdamWArg.P, bytes);
    writes(AdamWArg.G, bytes);
    writes(AdamWArg.MEAN, bytes);
    writes(AdamWArg.VARIANCE, bytes);
    takesState(AdamWArg.STATE);
    between(AdamWArg.DECAY, 0, 1);
  } else {
    const bytes = 4 * size(SgdArg.N);
    writes(SgdArg.P, bytes);
    writes(SgdArg.G, bytes);
    writes(SgdArg.MOMENTUM, bytes);
    takesState(SgdArg.STATE);
    between(SgdArg.DECAY, 0, 1);
  }
}

export function init(op: Op): void {
  if (op === Op.FoldBatchNorm) {
    const o = size(FoldBatchNormArg.O);
    writes(FoldBatchNormArg.W, weightBytes(FoldBatchNormArg.ENCODING, o, size(FoldBatchNormArg.K)));
    writes(FoldBatchNormArg.B, 4 * o);
    mayRead(FoldBatchNormArg.GAMMA, 4 * o);
    mayRead(FoldBatchNormArg.BETA, 4 * o);
    mayRead(FoldBatchNormArg.MEAN, 4 * o);
    mayRead(FoldBatchNormArg.VAR, 4 * o);
    between(FoldBatchNormArg.DEPTHWISE, 0, 1);
  } else if (op === Op.ResizePositions) {
    const prefix = between(ResizePositionsArg.PREFIX, 0, MOST_PRODUCT);
    const h0 = size(ResizePositionsArg.H0);
    const w0 = size(ResizePositionsArg.W0);
    const c = size(ResizePositionsArg.C);
    reads(ResizePositionsArg.X, 4 * (prefix + h0 * w0) * c);
    writes(ResizePositionsArg.Y, 4 * (prefix + size(ResizePositionsArg.H) * size(ResizePositionsArg.WIDTH)) * c);
    between(ResizePositionsArg.ANTIALIAS, 0, 1);
    takesScratch(resizePositionsScratch(h0, w0));
  } else {
    writes(NormalArg.Y, 4 * size(NormalArg.N));
    takesState(NormalArg.STATE);
  }
}
