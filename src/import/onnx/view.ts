/**
 * What an ONNX value is here: a view of a value of ours. The file's Reshape and Transpose move no bytes: a value of ours has its own axes, in
 * the order in which they lie (channels last), and a view says which of them each axis of the ONNX value is made of. [1, C, H, W] of a
 * convolution is (,c)(h)(w) over a value that lies h, w, c; after Reshape and Transpose to [1, H·W, C] it is ()(h w)(c) over the same bytes.
 * A picture is one of a batch: the axis of pictures lies before all others and is none of them.
 */

export interface View {
  kind: 'view';
  /** The value of ours. */
  value: number;
  /** Sizes of its axes as they lie, none of them 1; together they are the value. */
  axes: readonly number[];
  /** For each axis of the ONNX value the axes (positions in `axes`) that it is made of, outermost first. */
  dims: readonly (readonly number[])[];
  /** The file repeats it along axes of one: only what broadcasts anyway may read it. */
  repeated?: true;
}

export const sizeOf = ({ axes }: Pick<View, 'axes'>, dim: readonly number[]): number => dim.reduce((n, i) => n * axes[i]!, 1);
export const shapeOfView = (v: View): number[] => v.dims.map((dim) => sizeOf(v, dim));

/** A whole value as it lies. */
export function plainView(value: number, shape: readonly number[]): View {
  const axes = shape.filter((d) => d !== 1);
  let next = 0;
  return { kind: 'view', value, axes, dims: shape.map((d) => (d === 1 ? [] : [next++])) };
}

/** A value that lies as [H, W, C] and that the file sees as [1, C, H, W]. */
export function channelsFirst(value: number, [h, w, c]: readonly [number, number, number]): View {
  const plain = plainView(value, [h, w, c]);
  return { ...plain, dims: [[], plain.dims[2]!, plain.dims[0]!, plain.dims[1]!] };
}

/** Divides axis `i` into `parts`, outermost first. */
function divided(v: View, i: number, parts: readonly number[]): View {
  const grown = parts.length - 1;
  const moved = (j: number): number[] => (j < i ? [j] : j > i ? [j + grown] : parts.map((_, k) => i + k));
  return { ...v, axes: [...v.axes.slice(0, i), ...parts, ...v.axes.slice(i + 1)], dims: v.dims.map((dim) => dim.flatMap(moved)) };
}

/** The view in another shape of as many elements; undefined where an axis of it is no product of whole factors of ours. */
export function reshapeView(view: View, shape: readonly number[]): View | undefined {
  let v: View = { ...view, dims: [view.dims.flat()] };
  const dims: number[][] = [];
  let at = 0;
  for (const size of shape) {
    const dim: number[] = [];
    let left = size;
    while (left > 1) {
      const axis = v.dims[0]![at];
      if (axis === undefined) return undefined;
      const own = v.axes[axis]!;
      if (own > left) {
        if (own % left !== 0) return undefined;
        v = divided(v, axis, [left, own / left]);
        for (const d of dims) for (let k = 0; k < d.length; k++) if (d[k]! > axis) d[k]! += 1;
        for (let k = 0; k < dim.length; k++) if (dim[k]! > axis) dim[k]! += 1;
      } else if (left % own !== 0) return undefined;
      const taken = v.dims[0]![at++]!;
      dim.push(taken);
      left /= v.axes[taken]!;
    }
    dims.push(dim);
  }
  return at === v.dims[0]!.length ? { ...v, dims } : undefined;
}

export const transposeView = (v: View, perm: readonly number[]): View => ({ ...v, dims: perm.map((i) => v.dims[i]!) });

/** Do the bytes lie in the order in which these axes stand? */
export const liesAs = (order: readonly number[]): boolean => order.every((axis, i) => axis === i);
export const liesPlainly = (v: View): boolean => liesAs(v.dims.flat());

/** Neighbours that no dim of any of the views tells apart become one axis; the order stays. */
export function merged(v: View): View {
  const flat = v.dims;
  const keeps = v.axes.map((_, i) => i === 0 || !flat.some((dim) => dim.some((a, k) => a === i && k > 0 && dim[k - 1] === i - 1)));
  const target: number[] = [];
  let next = -1;
  for (const keep of keeps) target.push(keep ? ++next : next);
  const axes = new Array<number>(next + 1).fill(1);
  v.axes.forEach((size, i) => {
    axes[target[i]!]! *= size;
  });
  return { ...v, axes, dims: v.dims.map((dim) => dim.filter((a) => keeps[a]).map((a) => target[a]!)) };
}

/** Two views cut into the same factors, so that their dims can be held against each other; undefined where their shapes differ. */
export function alike(a: View, b: View): { a: View; b: View } | undefined {
  if (a.dims.length !== b.dims.length) return undefined;
  let [x, y] = [a, b];
  for (let d = 0; d < a.dims.length; d++) {
    for (let k = 0; ; k++) {
      const [i, j] = [x.dims[d]![k], y.dims[d]![k]];
      if (i === undefined && j === undefined) break;
      if (i === undefined || j === undefined) return undefined;
      const [m, n] = [x.axes[i]!, y.axes[j]!];
      if (m === n) continue;
      if (m > n && m % n === 0) x = divided(x, i, [n, m / n]);
      else if (n > m && n % m === 0) y = divided(y, j, [m, n / m]);
      else return undefined;
    }
  }
  return { a: x, b: y };
}

/** Where each axis of `v`, as it lies, goes in `order` (the axes that lie in `v`, in another order). */
export const rebased = (v: View, value: number, order: readonly number[]): View => ({
  kind: 'view',
  value,
  axes: order.map((i) => v.axes[i]!),
  dims: v.dims.map((dim) => dim.map((i) => order.indexOf(i))),
});
