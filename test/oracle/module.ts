/** f64 references of what the prompt and side modules are made of. */
type Numbers = ArrayLike<number>;
const at = (a: Numbers, i: number): number => a[i] as number;

/** `p` on every one of the pictures of `x`. */
export const broadcastAdd = (x: Numbers, p: Numbers): Float64Array => Float64Array.from(x, (v, i) => v + at(p, i % p.length));

/** Positions [first, first + count) of `p`, `c` channels, each `k` neighbouring ones averaged. */
export interface ChannelPoolShape {
  batch: number;
  p: number;
  c: number;
  k: number;
  first: number;
  count: number;
}

/** Calls `visit` with every element of x that counts and the element of y that it counts for. */
function channels({ batch, p, c, k, first, count }: ChannelPoolShape, visit: (x: number, y: number) => void): void {
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < count; i++)
      for (let j = 0; j < c; j++) visit((b * p + first + i) * c + j, (b * count + i) * (c / k) + Math.floor(j / k));
}

export function channelPool(s: ChannelPoolShape, x: Numbers): Float64Array {
  const y = new Float64Array((s.batch * s.count * s.c) / s.k);
  channels(s, (from, to) => {
    y[to]! += at(x, from) / s.k;
  });
  return y;
}

export function channelPoolBackward(s: ChannelPoolShape, dy: Numbers): Float64Array {
  const dx = new Float64Array(s.batch * s.p * s.c);
  channels(s, (to, from) => {
    dx[to]! += at(dy, from) / s.k;
  });
  return dx;
}

export interface AdaptivePoolShape {
  batch: number;
  h: number;
  w: number;
  c: number;
  oh: number;
  ow: number;
}

/** Calls `visit` with every element of x, every element of y whose window holds it, and that window's pixels. */
function windows({ batch, h, w, c, oh, ow }: AdaptivePoolShape, visit: (x: number, y: number, pixels: number) => void): void {
  const window = (i: number, size: number, out: number): number[] => {
    const first = Math.floor((i * size) / out);
    return Array.from({ length: Math.ceil(((i + 1) * size) / out) - first }, (_, j) => first + j);
  };
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < oh; i++)
      for (let j = 0; j < ow; j++) {
        const [rows, columns] = [window(i, h, oh), window(j, w, ow)];
        for (const row of rows)
          for (const column of columns)
            for (let k = 0; k < c; k++)
              visit(((b * h + row) * w + column) * c + k, ((b * oh + i) * ow + j) * c + k, rows.length * columns.length);
      }
}

export function adaptivePool(s: AdaptivePoolShape, x: Numbers): Float64Array {
  const y = new Float64Array(s.batch * s.oh * s.ow * s.c);
  windows(s, (from, to, pixels) => {
    y[to]! += at(x, from) / pixels;
  });
  return y;
}

export function adaptivePoolBackward(s: AdaptivePoolShape, dy: Numbers): Float64Array {
  const dx = new Float64Array(s.batch * s.h * s.w * s.c);
  windows(s, (to, from, pixels) => {
    dx[to]! += at(dy, from) / pixels;
  });
  return dx;
}
