/** Maps of another size. */
import { between, reads, size, writes } from '../bounds.ts';

/**
 * Where pixel i of `out` lies among `size` pixels. Nearest takes pixel ⌊i·size/out⌋, NearestCentre ⌊(i+½)·size/out⌋; the others lie between two:
 * Centre at (i+½)·size/out - ½, not below 0, Corners at i·(size-1)/(out-1), Edge at i·size/out.
 */
export const enum Resizing {
  Nearest = 0,
  NearestCentre = 1,
  Centre = 2,
  Corners = 3,
  Edge = 4,
}

/** Resize: y[B,OH,OW,C] from x[B,H,W,C], by MODE, a Resizing: the pixel there or, between pixels, their means by distance. */
export const enum ResizeArg {
  X,
  Y,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  MODE,
}
export function resize(): void {
  const bc = size(ResizeArg.BATCH) * size(ResizeArg.C);
  reads(ResizeArg.X, 4 * bc * size(ResizeArg.H) * size(ResizeArg.WIDTH));
  writes(ResizeArg.Y, 4 * bc * size(ResizeArg.OH) * size(ResizeArg.OW));
  between(ResizeArg.MODE, Resizing.Nearest, Resizing.Edge);
}

/** ResizeBackward: dx[B,H,W,C], the transpose of Resize, of dy[B,OH,OW,C]. */
export const enum ResizeBackwardArg {
  DY,
  DX,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  MODE,
}
export function resizeBackward(): void {
  const bc = size(ResizeBackwardArg.BATCH) * size(ResizeBackwardArg.C);
  reads(ResizeBackwardArg.DY, 4 * bc * size(ResizeBackwardArg.OH) * size(ResizeBackwardArg.OW));
  writes(ResizeBackwardArg.DX, 4 * bc * size(ResizeBackwardArg.H) * size(ResizeBackwardArg.WIDTH));
  between(ResizeBackwardArg.MODE, Resizing.Nearest, Resizing.Edge);
}
