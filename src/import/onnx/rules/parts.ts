/** Parts of values and values put together: rows of fused layers, tokens, rolled maps, patches that are merged. */

import { elements } from '../../../base/tensor.ts';
import { axisOf, type Call, sliceRanges, splitSizes } from '../call.ts';
import { type Constant, constant, reshaped } from '../constant.ts';
import type { Lowering, Operand, Rule } from '../lower.ts';
import { nameOf } from '../names.ts';
import { channelsOf, type Param } from '../steps.ts';
import { shapeOfView, sizeOf, type View } from '../view.ts';
import { areChannels, laidOut } from './channels.ts';
import { plainCopy, viewAt } from './reorder.ts';
import { rolledBack } from './windows.ts';

/** Elements from, from + step, … of one axis of a view. */
function part(l: Lowering, given: View, axis: number, range: { from: number; count: number; step: number }): View {
  const { from, count, step } = range;
  if (from === 0 && step === 1 && count === sizeOf(given, given.dims[axis]!)) return given;
  const view = given.dims[axis]!.length === 1 ? given : plainCopy(l, given);
  const own = view.dims[axis]!;
  const at = own[0]!;
  const source = l.steps[view.value]!;
  const inner = view.axes.slice(at + 1).reduce((n, d) => n * d, 1);
  const c = channelsOf(source);
  const left = (value: number): View =>
    count > 1
      ? { ...view, value, axes: view.axes.map((d, i) => (i === at ? count : d)) }
      : {
          ...view,
          value,
          axes: view.axes.filter((_, i) => i !== at),
          dims: view.dims.map((dim) => dim.filter((i) => i !== at).map((i) => (i > at ? i - 1 : i))),
        };
  const isFused =
    source.op === 'linear' && step === 1 && inner * view.axes[at]! === c && !Object.keys(source.a).some((key) => key.startsWith('fold'));
  if (isFused) {
    const n = count * inner;
    const a = { ...source.a, start: (source.a.start ?? 0) + from * inner, of: source.a.of ?? c };
    return left(l.emit({ ...source, shape: [...source.shape.slice(0, -1), n], a, params: source.params }));
  }
  // Positions are the outermost axis, channels all that is within. One of them is read before a norm, which works position by position.
  if (at === 0 && count === 1 && inner === c) {
    const isNorm = source.op === 'layerNorm';
    const row = l.emit({ op: 'pool', inputs: [isNorm ? source.inputs[0]! : view.value], shape: [c], a: { first: from, count: 1 } });
    return left(isNorm ? l.emit({ ...source, inputs: [row], shape: [c], params: source.params }) : row);
  }
  if (at === 0 && step === 1 && inner === c)
    return left(
      l.emit({
        op: 'rows',
        inputs: [view.value],
        shape: [count, c],
        a: { first: from, count },
        views: [view],
        wants: [[view.axes[0]!, c]],
      }),
    );
  const shape = view.axes.map((d, i) => (i === at ? count : d));
  return left(l.emit({ op: 'slice', inputs: [view.value], shape, a: { axis: at, from, count, step }, views: [view], wants: [view.axes] }));
}

const slice: Rule = (call, l) => {
  let view = viewAt(call, 0);
  for (const { axis, ...range } of sliceRanges(call, shapeOfView(view))) {
    if (range.count < 1) throw call.fault('takes nothing of an axis');
    view = part(l, view, axis, range);
  }
  return [view];
};

const split: Rule = (call, l) => {
  const view = viewAt(call, 0);
  const axis = axisOf(call, call.int('axis', 0), view.dims.length);
  let from = 0;
  return splitSizes(call, shapeOfView(view)[axis]!).map((count) => {
    const one = part(l, view, axis, { from, count, step: 1 });
    from += count;
    return one;
  });
};

const gather: Rule = (call, l) => {
  const view = viewAt(call, 0);
  const index = call.constant(1);
  const axis = axisOf(call, call.int('axis', 0), view.dims.length);
  const size = shapeOfView(view)[axis]!;
  const list = [...index.numbers()].map((i) => (i < 0 ? i + size : i));
  const [first = 0] = list;
  if (list.length === 0 || list.some((i, k) => i !== first + k || i >= size) || index.shape.length > 1)
    throw call.fault('gathers in an order of its own, which is not supported', `[${list}]`);
  const taken = part(l, view, axis, { from: first, count: list.length, step: 1 });
  return [index.shape.length === 0 ? { ...taken, dims: taken.dims.filter((_, i) => i !== axis) } : taken];
};

/** The name of a learnable constant: its own where a module gave it one. */
export function ownName(l: Lowering, c: Constant, fallback: string): string {
  const name = c.stored?.tensor.name;
  return l.layer(name !== undefined && /^[A-Za-z_][\w.]*$/.test(name) ? name : fallback);
}

