/** Windows in f64, step by step as Swin's own description: pad, roll, cut (or roll, pad, cut). */
import type { Windows } from '../../src/ops/window.ts';

type Numbers = ArrayLike<number>;

/** For each element of the windows the element of x [B,h,w,c] that it is, or -1: zero. */
function origins(batch: number, size: Windows): Int32Array {
  const { h, w, c, wh, ww, rows, columns, sy, sx, modh, modw, merge } = size;
  const [height, width] = [rows * wh, columns * ww];
  const padFirst = modh === height && modw === width;
  const out = new Int32Array(batch * height * width * c);
  let at = 0;
  for (let b = 0; b < batch; b++) {
    const pad = (map: number[][], to: readonly [number, number]): number[][] =>
      Array.from({ length: to[0] }, (_, y) => Array.from({ length: to[1] }, (_, x) => map[y]?.[x] ?? -1));
    const roll = (map: number[][]): number[][] =>
      map.map((_, y) => map[(y + sy) % map.length]!.map((_, x, line) => map[(y + sy) % map.length]![(x + sx) % line.length]!));
    const map = Array.from({ length: h }, (_, y) => Array.from({ length: w }, (_, x) => (b * h + y) * w + x));
    const whole = padFirst ? roll(pad(map, [height, width])) : pad(roll(map), [height, width]);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        for (let i = 0; i < wh * ww; i++) {
          const [iy, ix] = merge ? [i % wh, Math.floor(i / wh)] : [Math.floor(i / ww), i % ww];
          const pixel = whole[row * wh + iy]![column * ww + ix]!;
          for (let k = 0; k < c; k++) out[at++] = pixel < 0 ? -1 : pixel * c + k;
        }
  }
  return out;
}

export function partition(x: Numbers, batch: number, size: Windows): Float64Array {
  return Float64Array.from(origins(batch, size), (from) => (from < 0 ? 0 : x[from]!));
}

export function reverse(x: Numbers, batch: number, size: Windows): Float64Array {
  const y = new Float64Array(batch * size.h * size.w * size.c);
  origins(batch, size).forEach((to, i) => {
    if (to >= 0) y[to] = x[i]!;
  });
  return y;
}
