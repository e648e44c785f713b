/** Attention, spelled out as exporters spell it, and rotary positions. */
import { ABSENT, type Node, shapeOf } from '../../../graph/graph.ts';
import type { Writer } from '../writer.ts';
import type { Rule } from './rule.ts';

type Three = [number, number, number];
const [Q, K, V, BIAS, INDEX] = [0, 1, 2, 3, 4];

/** [B,T,heads·D] as [B,heads,T,D], or the transpose of that in its last axes. */
function headsOf(w: Writer, id: number, heads: number, perm: readonly number[]): string {
  const [, t, c] = shapeOf(w.graph, id) as Three;
  return w.transpose(w.reshape(w.value(id), [-1, t, heads, c / heads]), perm);
}
const ROWS = [0, 2, 1, 3];
const COLUMNS = [0, 2, 3, 1];

/** [B,heads,T,D] back as [B,T,heads·D]. */
const joined = (w: Writer, x: string, t: number, c: number): string => w.reshape(w.transpose(x, ROWS), [-1, t, c]);

/** Scores with `extra`, [W,·,TQ,TK] for W windows of a picture, added. */
function addedByWindow(w: Writer, scores: string, extra: string, windows: number, shape: readonly [number, number, number]): string {
  const apart = w.reshape(scores, [-1, windows, ...shape]);
  return w.reshape(w.node('Add', [apart, extra]), [-1, ...shape]);
}

/** bias[heads,T,T] from a table of relative positions [(2·wh-1)·(2·ww-1), heads]. */
function biasOf(table: Float32Array, heads: number, wh: number, ww: number): Float32Array {
  const t = wh * ww;
  const out = new Float32Array(heads * t * t);
  for (let i = 0; i < t; i++)
    for (let j = 0; j < t; j++) {
      const down = Math.floor(i / ww) - Math.floor(j / ww) + wh - 1;
      const row = down * (2 * ww - 1) + (i % ww) - (j % ww) + ww - 1;
      for (let h = 0; h < heads; h++) out[(h * t + i) * t + j] = table[row * heads + h]!;
    }
  return out;
}

/** -100 between the regions that a shift has brought together, [windows,1,1,T,T]. */
function maskOf({ wh, ww, rows, columns, sy, sx }: Record<string, number>): number[] {
  const out: number[] = [];
  const t = wh! * ww!;
  for (let r = 0; r < rows!; r++)
    for (let c = 0; c < columns!; c++) {
      const cutY = r === rows! - 1 ? wh! - sy! : wh!;
      const cutX = c === columns! - 1 ? ww! - sx! : ww!;
      const region = (i: number): number => (Math.floor(i / ww!) < cutY ? 0 : 2) + (i % ww! < cutX ? 0 : 1);
      for (let i = 0; i < t; i++) for (let j = 0; j < t; j++) out.push(region(i) === region(j) ? 0 : -100);
    }
  return out;
}

export const Attention: Rule = (node, w) => {
  const [, t, c] = shapeOf(w.graph, node.inputs[Q]!) as Three;
  const { heads, scale, wh, ww, rows, columns, sy, sx } = node.attributes as Record<string, number>;
  const table = node.inputs[BIAS] ?? ABSENT;
  const products = w.node('MatMul', [headsOf(w, node.inputs[Q]!, heads!, ROWS), headsOf(w, node.inputs[K]!, heads!, COLUMNS)]);
  let scores = w.node('Mul', [products, w.number(scale!)]);
  if (table !== ABSENT) {
    scores = w.node('Add', [scores, w.floats('bias', [1, heads!, t, t], biasOf(w.valuesOf(table), heads!, wh!, ww!))]);
    const windows = rows! * columns!;
    if (sy || sx) {
      const mask = w.floats('mask', [windows, 1, t, t], maskOf(node.attributes));
      scores = addedByWindow(w, scores, mask, windows, [heads!, t, t]);
    }
  }
  const shares = w.node('Softmax', [scores], { axis: -1 });
  w.put(node.outputs[0]!, joined(w, w.node('MatMul', [shares, headsOf(w, node.inputs[V]!, heads!, ROWS)]), t, c));
};

