/** Attention of queries to other rows than their own, or with a bias for every pair of places. */
import { addValue, i32, lastDim } from '../graph/graph.ts';
import { append, type Builder } from './builder.ts';

/** Queries, keys and values [B,T,C], the last two of `pairs` heads that others share, and behind them, where pairs have biases, a table [N,heads] of them and the row of it for every pair. */
export function crossAttention(b: Builder, inputs: number[], name: string, heads: number, pairs = heads): number {
  const attributes = { heads, pairs, scale: 1 / Math.sqrt(lastDim(b.graph, inputs[0]!) / heads) };
  return append(b, 'CrossAttention', name, inputs, attributes);
}

/** The row of a table of biases for every pair of `t` places, i32 [t,t]; made once for each name. */
export function pairRows(b: Builder, name: string, t: number, rowOf: (i: number, j: number) => number): number {
  const known = b.weights.get(name);
  if (known !== undefined) return known;
  const rows = Int32Array.from({ length: t * t }, (_, at) => rowOf(Math.floor(at / t), at % t));
  const id = addValue(b.graph, name, i32(t, t), 'table', { data: new Uint8Array(rows.buffer) });
  b.weights.set(name, id);
  return id;
}
