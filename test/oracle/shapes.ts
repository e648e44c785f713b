/** Affine maps, window means, parts of an axis, in f64 by their definitions. */
type Numbers = ArrayLike<number>;

/** x[…,C]·scale[C] + shift[C]; either may be absent. */
export function affine(x: Numbers, scale: Numbers | null, shift: Numbers | null, c: number): Float64Array {
  return Float64Array.from(x, (v, i) => v * (scale?.[i % c] ?? 1) + (shift?.[i % c] ?? 0));
}

/** Sums of a·b over all but the last axis. */
export function channelSums(a: Numbers, b: Numbers | null, c: number): Float64Array {
  const sums = new Float64Array(c);
  for (let i = 0; i < a.length; i++) sums[i % c]! += a[i]! * (b?.[i] ?? 1);
  return sums;
}

export interface Means {
  batch: number;
  h: number;
  width: number;
  c: number;
  oh: number;
  ow: number;
  r: number;
  s: number;
  stepY: number;
  stepX: number;
  top: number;
  left: number;
  bottom: number;
  right: number;
  padded: number;
}

/** Calls visit(x index, y index, factor) for every pixel of every window. */
function windows(a: Means, visit: (x: number, y: number, factor: number) => void): void {
  for (let b = 0; b < a.batch; b++)
    for (let i = 0; i < a.oh; i++)
      for (let j = 0; j < a.ow; j++) {
        const [inside, counted]: [[number, number][], number] = [[], 0];
        let n = counted;
        for (let r = 0; r < a.r; r++)
          for (let s = 0; s < a.s; s++) {
            const [h, w] = [i * a.stepY + r - a.top, j * a.stepX + s - a.left];
            const isInside = h >= 0 && h < a.h && w >= 0 && w < a.width;
            if (isInside) inside.push([h, w]);
            if (isInside || (a.padded && h >= -a.top && h < a.h + a.bottom && w >= -a.left && w < a.width + a.right)) n++;
          }
        for (const [h, w] of inside)
          for (let c = 0; c < a.c; c++) visit(((b * a.h + h) * a.width + w) * a.c + c, ((b * a.oh + i) * a.ow + j) * a.c + c, 1 / n);
      }
}

export function averagePool(a: Means, x: Numbers): Float64Array {
  const y = new Float64Array(a.batch * a.oh * a.ow * a.c);
  windows(a, (i, k, factor) => {
    y[k]! += x[i]! * factor;
  });
  return y;
}

export function averagePoolBackward(a: Means, dy: Numbers): Float64Array {
  const dx = new Float64Array(a.batch * a.h * a.width * a.c);
  windows(a, (i, k, factor) => {
    dx[i]! += dy[k]! * factor;
  });
  return dx;
}

const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Values next to each other along an axis. */
export function concat(parts: readonly Numbers[], shapes: readonly (readonly number[])[], axis: number): Float64Array {
  const outer = size(shapes[0]!.slice(0, axis));
  const rows = shapes.map((shape) => size(shape.slice(axis)));
  return Float64Array.from(
    Array.from({ length: outer }, (_, o) => parts.flatMap((part, i) => Array.from(part).slice(o * rows[i]!, (o + 1) * rows[i]!))).flat(),
  );
}

/** `count` of x from `from` on along an axis. */
export function slice(x: Numbers, shape: readonly number[], axis: number, from: number, count: number): Float64Array {
  const inner = size(shape.slice(axis + 1));
  const row = shape[axis]! * inner;
  return Float64Array.from(
    Array.from({ length: x.length / row }, (_, o) => Array.from(x).slice(o * row + from * inner, o * row + (from + count) * inner)).flat(),
  );
}
