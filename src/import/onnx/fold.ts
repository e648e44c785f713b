/** Operators whose operands are all known: shapes' arithmetic, and tables that an exporter left to be computed. */
import { elements } from '../../base/tensor.ts';
import { axesOf, axisOf, type Call, intsOf, reshapeTo, sliceRanges, splitSizes } from './call.ts';
import { broadcast, type Constant, constant, expanded, listOf, picked, reshaped, strides, transposed, walk } from './constant.ts';

type Fold = (call: Call<Constant>) => Constant[];
type Unary = (x: number) => number;
type Binary = (x: number, y: number) => number;

const unary =
  (f: Unary): Fold =>
  ({ at }) => {
    const x = at(0);
    return [constant(x.shape, x.integer, () => x.numbers().map(f))];
  };

const binary =
  (f: (isInteger: boolean) => Binary, isTruth = false): Fold =>
  ({ at, fault }) => {
    const [a, b] = [at(0), at(1)];
    const shape = broadcast(a.shape, b.shape);
    if (shape === undefined) throw fault('operands do not fit each other', `[${a.shape}] and [${b.shape}]`);
    const isInteger = a.integer && b.integer;
    const g = f(isInteger);
    return [
      constant(shape, isTruth || isInteger, () => {
        const [x, y] = [expanded(a, shape).numbers(), expanded(b, shape).numbers()];
        return x.map((v, i) => g(v, y[i]!));
      }),
    ];
  };

const same =
  (f: Binary): ((isInteger: boolean) => Binary) =>
  () =>
    f;

const reduce =
  (f: Binary, start: number | undefined, isMean = false): Fold =>
  (call) => {
    const x = call.at(0);
    const rank = x.shape.length;
    const axes = axesOf(call, rank) ?? [...x.shape.keys()];
    const keep = call.int('keepdims', 1) !== 0;
    const kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d));
    const steps = strides(kept).map((s, i) => (axes.includes(i) ? 0 : s));
    const shape = keep ? kept : x.shape.filter((_, i) => !axes.includes(i));
    return [
      constant(shape, x.integer, () => {
        const [numbers, to] = [x.numbers(), walk(x.shape, steps)];
        const out = new Float64Array(elements(kept)).fill(start ?? Number.NaN);
        numbers.forEach((v, i) => {
          const at = to[i]!;
          out[at] = Number.isNaN(out[at]!) ? v : f(out[at]!, v);
        });
        return isMean ? out.map((v) => (v * out.length) / numbers.length) : out;
      }),
    ];
  };

/** Division of whole numbers rounds towards zero. */
const divide = (isInteger: boolean): Binary => (isInteger ? (a, b) => Math.trunc(a / b) : (a, b) => a / b);

function gather(call: Call<Constant>): Constant[] {
  const [x, index] = [call.at(0), call.at(1)];
  const axis = axisOf(call, call.int('axis', 0), x.shape.length);
  const size = x.shape[axis]!;
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  return [
    constant([...before, ...index.shape, ...after], x.integer, () => {
      const [numbers, indices] = [x.numbers(), index.numbers()];
      const [outer, inner] = [elements(before), elements(after)];
      const out = new Float64Array(outer * indices.length * inner);
      let to = 0;
      for (let o = 0; o < outer; o++)
        for (const i of indices) {
          const at = i < 0 ? i + size : i;
          if (!(at >= 0 && at < size)) throw call.fault('an index lies outside its axis', `${i} of ${size}`);
          for (let j = 0; j < inner; j++) out[to++] = numbers[(o * size + at) * inner + j]!;
        }
      return out;
    }),
  ];
}

function concat(call: Call<Constant>): Constant[] {
  const parts = call.inputs.map((_, i) => call.at(i));
  const axis = axisOf(call, call.int('axis', 0), parts[0]!.shape.length);
  const length = parts.reduce((n, p) => n + p.shape[axis]!, 0);
  const shape = parts[0]!.shape.map((d, i) => (i === axis ? length : d));
  return [
    constant(
      shape,
      parts.every((p) => p.integer),
      () => {
        const outer = elements(shape.slice(0, axis));
        const numbers = parts.map((p) => p.numbers());
        const out = new Float64Array(elements(shape));
        let to = 0;
        for (let o = 0; o < outer; o++)
          for (const list of numbers) {
            const n = list.length / outer;
            out.set(list.subarray(o * n, (o + 1) * n), to);
            to += n;
          }
        return out;
      },
    ),
  ];
}

function slice(call: Call<Constant>): Constant[] {
  const x = call.at(0);
  const own = strides(x.shape);
  const shape = [...x.shape];
  const steps = [...own];
  let start = 0;
  for (const { axis, from, count, step } of sliceRanges(call, x.shape)) {
    shape[axis] = count;
    steps[axis] = own[axis]! * step;
    start += own[axis]! * from;
  }
  return [picked(x, shape, steps, start)];
}

