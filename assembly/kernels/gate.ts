import { Keep } from '../abi/keep';
import { GateArg, GateBackwardGArg } from '../abi/ops/gate';
import { Group } from '../abi/groups';
import { Status } from '../abi/status';
import { address, int } from '../engine/argument';
import { madd } from '../engine/math';
import { fail } from '../engine/status';
import { first, last, scratch } from '../engine/team';
import { decode4, decodeRow8, encode4, encodeRow8, group4RowBytes } from './quantised';

/**
 * Gate: y[B,P,C] = x[B,P,C] · g[B,C], a factor for each channel of a picture (squeeze-excite, arXiv 1709.01507). Of x its codes are kept as it
 * passes: group4 rows, or group8 in GROUPS groups a row (abi/groups.ts).
 *
 * Y may be X unless x itself is what stays; else nothing overlaps. Threads share the rows. Moves 8 bytes an element and the code.
 */
export function gate(p: usize): void {
  const c = int(p, GateArg.C);
  const positions = int(p, GateArg.P);
  const rows = int(p, GateArg.BATCH) * positions;
  const keep = int(p, GateArg.KEEP);
  const groups = int(p, GateArg.GROUPS);
  if (keep != Keep.Nothing && keep != Keep.Value && keep != Keep.Group4 && keep != Keep.Group8) return fail(Status.BadEncoding);
  const row = (<usize>c) << 2;
  const kept = address(p, GateArg.KEPT);
  for (let m = first(rows), end = last(rows); m < end; m++) {
    const x = address(p, GateArg.X) + <usize>m * row;
    if (keep == Keep.Group4) encode4(x, c, kept + <usize>m * group4RowBytes(c));
    else if (keep == Keep.Group8) encodeRow8(x, m, rows, c, groups, kept);
    multiply(x, address(p, GateArg.G) + <usize>(m / positions) * row, address(p, GateArg.Y) + <usize>m * row, row);
  }
}

/** y = a·b over `bytes`. */
function multiply(a: usize, b: usize, y: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(y + i, f32x4.mul(v128.load(a + i), v128.load(b + i)));
  for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(a + i) * load<f32>(b + i));
}

/**
 * GateBackwardG: dg[B,C] = Σ over positions of dy·x, in their order; x[B,P,C] from KEPT.
 *
 * Nothing overlaps. Threads share the groups of channels of each picture: 64 at a time, or group8's own, so that a group has one owner.
 * Scratch: 64 floats.
 */
export function gateBackwardG(p: usize): void {
  const c = int(p, GateBackwardGArg.C);
  const positions = int(p, GateBackwardGArg.P);
  const batch = int(p, GateBackwardGArg.BATCH);
  const keep = int(p, GateBackwardGArg.KEEP);
  if (keep != Keep.Value && keep != Keep.Group4 && keep != Keep.Group8) return fail(Status.BadEncoding);
  const groups = keep == Keep.Group8 ? int(p, GateBackwardGArg.GROUPS) : (c + Group.Size4 - 1) / Group.Size4;
  const width = keep == Keep.Group8 ? c / groups : Group.Size4;
  const kept = address(p, GateBackwardGArg.KEPT);
  const row = (<usize>c) << 2;
  for (let part = first(batch * groups), end = last(batch * groups); part < end; part++) {
    const picture = part / groups;
    const group = part - picture * groups;
    const from = group * width;
    const to = min(from + width, c);
    const bytes = (<usize>(to - from)) << 2;
    const dg = address(p, GateBackwardGArg.DG) + <usize>picture * row + ((<usize>from) << 2);
    memory.fill(dg, 0, bytes);
    for (let i = 0, m = picture * positions; i < positions; i++, m++) {
      let x = kept + <usize>m * row + ((<usize>from) << 2);
      if (keep == Keep.Group4) {
        decode4(kept + <usize>m * group4RowBytes(c), c, from, to, scratch);
        x = scratch;
      } else if (keep == Keep.Group8) {
        decodeRow8(kept, m, batch * positions, c, groups, group, group + 1, scratch);
        x = scratch;
      }
      addProducts(address(p, GateBackwardGArg.DY) + <usize>m * row + ((<usize>from) << 2), x, dg, bytes);
    }
  }
}

/** total += a·b over `bytes`. */
function addProducts(a: usize, b: usize, total: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(total + i, madd(v128.load(a + i), v128.load(b + i), v128.load(total + i)));
  for (; i < bytes; i += 4) store<f32>(total + i, load<f32>(total + i) + load<f32>(a + i) * load<f32>(b + i));
}
