/** Attention: softmax(q·kᵀ · scale + what is added) · v, with any number of heads and of windows. */
import type { Call } from '../call.ts';
import { type Constant, constant } from '../constant.ts';
import type { Lowering, Operand } from '../lower.ts';
import { nameOf } from '../names.ts';
import { channelsOf, type Step } from '../steps.ts';
import { plainView, reshapeView, shapeOfView, sizeOf, transposeView, type View } from '../view.ts';
import { type Added, relativeTable, scoresBias } from './windows.ts';

/** A product of two values that follow from the picture. */
export function mixed(call: Call<Operand>, l: Lowering, a: View, b: View): View {
  const fused = l.steps[a.value]!.op === 'softmax' ? attention(call, l, a, b) : undefined;
  if (fused) return fused;
  const [x, y] = [shapeOfView(a), shapeOfView(b)];
  if (x.length !== y.length || x.at(-1) !== y.at(-2)) throw call.fault('multiplies values that do not fit each other', `[${x}] and [${y}]`);
  const shape = [...x.slice(0, -1), y.at(-1)!];
  const value = l.emit({ op: 'matmul', inputs: [a.value, b.value], shape, views: [a, b] });
  return plainView(value, shape);
}

/** The scores behind a softmax: the product, its factor, and what is added to it. */
function scoresOf(l: Lowering, softmax: Step): { product: Step; scale: number; added: Added[]; byHead: Step[] } | undefined {
  let step = l.steps[softmax.inputs[0]!]!;
  let scale = 1;
  const added: Added[] = [];
  const byHead: Step[] = [];
  for (;;) {
    if (step.op === 'matmul') return { product: step, scale, added, byHead };
    if (step.op === 'line' && step.a.c === 0) scale *= step.a.m!;
    else if (step.op === 'plus' && byHead.length === 0) added.push({ step, factor: scale });
    else if (step.op === 'byHead') byHead.push(step);
    else return undefined;
    step = l.steps[step.inputs[0]!]!;
  }
}

/** A view without the factors that its value was multiplied by. */
function unscaled(l: Lowering, view: View): { view: View; scale: number } {
  let { value } = view;
  let scale = 1;
  for (let step = l.steps[value]!; step.op === 'line' && step.a.c === 0; step = l.steps[value]!) {
    scale *= step.a.m!;
    value = step.inputs[0]!;
  }
  return { view: { ...view, value }, scale };
}

interface Laid {
  value: number;
  windows: number;
  positions: number;
  heads: number;
  size: number;
}

/** An operand lying as [windows, positions, heads · size]; `at`: which of its last two axes are the positions. */
function laid(l: Lowering, view: View, at: -1 | -2): Laid {
  const lead = view.dims.slice(0, -2).flat();
  const positions = view.dims.at(at)!;
  const size = view.dims.at(at === -1 ? -2 : -1)!;
  // Heads lie within a position, windows outside of all of them. A single position has no axis to tell by: its heads are channels.
  const c = channelsOf(l.steps[view.value]!);
  let first = view.axes.length;
  for (let n = 1; n < c && first > 0; first--) n *= view.axes[first - 1]!;
  const inside = positions.length > 0 ? Math.max(...positions) : first - 1;
  const heads = lead.filter((axis) => axis > inside);
  const windows = lead.filter((axis) => axis <= inside);
  const value = l.ordered(view, [...windows, ...positions, ...heads, ...size]);
  return {
    value,
    windows: sizeOf(view, windows),
    positions: sizeOf(view, positions),
    heads: sizeOf(view, heads),
    size: sizeOf(view, size),
  };
}

/** One factor for each head, as one for each channel of the queries. */
function headFactors({ constant: factors, a, views }: Step, heads: number, size: number): Constant | undefined {
  const axes = views![0]!.axes;
  const [axis, more] = Object.values(a);
  if (more !== undefined || axis === undefined || axes[axis] !== heads) return undefined;
  return constant([heads * size], false, () => {
    const numbers = factors!.numbers();
    return Float64Array.from({ length: heads * size }, (_, i) => numbers[Math.floor(i / size)]!);
  });
}

function attention(call: Call<Operand>, l: Lowering, p: View, values: View): View | undefined {
  const scores = scoresOf(l, l.steps[p.value]!);
  if (scores === undefined) return undefined;
  const [left, right] = [unscaled(l, scores.product.views![0]!), unscaled(l, scores.product.views![1]!)];
  const [q, k, v] = [laid(l, left.view, -2), laid(l, right.view, -1), laid(l, values, -2)];
  const { windows, positions: t, heads, size } = q;
  const scale = left.scale * right.scale * scores.scale;
  for (const step of scores.byHead) {
    const factors = headFactors(step, heads, size);
    if (factors === undefined) return undefined;
    const name = l.layer(`${nameOf(call.node)}.scale`);
    const params = { scale: { name, shape: [heads * size], from: factors } };
    q.value = l.emit({
      op: 'affine',
      name,
      inputs: [q.value],
      shape: windows > 1 ? [windows, t, heads * size] : [t, heads * size],
      params,
      a: { frozen: 1 },
      wants: [[windows, t, heads * size]],
    });
  }
  const isSelf = [k, v].every((x) => x.windows === windows && x.positions === t && x.heads === heads && x.size === size);
  const relative = isSelf && scores.added.length > 0 ? relativeTable(call, l, q.value, scores.added, { windows, t, heads }) : undefined;
  const isFit =
    k.windows === windows &&
    v.windows === windows &&
    k.positions === v.positions &&
    k.heads === v.heads &&
    k.size === size &&
    heads % k.heads === 0;
  if (!isFit)
    throw call.fault(
      'is attention whose queries, keys and values do not fit each other',
      `[${shapeOfView(left.view)}], [${shapeOfView(right.view)}], [${shapeOfView(values)}]`,
    );
  const rows = windows > 1 ? [windows, t] : [t];
  const shape = [...rows, heads * v.size];
  const inputs = [q.value, k.value, v.value];
  const wants = [q, k, v].map((x) => [x.windows, x.positions, x.heads * x.size]);
  const isPlain = isSelf && (scores.added.length === 0 || relative !== undefined);
  const bias = isPlain || scores.added.length === 0 ? undefined : scoresBias(call, l, scores.added, [windows, heads, t, k.positions]);
  const value = isPlain
    ? l.emit({
        op: 'attention',
        inputs,
        shape,
        wants,
        a: { heads, scale, ...relative?.a },
        params: relative ? { table: relative.table } : {},
      })
    : l.emit({ op: 'crossAttention', inputs, shape, wants, a: { heads, pairs: k.heads, scale }, params: bias ? { bias } : {} });
  const own = transposeView(plainView(value, [windows, t, heads, v.size]), [0, 2, 1, 3]);
  const target = [...shapeOfView(p).slice(0, -1), v.size];
  return reshapeView(own, target);
}
