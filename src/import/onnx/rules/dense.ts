/** Matrix products: linear layers where one factor is known, attention where neither is. */
import type { Call } from '../call.ts';
import { type Constant, constant, reshaped, transposed } from '../constant.ts';
import type { Lowering, Operand, Rule } from '../lower.ts';
import type { Param } from '../steps.ts';
import { liesPlainly, shapeOfView, sizeOf, type View } from '../view.ts';
import { mixed } from './attention.ts';
import { layerName } from './convolution.ts';
import { plainCopy, viewAt } from './reorder.ts';

/** y = x·Wᵀ + b over the last axis of a view; `weight` is [N, K]. */
function linear(call: Call<Operand>, l: Lowering, view: View, weight: Constant, bias: Constant | undefined): View {
  const [n, k] = weight.shape as [number, number];
  const last = view.dims.at(-1)!;
  if (sizeOf(view, last) !== k) throw call.fault('has a weight that does not fit its input', `[${weight.shape}] on [${shapeOfView(view)}]`);
  let [x, w] = [view, weight];
  if (!liesPlainly(view)) {
    const isAll = view.dims.slice(0, -1).every((dim) => dim.length === 0);
    // All of a map at once: the weight's columns are put in the map's order.
    if (isAll) w = columnsInOrder(view, last, weight);
    else x = plainCopy(l, view);
  }
  const rows = x.dims.slice(0, -1);
  const name = layerName(l, call, weight);
  const params: Record<string, Param> = { weight: { name: `${name}.weight`, shape: [n, k], from: w } };
  if (bias) params.bias = { name: `${name}.bias`, shape: [n], from: reshaped(bias, [n]) };
  const isFlat = x.axes.length === (x.dims.at(-1)!.length || 0);
  const before = l.steps[x.value]!.shape;
  const outer = isFlat ? [] : before.at(-1) === k ? before.slice(0, -1) : x.axes.slice(0, x.axes.length - x.dims.at(-1)!.length);
  const value = l.emit({ op: 'linear', name, inputs: [x.value], shape: [...outer, n], params });
  const axes = x.axes.slice(0, x.axes.length - x.dims.at(-1)!.length);
  return { kind: 'view', value, axes: n === 1 ? axes : [...axes, n], dims: [...rows, n === 1 ? [] : [axes.length]] };
}

function columnsInOrder(view: View, last: readonly number[], weight: Constant): Constant {
  const [n, k] = weight.shape as [number, number];
  const split = reshaped(weight, [n, ...last.map((i) => view.axes[i]!)]);
  const order = [...last.keys()].sort((a, b) => last[a]! - last[b]!);
  return reshaped(transposed(split, [0, ...order.map((i) => i + 1)]), [n, k]);
}

const scaled = (c: Constant, factor: number): Constant =>
  factor === 1 ? c : constant(c.shape, false, () => c.numbers().map((v) => v * factor));

export const dense: Readonly<Record<string, Rule>> = {
  MatMul: (call, l) => {
    const [a, b] = [call.at(0), call.at(1)];
    if (a.kind === 'view' && b.kind === 'view') return [mixed(call, l, a, b)];
    if (a.kind === 'view' && b.kind === 'constant') {
      if (b.shape.length !== 2) throw call.fault('multiplies by a constant of other than two axes', `[${b.shape}]`);
      return [linear(call, l, a, transposed(b, [1, 0]), undefined)];
    }
    throw call.fault('multiplies a constant by what follows from the picture, which is not supported');
  },
  Gemm: (call, l) => {
    const view = viewAt(call, 0);
    const [alpha, beta] = [call.float('alpha', 1), call.float('beta', 1)];
    if (call.int('transA', 0) !== 0 || view.dims.length !== 2) throw call.fault('turns its input over, which is not supported');
    const stored = call.constant(1);
    if (stored.shape.length !== 2) throw call.fault('has a weight of other than two axes', `[${stored.shape}]`);
    const weight = call.int('transB', 0) !== 0 ? stored : transposed(stored, [1, 0]);
    const bias = call.has(2) ? scaled(call.constant(2), beta) : undefined;
    if (bias && bias.shape.at(-1) !== weight.shape[0])
      throw call.fault('has a bias of another length', `[${bias.shape}]`, String(weight.shape[0]));
    return [linear(call, l, view, scaled(weight, alpha), bias)];
  },
};