/** Heads of keys or values, each as often as query heads share it. */
const shared = (w: Writer, x: string, heads: number, pairs: number): string =>
  heads === pairs
    ? x
    : w.node('Gather', [x, w.ints(...Array.from({ length: heads }, (_, h) => Math.floor(h / (heads / pairs))))], { axis: 1 });

/** The bias of CrossAttention: a table that an index reads, or as it is; undefined: none. */
function crossBias(node: Node, w: Writer, tq: number, tk: number): { name: string; windows: number } | undefined {
  const [bias, index] = [node.inputs[BIAS] ?? ABSENT, node.inputs[INDEX] ?? ABSENT];
  if (bias === ABSENT) return undefined;
  const shape = shapeOf(w.graph, bias);
  if (index === ABSENT) return { name: w.value(bias), windows: w.isKnown(bias) ? shape[0]! : 1 };
  const { heads } = node.attributes as { heads: number };
  const [rows] = shape as [number];
  const { data } = w.graph.values[index]!;
  if (data === undefined || !w.isKnown(bias)) throw w.refusal(node, 'a table of positions that is computed');
  const [table, at] = [w.valuesOf(bias), new Int32Array(data.slice().buffer)];
  const values = Float32Array.from({ length: heads * tq * tk }, (_, i) => {
    const row = at[i % (tq * tk)]!;
    return row >= 0 && row < rows ? table[row * heads + Math.floor(i / (tq * tk))]! : 0;
  });
  return { name: w.floats('bias', [1, heads, tq, tk], values), windows: 1 };
}

export const CrossAttention: Rule = (node, w) => {
  const [q, k, v] = [node.inputs[Q]!, node.inputs[K]!, node.inputs[V]!];
  const { heads, pairs, scale } = node.attributes as Record<'heads' | 'pairs' | 'scale', number>;
  const [tq, tk] = [shapeOf(w.graph, q)[1]!, shapeOf(w.graph, k)[1]!];
  const keys = shared(w, headsOf(w, k, pairs, COLUMNS), heads, pairs);
  const values = shared(w, headsOf(w, v, pairs, ROWS), heads, pairs);
  let scores = w.node('Mul', [w.node('MatMul', [headsOf(w, q, heads, ROWS), keys]), w.number(scale)]);
  const bias = crossBias(node, w, tq, tk);
  if (bias !== undefined)
    scores = bias.windows > 1 ? addedByWindow(w, scores, bias.name, bias.windows, [heads, tq, tk]) : w.node('Add', [scores, bias.name]);
  const shares = w.node('Softmax', [scores], { axis: -1 });
  const [, , c] = shapeOf(w.graph, node.outputs[0]!) as Three;
  w.put(node.outputs[0]!, joined(w, w.node('MatMul', [shares, values]), tq, c));
};

/** Pairs of channels turned: x by cosines, and its channels in another order by sines with their signs. */
export const Rotary: Rule = (node, w) => {
  const [x, table] = node.inputs as [number, number];
  const [, t, c] = shapeOf(w.graph, x) as Three;
  const { heads, first, neighbours, back = 0 } = node.attributes as Record<string, number>;
  const d = c / heads!;
  const turned = shapeOf(w.graph, table)[1]!;
  const half = turned / 2;
  const angles = w.valuesOf(table);
  const cosines = new Float32Array(t * d).fill(1);
  const sines = new Float32Array(t * d);
  const order = Array.from({ length: d }, (_, i) => i);
  for (let pair = 0; pair < half; pair++) {
    const [a, b] = neighbours ? [2 * pair, 2 * pair + 1] : [pair, pair + half];
    [order[a], order[b]] = [b, a];
    for (let row = first!; row < t; row++) {
      const at = (row - first!) * turned + pair;
      const sine = angles[at + half]! * (back ? -1 : 1);
      cosines[row * d + a] = cosines[row * d + b] = angles[at]!;
      sines[row * d + a] = -sine;
      sines[row * d + b] = sine;
    }
  }
  const apart = w.reshape(w.value(x), [-1, t, heads!, d]);
  const straight = w.node('Mul', [apart, w.floats('cosines', [t, 1, d], cosines)]);
  const crossed = w.node('Mul', [w.node('Gather', [apart, w.ints(...order)], { axis: 3 }), w.floats('sines', [t, 1, d], sines)]);
  w.put(node.outputs[0]!, w.reshape(w.node('Add', [straight, crossed]), [-1, t, c]));
};
