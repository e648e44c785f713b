/** Windows of a map. */
import { between, reads, size, writes } from '../bounds.ts';

/** Bytes of the map, and of its windows. */
let map: number = 0;
let cut: number = 0;

/** The sizes, from BATCH to MERGE. */
function windows(at: i32): void {
  const b = size(at);
  const c = size(at + 3);
  map = 4 * b * size(at + 1) * size(at + 2) * c;
  cut = 4 * b * size(at + 4) * size(at + 5) * size(at + 6) * size(at + 7) * c;
  between(at + 8, 0, size(at + 10));
  between(at + 9, 0, size(at + 11));
  between(at + 12, 0, 1);
}

/**
 * WindowPartition: y[B·ROWS·COLUMNS, WH·WW, C], the windows of x[B,H,W,C] (rolled by SY, SX), row by row. Position (py, px) of the ROWS·WH ×
 * COLUMNS·WW map that they cover is x at ((py+SY) mod MODH, (px+SX) mod MODW); zero where py ≥ MODH, px ≥ MODW or that lies outside of x.
 * So MODH = H rolls before padding, MODH = ROWS·WH after. MERGE = 1: positions of a window stand column by column (Swin's patch merging).
 */
export const enum WindowPartitionArg {
  X,
  Y,
  BATCH,
  H,
  WIDTH,
  C,
  WH,
  WW,
  ROWS,
  COLUMNS,
  SY,
  SX,
  MODH,
  MODW,
  MERGE,
}
export function windowPartition(): void {
  windows(WindowPartitionArg.BATCH);
  reads(WindowPartitionArg.X, map);
  writes(WindowPartitionArg.Y, cut);
}

/** WindowReverse: y[B,H,W,C] from windows x: each position back to where it was, padding dropped. The transpose of WindowPartition. */
export const enum WindowReverseArg {
  X,
  Y,
  BATCH,
  H,
  WIDTH,
  C,
  WH,
  WW,
  ROWS,
  COLUMNS,
  SY,
  SX,
  MODH,
  MODW,
  MERGE,
}
export function windowReverse(): void {
  windows(WindowReverseArg.BATCH);
  reads(WindowReverseArg.X, cut);
  writes(WindowReverseArg.Y, map);
}
