/** Attention: softmax(q·kᵀ · scale + what is added) · v, with any number of heads and of windows. */
import type { Call } from '../call.ts';
import type { Lowering, Operand } from '../lower.ts';
import { channelsOf, type Step } from '../steps.ts';
import { plainView, reshapeView, shapeOfView, sizeOf, transposeView, type View } from '../view.ts';
import { type Added, relativeTable } from './windows.ts';

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
function scoresOf(l: Lowering, softmax: Step): { product: Step; scale: number; added: Added[] } | undefined {
  let step = l.steps[softmax.inputs[0]!]!;
  let scale = 1;
  const added: Added[] = [];
  for (;;) {
    if (step.op === 'matmul') return { product: step, scale, added };
    if (step.op === 'line' && step.a.c === 0) scale *= step.a.m!;
    else if (step.op === 'plus') added.push({ step, factor: scale });
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
  const c = channelsOf(l.steps[view.value]!);
  /** The axes that its channels are made of. */
  let first = view.axes.length;
  for (let n = 1; n < c && first > 0; first--) n *= view.axes[first - 1]!;
  const heads = lead.filter((axis) => axis >= first);
  const windows = lead.filter((axis) => axis < first);
  const value = l.ordered(view, [...windows, ...positions, ...heads, ...size]);
  return {
    value,
    windows: sizeOf(view, windows),
    positions: sizeOf(view, positions),
    heads: sizeOf(view, heads),
    size: sizeOf(view, size),
  };
}

function attention(call: Call<Operand>, l: Lowering, p: View, values: View): View | undefined {
  const scores = scoresOf(l, l.steps[p.value]!);
  if (scores === undefined) return undefined;
  const [left, right] = [unscaled(l, scores.product.views![0]!), unscaled(l, scores.product.views![1]!)];
  const [q, k, v] = [laid(l, left.view, -2), laid(l, right.view, -1), laid(l, values, -2)];
  const { windows, positions: t, heads, size } = q;
  if ([k, v].some((x) => x.windows !== windows || x.positions !== t || x.heads !== heads || x.size !== size))
    throw call.fault(
      'is attention whose queries, keys and values have not one shape, which is not supported',
      `[${shapeOfView(left.view)}], [${shapeOfView(right.view)}], [${shapeOfView(values)}]`,
    );
  const a = { heads, scale: left.scale * right.scale * scores.scale };
  const shape = windows > 1 ? [windows, t, heads * size] : [t, heads * size];
  const relative = scores.added.length > 0 ? relativeTable(call, l, q.value, scores.added, { windows, t, heads }) : undefined;
  const value = l.emit({
    op: 'attention',
    inputs: [q.value, k.value, v.value],
    shape,
    a: { ...a, ...relative?.a },
    params: relative ? { table: relative.table } : {},
  });
  const own = transposeView(plainView(value, [windows, t, heads, size]), [0, 2, 1, 3]);
  const target = [...shapeOfView(p).slice(0, -1), size];
  return reshapeView(own, target);
}