function split(call: Call<Constant>): Constant[] {
  const x = call.at(0);
  const axis = axisOf(call, call.int('axis', 0), x.shape.length);
  const own = strides(x.shape);
  let start = 0;
  return splitSizes(call, x.shape[axis]!).map((size) => {
    const part = picked(
      x,
      x.shape.map((d, i) => (i === axis ? size : d)),
      own,
      start * own[axis]!,
    );
    start += size;
    return part;
  });
}

function range({ at, fault }: Call<Constant>): Constant[] {
  const [start, end, step] = [0, 1, 2].map((i) => at(i).numbers()[0]!) as [number, number, number];
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (!(count <= 1 << 20)) throw fault('too long a range', `${start} to ${end} by ${step}`);
  return [constant([count], at(0).integer, () => Float64Array.from({ length: count }, (_, i) => start + i * step))];
}

function pad(call: Call<Constant>): Constant[] {
  const x = call.at(0);
  const rank = x.shape.length;
  if (call.text('mode', 'constant') !== 'constant')
    throw call.fault('pads a constant by another rule than a constant', call.text('mode', ''));
  const pads = intsOf(call, 1, 'pads') ?? [];
  const value = call.has(2) ? call.at(2).numbers()[0]! : 0;
  const shape = x.shape.map((d, i) => d + pads[i]! + pads[i + rank]!);
  if (pads.some((p) => p < 0)) throw call.fault('pads by less than nothing', `[${pads}]`);
  return [
    constant(shape, x.integer, () => {
      const own = strides(shape);
      const out = new Float64Array(elements(shape)).fill(value);
      const to = walk(
        x.shape,
        own,
        own.reduce((n, s, i) => n + s * pads[i]!, 0),
      );
      x.numbers().forEach((v, i) => {
        out[to[i]!] = v;
      });
      return out;
    }),
  ];
}

function scatterNd(call: Call<Constant>): Constant[] {
  const [x, index, updates] = [call.at(0), call.at(1), call.at(2)];
  const depth = index.shape.at(-1)!;
  return [
    constant(x.shape, x.integer, () => {
      const [out, indices, values] = [Float64Array.from(x.numbers()), index.numbers(), updates.numbers()];
      const own = strides(x.shape);
      const inner = elements(x.shape.slice(depth));
      for (let i = 0; i * depth < indices.length; i++) {
        let at = 0;
        for (let d = 0; d < depth; d++) {
          const k = indices[i * depth + d]!;
          at += own[d]! * (k < 0 ? k + x.shape[d]! : k);
        }
        for (let j = 0; j < inner; j++) out[at + j] = values[i * inner + j]!;
      }
      return out;
    }),
  ];
}

function matMul(call: Call<Constant>): Constant[] {
  const [a, b] = [call.at(0), call.at(1)];
  if (a.shape.length < 2 || b.shape.length !== 2) throw call.fault('multiplies constants of such shapes', `[${a.shape}] and [${b.shape}]`);
  const [k, n] = b.shape as [number, number];
  const shape = [...a.shape.slice(0, -1), n];
  return [
    constant(shape, false, () => {
      const [x, y] = [a.numbers(), b.numbers()];
      const out = new Float64Array(elements(shape));
      for (let i = 0; i < out.length / n; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let c = 0; c < k; c++) sum += x[i * k + c]! * y[c * n + j]!;
          out[i * n + j] = sum;
        }
      return out;
    }),
  ];
}

const truth = (f: Binary): Fold => binary(same(f), true);

