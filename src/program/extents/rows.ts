/** Extents of the operators that work row by row, or element by element. */
import { Codebook } from '../../../assembly/abi/codebook.ts';
import {
  ActivationArg,
  ActivationBackwardArg,
  AddArg,
  BroadcastAddArg,
  DequantizeArg,
  DropArg,
  GateArg,
  GateBackwardGArg,
  GroupNormArg,
  GroupNormBackwardArg,
  GroupStatsArg,
  GroupSumsArg,
  Keep,
  Kind,
  LayerNormArg,
  LayerNormBackwardArg,
  LayerNormBackwardWArg,
  Op,
  QuantizeArg,
  SumBatchArg,
} from '../../../assembly/abi/ops.ts';
import { bit1Bytes, code4Bytes } from '../../groups.ts';
import { gateScratch, groupNormScratch, layerNormScratch } from '../../scratch.ts';
import { between, demand, groups, mayRead, reads, rowsKept, size, takesScratch, takesState, whole, writes } from './touch.ts';

const MOST_THRESHOLD = 0x10000;

/** What an activation of that kind may keep of n elements, in bytes. Piecewise linear functions have a bit, smooth ones codes. */
export function slopeBytes(kind: number, keep: number, n: number): number {
  const isLinear = kind <= Kind.HardSigmoid;
  demand(keep === Keep.Value || (isLinear ? keep === Keep.Bit1 : keep === Keep.Code4 || keep === Keep.Code8));
  return keep === Keep.Bit1 ? bit1Bytes(n) : keep === Keep.Code4 ? code4Bytes(n) : keep === Keep.Code8 ? n : 4 * n;
}

export function elementwise(op: Op): void {
  if (op === Op.Activation) {
    const n = size(ActivationArg.N);
    const kind = between(ActivationArg.KIND, Kind.Relu, Kind.GeluTanh);
    const keep = whole(ActivationArg.KEEP);
    reads(ActivationArg.X, 4 * n);
    writes(ActivationArg.Y, 4 * n);
    if (keep !== Keep.Nothing) {
      const bytes = slopeBytes(kind, keep, n);
      // Where the input itself is what stays, nothing is written.
      if (keep !== Keep.Value) writes(ActivationArg.KEPT, bytes);
    }
    if (keep === Keep.Code4) reads(ActivationArg.TABLE, Codebook.Bytes);
  } else if (op === Op.ActivationBackward) {
    const n = size(ActivationBackwardArg.N);
    const kind = between(ActivationBackwardArg.KIND, Kind.Relu, Kind.GeluTanh);
    const keep = whole(ActivationBackwardArg.KEEP);
    reads(ActivationBackwardArg.KEPT, slopeBytes(kind, keep, n));
    reads(ActivationBackwardArg.DY, 4 * n);
    writes(ActivationBackwardArg.DX, 4 * n);
    if (keep === Keep.Code4) reads(ActivationBackwardArg.TABLE, Codebook.Bytes);
  } else if (op === Op.Add) {
    const n = size(AddArg.N);
    reads(AddArg.A, 4 * n);
    reads(AddArg.B, 4 * n);
    writes(AddArg.Y, 4 * n);
  } else if (op === Op.BroadcastAdd) {
    const n = size(BroadcastAddArg.N);
    const b = size(BroadcastAddArg.BATCH);
    reads(BroadcastAddArg.X, 4 * b * n);
    reads(BroadcastAddArg.P, 4 * n);
    writes(BroadcastAddArg.Y, 4 * b * n);
  } else if (op === Op.SumBatch) {
    const n = size(SumBatchArg.N);
    reads(SumBatchArg.X, 4 * size(SumBatchArg.BATCH) * n);
    writes(SumBatchArg.Y, 4 * n);
  } else {
    const n = size(DropArg.N);
    const b = size(DropArg.BATCH);
    between(DropArg.THRESHOLD, 0, MOST_THRESHOLD);
    between(DropArg.PATH, 0, 1);
    reads(DropArg.X, 4 * b * n);
    writes(DropArg.Y, 4 * b * n);
    reads(DropArg.SAMPLES, 4 * b);
    takesState(DropArg.STATE);
  }
}

export function layerNorm(op: Op): void {
  if (op === Op.LayerNorm) {
    const m = size(LayerNormArg.M);
    const c = size(LayerNormArg.C);
    const keep = whole(LayerNormArg.KEEP);
    reads(LayerNormArg.X, 4 * m * c);
    reads(LayerNormArg.GAMMA, 4 * c);
    reads(LayerNormArg.BETA, 4 * c);
    writes(LayerNormArg.Y, 4 * m * c);
    if (keep !== Keep.Nothing) {
      writes(LayerNormArg.XHAT, rowsKept(keep, m, c, LayerNormArg.GROUPS));
      writes(LayerNormArg.RSTD, 4 * m);
    }
    if (keep === Keep.Group8) takesScratch(layerNormScratch(c));
  } else if (op === Op.LayerNormBackward) {
    const m = size(LayerNormBackwardArg.M);
    const c = size(LayerNormBackwardArg.C);
    reads(LayerNormBackwardArg.XHAT, rowsKept(whole(LayerNormBackwardArg.KEEP), m, c, LayerNormBackwardArg.GROUPS));
    reads(LayerNormBackwardArg.RSTD, 4 * m);
    reads(LayerNormBackwardArg.GAMMA, 4 * c);
    reads(LayerNormBackwardArg.DY, 4 * m * c);
    mayRead(LayerNormBackwardArg.ACC, 4 * m * c);
    writes(LayerNormBackwardArg.DX, 4 * m * c);
    takesScratch(layerNormScratch(c));
  } else {
    const m = size(LayerNormBackwardWArg.M);
    const c = size(LayerNormBackwardWArg.C);
    reads(LayerNormBackwardWArg.XHAT, rowsKept(whole(LayerNormBackwardWArg.KEEP), m, c, LayerNormBackwardWArg.GROUPS));
    reads(LayerNormBackwardWArg.DY, 4 * m * c);
    writes(LayerNormBackwardWArg.DGAMMA, 4 * c);
    takesScratch(layerNormScratch(c));
  }
}

