/** Operators whose operands are all known: shapes' arithmetic, and tables that an exporter left to be computed. */
import { elements } from '../../base/tensor.ts';
import { axesOf, axisOf, type Call, intsOf, reshapeTo, shapeRange, unsqueezed } from './call.ts';
import { broadcast, type Constant, constant, expanded, listOf, picked, reshaped, strides, transposed, walk } from './constant.ts';
import { concat, gather, matMul, pad, range, scatterNd, slice, split, standardised } from './foldparts.ts';

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
  Gemm: (call) => {
    const [a, b] = [call.at(0), call.at(1)];
    const isScaled = call.float('alpha', 1) !== 1 || call.float('beta', 1) !== 1 || call.int('transA', 0) !== 0;
    if (isScaled || a.shape.length !== 2 || b.shape.length !== 2) throw call.fault('multiplies constants in a way that is not supported');
    const right = call.int('transB', 0) === 0 ? b : transposed(b, [1, 0]);
    const product = matMul({ ...call, at: (i) => (i === 0 ? a : right) })[0]!;
    if (!call.has(2)) return [product];
    const bias = expanded(call.at(2), product.shape);
    return [
      constant(product.shape, false, () => {
        const added = bias.numbers();
        return product.numbers().map((v, i) => v + added[i]!);
      }),
    ];
  },
  // Positions that go through a layer: one tap over a constant map.
  Conv: (call) => {
    const [x, w] = [call.at(0), call.at(1)];
    const [o, c] = w.shape as [number, number];
    const isPoint = w.shape.length === 4 && w.shape[2] === 1 && w.shape[3] === 1 && x.shape.length === 4 && x.shape[1] === c;
    const isPlain =
      [...(call.ints('strides') ?? []), call.int('group', 1)].every((n) => n === 1) && (call.ints('pads') ?? []).every((n) => n === 0);
    if (!isPoint || !isPlain) throw call.fault('is a convolution of a constant, of more than one tap');
    const [n, , h, width] = x.shape as [number, number, number, number];
    const rows = reshaped(transposed(x, [0, 2, 3, 1]), [n * h * width, c]);
    const product = matMul({ ...call, at: (i) => (i === 0 ? rows : transposed(reshaped(w, [o, c]), [1, 0])) })[0]!;
    const bias = call.has(2) ? expanded(call.at(2), [n * h * width, o]) : undefined;
    const sum = constant([n * h * width, o], false, () => {
      const added = bias?.numbers();
      return product.numbers().map((v, i) => v + (added?.[i] ?? 0));
    });
    return [transposed(reshaped(sum, [n, h, width, o]), [0, 3, 1, 2])];
  },
  CumSum: (call) => {
    const x = call.at(0);
    const axis = axisOf(call, call.at(1).numbers()[0]!, x.shape.length);
    if (call.int('exclusive', 0) !== 0 || call.int('reverse', 0) !== 0) throw call.fault('sums in a way that is not supported');
    const step = strides(x.shape)[axis]!;
    return [
      constant(x.shape, x.integer, () => {
        const out = Float64Array.from(x.numbers());
        for (let i = 0; i < out.length; i++) if (Math.floor(i / step) % x.shape[axis]! > 0) out[i]! += out[i - step]!;
        return out;
      }),
    ];
  },
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
  Clip: (call) => {
    const x = call.at(0);
    const bound = (i: number, name: string, preset: number): number => (call.has(i) ? call.at(i).numbers()[0]! : call.float(name, preset));
    return [
      constant(x.shape, x.integer, () =>
        x.numbers().map((v) => Math.min(Math.max(v, bound(1, 'min', -Infinity)), bound(2, 'max', Infinity))),
      ),
    ];
  },
  // Weights that are standardised: the statistics are their own.
  BatchNormalization: (call) => {
    const x = call.at(0);
    if (call.int('training_mode', 0) === 0) throw call.fault('is a batch norm of constants, which is not supported');
    const [gamma, beta] = [call.at(1), call.at(2)];
    const [n, c] = [x.shape[0]!, x.shape[1]!];
    const inner = elements(x.shape.slice(2));
    const eps = call.float('epsilon', 1e-5);
    return [constant(x.shape, false, () => standardised(x.numbers(), { n, c, inner, eps }, gamma.numbers(), beta.numbers()))];
  },
  Resize: (call) => {
    const x = call.at(0);
    const sizes = call.has(3) ? call.at(3).numbers() : x.shape.map((d, i) => Math.floor(d * call.at(2).numbers()[i]!));
    if (String([...sizes]) !== String(x.shape))
      throw call.fault('resizes a table, which is not supported; export it at the size that its positions are made for');
    return [x];
  },
  ReduceSum: reduce((a, b) => a + b, 0),
  ReduceProd: reduce((a, b) => a * b, 1),
  ReduceMean: reduce((a, b) => a + b, 0, true),
  ReduceMax: reduce(Math.max, undefined),
  ReduceMin: reduce(Math.min, undefined),
};