/** Class and distillation tokens before the patches. */
function tokens(call: Call<Operand>, l: Lowering, extra: Constant[], view: View, axis: number): View | undefined {
  const source = l.steps[view.value]!;
  const c = channelsOf(source);
  const position = view.dims[axis]!;
  const isRows =
    position.every((a, i) => a === i) &&
    areChannels(
      view,
      view.axes.map((_, i) => i).filter((i) => !position.includes(i)),
      c,
    );
  const counts = extra.map((e) => elements(e.shape) / c);
  if (!isRows || counts.some((n) => !Number.isInteger(n)) || counts.reduce((a, b) => a + b, 0) > MOST_TOKENS) return undefined;
  // Each row of a constant is a token; two of them at a time stand before what is there, the last first.
  const rows = extra.flatMap((e, i) => Array.from({ length: counts[i]! }, (_, row) => (counts[i] === 1 ? e : rowOf(e, row, c))));
  return pairsBefore(l, nameOf(call.node), view, rows, { position, axis, c });
}

/** More than so many tokens are a sequence of their own. */
const MOST_TOKENS = 32;

const rowOf = (e: Constant, row: number, c: number): Constant => constant([c], false, () => e.numbers().subarray(row * c, (row + 1) * c));

interface Rows {
  /** The axes of its positions, and which dim they are. */
  position: readonly number[];
  axis: number;
  c: number;
}

function pairsBefore(l: Lowering, scope: string, view: View, extra: readonly Constant[], rows: Rows): View {
  if (extra.length > 2) {
    const inner = pairsBefore(l, scope, view, extra.slice(-2), rows);
    return pairsBefore(l, scope, inner, extra.slice(0, -2), { ...rows, position: [0] });
  }
  const { position, axis, c } = rows;
  const params: Record<string, Param> = {};
  extra.forEach((e, i) => {
    const key = i === 0 ? 'cls' : 'dist';
    params[key] = { name: ownName(l, e, `${scope}.${key}_token`), shape: [1, 1, c], from: reshaped(e, [c]) };
  });
  const t = sizeOf(view, position) + extra.length;
  const value = l.emit({ op: 'embed', inputs: [view.value], shape: [t, c], params });
  const rest = view.dims.map((dim) => dim.map((i) => i - position.length + 1));
  return { kind: 'view', value, axes: [t, ...view.axes.slice(position.length)], dims: rest.map((dim, i) => (i === axis ? [0] : dim)) };
}

/** Positions' embeddings, or numbers added to attention's scores: a constant of more axes than the channels. */
export function withPositions(l: Lowering, view: View, c: Constant, axes: readonly number[]): View {
  const step = l.steps[view.value]!;
  const isWhole = axes.length === view.axes.length;
  const isScores = ['matmul', 'plus'].includes(step.op) || (step.op === 'line' && l.steps[step.inputs[0]!]!.op === 'matmul');
  const { numbers } = laidOut(view, c)!;
  if (!isWhole || isScores)
    return {
      ...view,
      value: l.emit({
        op: 'plus',
        inputs: [view.value],
        shape: step.shape,
        views: [view],
        constant: numbers,
        a: Object.fromEntries(axes.map((x, i) => [`axis${i}`, x])),
      }),
    };
  const width = channelsOf(step);
  const t = view.axes.reduce((n, d) => n * d, 1) / width;
  const pos: Param = {
    name: ownName(l, c, `${step.scope === '' ? 'embeddings' : step.scope}.positions`),
    shape: [1, t, width],
    from: reshaped(numbers, [1, t, width]),
  };
  const isTokens = step.op === 'embed' && step.params.pos === undefined;
  const value = l.emit({
    op: 'embed',
    inputs: isTokens ? step.inputs : [view.value],
    shape: [t, width],
    params: { ...(isTokens ? step.params : {}), pos },
  });
  return { ...view, value };
}

/** out[i] = x[(i + shift) mod n] along one axis: a map's last rows, then its first. */
function rolled(l: Lowering, parts: readonly View[], axis: number): View | undefined {
  if (parts.length !== 2) return undefined;
  const [a, b] = parts.map((p) => l.steps[p.value]!);
  const isPart = (step: typeof a): boolean => step?.op === 'slice' || step?.op === 'rows';
  if (!isPart(a) || !isPart(b) || a!.inputs[0] !== b!.inputs[0]) return undefined;
  const of = (step: typeof a): { axis: number; from: number; count: number } =>
    step!.op === 'rows'
      ? { axis: 0, from: step!.a.first!, count: step!.a.count! }
      : { axis: step!.a.axis!, from: step!.a.from!, count: step!.a.count! };
  const [x, y] = [of(a), of(b)];
  if (x.axis !== y.axis || (a!.a.step ?? 1) !== 1 || (b!.a.step ?? 1) !== 1 || y.from !== 0 || y.count !== x.from) return undefined;
  const view = a!.views![0]!;
  const at = view.dims[axis];
  if (at?.length !== 1 || at[0] !== x.axis || x.from + x.count !== view.axes[x.axis]) return undefined;
  const back = rolledBack(l, view.value, x.axis, x.from);
  return { ...view, value: back ?? l.emit({ op: 'roll', inputs: [view.value], shape: view.axes, a: { axis: x.axis, shift: x.from } }) };
}

