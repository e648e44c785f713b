/** What moves numbers: tokens, parts, other orders of axes, windows. */
import { ABSENT, type Node, numel, shapeOf } from '../../../graph/graph.ts';
import type { Windows } from '../../../ops/window.ts';
import type { Writer } from '../writer.ts';
import type { Rule } from './rule.ts';

/** A token[C] before the rows of every picture. */
function before(w: Writer, token: number, batch: string, c: number): string {
  const one = w.constant(token, { dims: [c], perm: [0], shape: [1, 1, c], rows: 0 });
  return w.node('Expand', [one, w.node('Concat', [batch, w.ints(1), w.ints(c)], { axis: 0 })]);
}

/** Patches as rows, tokens before them, positions added to all or to the patches alone. */
export const Embed: Rule = (node, w) => {
  const [x, cls, dist, pos] = node.inputs as [number, number, number, number];
  const shape = shapeOf(w.graph, x);
  const c = shape.at(-1)!;
  const patches = numel(shape.slice(1, -1));
  const rows =
    shape.length === 3
      ? w.value(x)
      : w.isFirst(x)
        ? w.transpose(w.reshape(w.value(x, 'first'), [-1, c, patches]), [0, 2, 1])
        : w.reshape(w.value(x), [-1, patches, c]);
  const [n] = shapeOf(w.graph, pos) as [number];
  const positions = w.constant(pos, { dims: [n, c], perm: [0, 1], shape: [1, n, c], rows: 1 });
  const tokens = [cls, dist].filter((token) => token !== ABSENT);
  const placed = n === patches ? w.node('Add', [rows, positions]) : rows;
  let all = placed;
  if (tokens.length > 0) {
    const batch = w.slice(w.node('Shape', [placed]), 0, 0, 1);
    all = w.node('Concat', [...tokens.map((token) => before(w, token, batch, c)), placed], { axis: 1 });
  }
  w.put(node.outputs[0]!, n === patches ? all : w.node('Add', [all, positions]));
};

/** An axis counted from the end, among channels first: the last is the second. */
const firstAxis = (axis: number): number => (axis === -1 ? 1 : axis + 1);

export const Concat: Rule = (node, w) => {
  const { axis } = node.attributes as { axis: number };
  const isFirst = node.inputs.every((id) => w.isFirst(id)) && axis !== -4;
  const inputs = node.inputs.map((id) => w.value(id, isFirst ? 'first' : 'last'));
  w.put(node.outputs[0]!, w.node('Concat', inputs, { axis: isFirst ? firstAxis(axis) : axis }), isFirst ? 'first' : 'last');
};

export const Slice: Rule = (node, w) => {
  const [x] = node.inputs as [number];
  const { axis, from, count } = node.attributes as Record<'axis' | 'from' | 'count', number>;
  const order = axis === -4 ? 'last' : w.orderOf(x);
  w.put(node.outputs[0]!, w.slice(w.value(x, order), order === 'first' ? firstAxis(axis) : axis, from, from + count), order);
};

export const Reshape: Rule = (node, w) => w.put(node.outputs[0]!, w.reshape(w.value(node.inputs[0]!), node.lists!.shape!));

export const Rearrange: Rule = (node, w) => {
  const { dims, perm, shape } = node.lists as Record<'dims' | 'perm' | 'shape', readonly number[]>;
  const turned = w.transpose(w.reshape(w.value(node.inputs[0]!), dims), perm);
  if (perm[0] === 0) {
    w.put(node.outputs[0]!, w.reshape(turned, shape));
    return;
  }
  // The pictures' axis has moved: it is found where no other one joined it.
  const at = perm.indexOf(0);
  const moved = perm.map((i) => dims[i]!);
  if (moved.join() !== shape.join()) throw w.refusal(node, 'an order of axes in which pictures do not come first');
  w.put(node.outputs[0]!, w.node('Reshape', [turned, w.ints(...moved.map((d, i) => (i === at ? -1 : d)))]));
};

/** Rolled along an axis: what lay at `by` comes first. */
function rolled(w: Writer, x: string, axis: number, by: number, size: number): string {
  if (by === 0) return x;
  return w.node('Concat', [w.slice(x, axis, by, size), w.slice(x, axis, 0, by)], { axis });
}

/** Zeros below and on the right, up to h × width. */
function padded(w: Writer, x: string, [h, width]: readonly [number, number], [toH, toW]: readonly [number, number]): string {
  if (toH <= h && toW <= width) return x;
  return w.node('Pad', [x, w.ints(0, 0, 0, 0, 0, toH - h, toW - width, 0)]);
}

const geometry = (node: Node): Windows => node.attributes as Windows;

export const WindowPartition: Rule = (node, w) => {
  const { h, w: width, c, wh, ww, rows, columns, sy, sx, modh, modw, merge } = geometry(node);
  let x = padded(w, w.value(node.inputs[0]!), [h, width], [modh, modw]);
  x = rolled(w, rolled(w, x, 1, sy, modh), 2, sx, modw);
  x = padded(w, x, [modh, modw], [rows * wh, columns * ww]);
  const apart = w.reshape(x, [-1, rows, wh, columns, ww, c]);
  const out = node.outputs[0]!;
  if (merge) w.put(out, w.reshape(w.transpose(apart, [0, 1, 3, 4, 2, 5]), [-1, rows, columns, wh * ww * c]));
  else w.put(out, w.reshape(w.transpose(apart, [0, 1, 3, 2, 4, 5]), [-1, wh * ww, c]));
};

export const WindowReverse: Rule = (node, w) => {
  const { h, w: width, c, wh, ww, rows, columns, sy, sx, modh, modw } = geometry(node);
  const apart = w.reshape(w.value(node.inputs[0]!), [-1, rows, columns, wh, ww, c]);
  let x = w.reshape(w.transpose(apart, [0, 1, 3, 2, 4, 5]), [-1, rows * wh, columns * ww, c]);
  const cut = (axis: number, from: number, to: number): void => {
    if (to < from) x = w.slice(x, axis, 0, to);
  };
  cut(1, rows * wh, modh);
  cut(2, columns * ww, modw);
  x = rolled(w, rolled(w, x, 1, (modh - sy) % modh, modh), 2, (modw - sx) % modw, modw);
  cut(1, modh, h);
  cut(2, modw, width);
  w.put(node.outputs[0]!, x);
};