export function groupNorm(op: Op): void {
  if (op === Op.GroupStats) {
    const b = size(GroupStatsArg.BATCH);
    const c = size(GroupStatsArg.C);
    reads(GroupStatsArg.X, 4 * b * size(GroupStatsArg.P) * c);
    writes(GroupStatsArg.STATS, 8 * b * groups(GroupStatsArg.GROUPS, c));
  } else if (op === Op.GroupNorm) {
    const b = size(GroupNormArg.BATCH);
    const c = size(GroupNormArg.C);
    const rows = b * size(GroupNormArg.P);
    const keep = whole(GroupNormArg.KEEP);
    reads(GroupNormArg.X, 4 * rows * c);
    reads(GroupNormArg.STATS, 8 * b * groups(GroupNormArg.GROUPS, c));
    reads(GroupNormArg.GAMMA, 4 * c);
    reads(GroupNormArg.BETA, 4 * c);
    writes(GroupNormArg.Y, 4 * rows * c);
    if (keep !== Keep.Nothing) writes(GroupNormArg.XHAT, rowsKept(keep, rows, c, GroupNormArg.CODES));
    takesScratch(groupNormScratch(c));
  } else if (op === Op.GroupSums) {
    const b = size(GroupSumsArg.BATCH);
    const c = size(GroupSumsArg.C);
    const rows = b * size(GroupSumsArg.P);
    reads(GroupSumsArg.DY, 4 * rows * c);
    reads(GroupSumsArg.XHAT, rowsKept(whole(GroupSumsArg.KEEP), rows, c, GroupSumsArg.CODES));
    writes(GroupSumsArg.SUMS, 4 * b * c);
    writes(GroupSumsArg.PRODUCTS, 4 * b * c);
    takesScratch(groupNormScratch(c));
  } else {
    const b = size(GroupNormBackwardArg.BATCH);
    const c = size(GroupNormBackwardArg.C);
    const rows = b * size(GroupNormBackwardArg.P);
    reads(GroupNormBackwardArg.DY, 4 * rows * c);
    reads(GroupNormBackwardArg.XHAT, rowsKept(whole(GroupNormBackwardArg.KEEP), rows, c, GroupNormBackwardArg.CODES));
    reads(GroupNormBackwardArg.STATS, 8 * b * groups(GroupNormBackwardArg.GROUPS, c));
    reads(GroupNormBackwardArg.GAMMA, 4 * c);
    reads(GroupNormBackwardArg.SUMS, 4 * b * c);
    reads(GroupNormBackwardArg.PRODUCTS, 4 * b * c);
    writes(GroupNormBackwardArg.DX, 4 * rows * c);
    takesScratch(groupNormScratch(c));
  }
}

export function gate(op: Op): void {
  if (op === Op.Gate) {
    const b = size(GateArg.BATCH);
    const c = size(GateArg.C);
    const rows = b * size(GateArg.P);
    const keep = whole(GateArg.KEEP);
    reads(GateArg.X, 4 * rows * c);
    reads(GateArg.G, 4 * b * c);
    writes(GateArg.Y, 4 * rows * c);
    if (keep !== Keep.Nothing) {
      const bytes = rowsKept(keep, rows, c, GateArg.GROUPS);
      // As in activations.
      if (keep !== Keep.Value) writes(GateArg.KEPT, bytes);
    }
  } else {
    const b = size(GateBackwardGArg.BATCH);
    const c = size(GateBackwardGArg.C);
    const rows = b * size(GateBackwardGArg.P);
    const keep = whole(GateBackwardGArg.KEEP);
    reads(GateBackwardGArg.DY, 4 * rows * c);
    reads(GateBackwardGArg.KEPT, rowsKept(keep, rows, c, GateBackwardGArg.GROUPS));
    writes(GateBackwardGArg.DG, 4 * b * c);
    takesScratch(gateScratch());
    // One decoded group: the compiler's are of 64 channels at most.
    if (keep === Keep.Group8) takesScratch((4 * c) / whole(GateBackwardGArg.GROUPS));
  }
}

export function quantize(op: Op): void {
  const at: i32 = op === Op.Quantize ? QuantizeArg.ROWS : DequantizeArg.ROWS;
  const rows = size(at);
  const c = size(at + 1);
  const bits = whole(at + 3);
  demand(bits === 4 || bits === 8);
  const copy = rowsKept(bits === 4 ? Keep.Group4 : Keep.Group8, rows, c, at + 2);
  if (op === Op.Quantize) {
    reads(QuantizeArg.X, 4 * rows * c);
    writes(QuantizeArg.Y, copy);
  } else {
    reads(DequantizeArg.X, copy);
    writes(DequantizeArg.Y, 4 * rows * c);
  }
}