/** Every second row and column four times over, as channels: patches that are merged. */
function neighbours(l: Lowering, parts: readonly View[], axis: number): View | undefined {
  if (parts.length !== 4) return undefined;
  const found = parts.map((p) => {
    const columns = l.steps[p.value]!;
    const rows = l.steps[columns.inputs[0]!];
    if (columns.op !== 'slice' || rows?.op !== 'slice' || columns.a.step !== 2 || rows.a.step !== 2) return undefined;
    return { map: rows.views![0]!, y: rows.a.from!, x: columns.a.from!, axes: `${rows.a.axis},${columns.a.axis}` };
  });
  const [first] = found;
  const order = [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ];
  if (!first || found.some((f, i) => f?.map.value !== first.map.value || f.axes !== '0,1' || f.y !== order[i]![0] || f.x !== order[i]![1]))
    return undefined;
  const { map } = first;
  const [h, w, c] = map.axes as [number, number, number];
  if (map.axes.length !== 3 || h % 2 !== 0 || w % 2 !== 0 || axis !== map.dims.length - 1) return undefined;
  const a = { h, w, c, wh: 2, ww: 2, rows: h / 2, columns: w / 2, sy: 0, sx: 0, modh: h, modw: w, merge: 1 };
  const value = l.emit({ op: 'partition', inputs: [map.value], shape: [h / 2, w / 2, 4 * c], a });
  return { ...map, value, axes: [h / 2, w / 2, 4 * c] };
}

/** Values one after the other along an axis, all in the order in which the largest of them lies. */
function joined(call: Call<Operand>, l: Lowering, views: readonly View[], axis: number): View {
  const main = views.reduce((a, b) => (sizeOf(b, b.dims[axis]!) > sizeOf(a, a.dims[axis]!) ? b : a));
  const present = main.dims
    .map((dim, i) => ({ i, first: dim.length > 0 ? Math.min(...dim) : -1 }))
    .filter(({ i }) => i === axis || views.some((v) => v.dims[i]!.length > 0));
  const dims = present.sort((a, b) => a.first - b.first).map(({ i }) => i);
  const shapes = views.map((v) => dims.map((i) => sizeOf(v, v.dims[i]!)));
  const at = dims.indexOf(axis);
  if (views.length > 8 && at >= 0) {
    const half = Math.ceil(views.length / 2);
    return joined(call, l, [joined(call, l, views.slice(0, half), axis), joined(call, l, views.slice(half), axis)], axis);
  }
  if (shapes.some((s) => s.some((d, i) => i !== at && d !== shapes[0]![i])))
    throw call.fault('puts values together that do not fit each other', shapes.map((s) => `[${s}]`).join(' '));
  const inputs = views.map((v) =>
    l.ordered(
      v,
      dims.flatMap((i) => v.dims[i]!),
    ),
  );
  const shape = shapes[0]!.map((d, i) => (i === at ? shapes.reduce((n, s) => n + s[at]!, 0) : d));
  const value = l.emit({ op: 'concat', inputs, shape, a: { axis: at }, wants: shapes });
  const kept = dims.filter((_, i) => shape[i] !== 1);
  return {
    kind: 'view',
    value,
    axes: shape.filter((d) => d !== 1),
    dims: main.dims.map((_, i) => (kept.includes(i) ? [kept.indexOf(i)] : [])),
  };
}

const concat: Rule = (call, l) => {
  const operands = call.inputs.map((_, i) => call.at(i));
  if (operands.length === 1) return [operands[0]!];
  const views = operands.filter((o): o is View => o.kind === 'view');
  const rank = views[0]!.dims.length;
  const axis = axisOf(call, call.int('axis', 0), rank);
  const constants = operands.filter((o): o is Constant => o.kind === 'constant');
  if (views.length === 1 && constants.length > 0 && operands.at(-1) === views[0]) {
    const done = tokens(call, l, constants, views[0]!, axis);
    if (done) return [done];
  }
  if (constants.length === 0) return [rolled(l, views, axis) ?? neighbours(l, views, axis) ?? joined(call, l, views, axis)];
  throw call.fault('puts a constant and a value together in a way that is not supported', `along axis ${axis}`);
};

export const parts: Readonly<Record<string, Rule>> = { Slice: slice, Split: split, Gather: gather, Concat: concat };
