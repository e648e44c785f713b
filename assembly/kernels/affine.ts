import { AffineArg, BatchNormTermsArg } from '../abi/ops/affine';
import { address, float, int } from '../engine/argument';
import { madd } from '../engine/math';
import { first, last } from '../engine/team';

/**
 * Affine: y[M,C] = x[M,C]·scale[C] + shift[C]: a batch norm whose statistics stand, a layer scale, a bias alone. SCALE or SHIFT may be 0.
 *
 * Y may be X; nothing else overlaps. Threads share the rows. Moves 8 bytes an element.
 */
export function affine(p: usize): void {
  const c = int(p, AffineArg.C);
  const row = (<usize>c) << 2;
  const scale = address(p, AffineArg.SCALE);
  const shift = address(p, AffineArg.SHIFT);
  const begin = first(int(p, AffineArg.M));
  let x = address(p, AffineArg.X) + <usize>begin * row;
  let y = address(p, AffineArg.Y) + <usize>begin * row;
  for (let m = begin, end = last(int(p, AffineArg.M)); m < end; m++) {
    affineRow(x, scale, shift, y, row);
    x += row;
    y += row;
  }
}

function affineRow(x: usize, scale: usize, shift: usize, y: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const v = v128.load(x + i);
    const b = shift == 0 ? f32x4.splat(0) : v128.load(shift + i);
    v128.store(y + i, scale == 0 ? f32x4.add(v, b) : shift == 0 ? f32x4.mul(v, v128.load(scale + i)) : madd(v, v128.load(scale + i), b));
  }
  for (; i < bytes; i += 4) {
    let v = load<f32>(x + i);
    if (scale != 0) v *= load<f32>(scale + i);
    if (shift != 0) v += load<f32>(shift + i);
    store<f32>(y + i, v);
  }
}

/**
 * BatchNormTerms: a batch norm with frozen statistics as Affine's factor and number, in f64, rounded once: scale = gamma/√(var + EPS),
 * shift = beta - mean·scale. Nothing overlaps. Threads share the channels. Once, before the first step.
 */
export function batchNormTerms(p: usize): void {
  const c = int(p, BatchNormTermsArg.C);
  const gamma = address(p, BatchNormTermsArg.GAMMA);
  const beta = address(p, BatchNormTermsArg.BETA);
  for (let i = first(c), end = last(c); i < end; i++) {
    const at = (<usize>i) << 2;
    const factor: f64 = gamma == 0 ? 1 : load<f32>(gamma + at);
    const scale = factor / sqrt<f64>(<f64>load<f32>(address(p, BatchNormTermsArg.VAR) + at) + <f64>float(p, BatchNormTermsArg.EPS));
    const offset: f64 = beta == 0 ? 0 : load<f32>(beta + at);
    store<f32>(address(p, BatchNormTermsArg.SCALE) + at, <f32>scale);
    store<f32>(address(p, BatchNormTermsArg.SHIFT) + at, <f32>(offset - <f64>load<f32>(address(p, BatchNormTermsArg.MEAN) + at) * scale));
  }
}