/** Each operator that can be folded. */
export const FOLDS: Readonly<Record<string, Fold>> = {
  Identity: ({ at }) => [at(0)],
  Dropout: ({ at }) => [at(0)],
  Cast: (call) => {
    const x = call.at(0);
    const to = call.int('to', 1);
    const isInteger = ![1, 10, 11, 16].includes(to);
    if (isInteger === x.integer) return [to === 9 ? constant(x.shape, true, () => x.numbers().map((v) => (v === 0 ? 0 : 1))) : x];
    return [
      constant(x.shape, isInteger, () => (isInteger ? x.numbers().map((v) => (to === 9 ? Number(v !== 0) : Math.trunc(v))) : x.numbers())),
    ];
  },
  CastLike: ({ at }) => [constant(at(0).shape, at(1).integer, () => at(0).numbers())],
  Shape: (call) => [listOf(shapeRange(call, call.at(0).shape))],
  Size: ({ at }) => [listOf([elements(at(0).shape)], [])],
  Reshape: (call) => [reshaped(call.at(0), reshapeTo(call, call.at(0).shape))],
  Flatten: (call) => {
    const { shape } = call.at(0);
    const axis = call.int('axis', 1);
    const at = axis < 0 ? axis + shape.length : axis;
    return [reshaped(call.at(0), [elements(shape.slice(0, at)), elements(shape.slice(at))])];
  },
  Squeeze: (call) => {
    const { shape } = call.at(0);
    const axes = axesOf(call, shape.length) ?? [...shape.keys()].filter((i) => shape[i] === 1);
    return [
      reshaped(
        call.at(0),
        shape.filter((_, i) => !axes.includes(i)),
      ),
    ];
  },
  Unsqueeze: (call) => [reshaped(call.at(0), unsqueezed(call, call.at(0).shape))],
  Transpose: (call) => {
    const x = call.at(0);
    return [transposed(x, call.ints('perm') ?? [...x.shape.keys()].reverse())];
  },
  Concat: concat,
  Slice: slice,
  Split: split,
  Gather: gather,
  Range: range,
  Pad: pad,
  ScatterND: scatterNd,
  MatMul: matMul,
  Expand: (call) => {
    const x = call.at(0);
    const shape = broadcast(x.shape, intsOf(call, 1) ?? []);
    if (shape === undefined) throw call.fault('does not fit the shape that it is to have', `[${x.shape}]`);
    return [expanded(x, shape)];
  },
  Tile: (call) => {
    const x = call.at(0);
    const repeats = intsOf(call, 1) ?? [];
    const own = strides(x.shape);
    const shape = x.shape.flatMap((d, i) => [repeats[i]!, d]);
    return [
      reshaped(
        picked(
          x,
          shape,
          own.flatMap((s) => [0, s]),
        ),
        x.shape.map((d, i) => d * repeats[i]!),
      ),
    ];
  },
  ConstantOfShape: (call) => {
    const value = call.tensor('value');
    return [
      constant(intsOf(call, 0) ?? [], value?.integer ?? false, () =>
        new Float64Array(elements(intsOf(call, 0) ?? [])).fill(value?.numbers()[0] ?? 0),
      ),
    ];
  },
  Where: (call) => {
    const [c, a, b] = [call.at(0), call.at(1), call.at(2)];
    const shape = broadcast(c.shape, broadcast(a.shape, b.shape) ?? []);
    if (shape === undefined) throw call.fault('operands do not fit each other', `[${a.shape}] and [${b.shape}]`);
    return [
      constant(shape, a.integer && b.integer, () => {
        const [t, x, y] = [c, a, b].map((v) => expanded(v, shape).numbers()) as [Float64Array, Float64Array, Float64Array];
        return t.map((v, i) => (v !== 0 ? x[i]! : y[i]!));
      }),
    ];
  },
  Trilu: (call) => {
    const x = call.at(0);
    const [rows, columns] = x.shape.slice(-2) as [number, number];
    const k = call.has(1) ? call.at(1).numbers()[0]! : 0;
    const isUpper = call.int('upper', 1) !== 0;
    return [
      constant(x.shape, x.integer, () =>
        x.numbers().map((v, i) => {
          const [r, c] = [Math.floor(i / columns) % rows, i % columns];
          return (isUpper ? c - r >= k : c - r <= k) ? v : 0;
        }),
      ),
    ];
  },
  Add: binary(same((a, b) => a + b)),
  Sub: binary(same((a, b) => a - b)),
  Mul: binary(same((a, b) => a * b)),
  Div: binary(divide),
  Pow: binary(same((a, b) => a ** b)),
  Mod: binary((isInteger) => (isInteger ? (a, b) => a - b * Math.floor(a / b) : (a, b) => a % b)),
  Min: binary(same(Math.min)),
  Max: binary(same(Math.max)),
  Equal: truth((a, b) => Number(a === b)),
  Greater: truth((a, b) => Number(a > b)),
  GreaterOrEqual: truth((a, b) => Number(a >= b)),
  Less: truth((a, b) => Number(a < b)),
  LessOrEqual: truth((a, b) => Number(a <= b)),
  And: truth((a, b) => Number(a !== 0 && b !== 0)),
  Or: truth((a, b) => Number(a !== 0 || b !== 0)),
  Not: unary((x) => Number(x === 0)),
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Sign: unary(Math.sign),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tanh: unary(Math.tanh),
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Relu: unary((x) => Math.max(0, x)),
  ReduceSum: reduce((a, b) => a + b, 0),
  ReduceProd: reduce((a, b) => a * b, 1),
  ReduceMean: reduce((a, b) => a + b, 0, true),
  ReduceMax: reduce(Math.max, undefined),
  ReduceMin: reduce(Math.min, undefined),
};

/** The part of a shape that `Shape` gives (from opset 15 on it may be a part). */
export function shapeRange(call: Call<unknown>, shape: readonly number[]): number[] {
  const end = call.int('end', shape.length);
  return shape.slice(call.int('start', 0), end);
}

export function unsqueezed(call: Call<Constant> | Call<unknown>, shape: readonly number[]): number[] {
  const list = intsOf(call as Call<Constant>, 1, 'axes') ?? [];
  const rank = shape.length + list.length;
  const axes = list.map((a) => (a < 0 ? a + rank : a));
  const rest = [...shape];
  return Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!));
}
