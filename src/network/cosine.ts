/** Attention by cosines (Swin V2, arXiv 2111.09883): rows of length 1, a factor for each head, and biases by distance that a small network gives. */
import { ABSENT, shapeOf } from '../graph/graph.ts';
import { emit } from '../ops/index.ts';
import type { Windows } from '../ops/window.ts';
import { append, type Builder, flat, weight, whole } from './builder.ts';

export interface Cosine {
  /** The tensor of the logarithms of the heads' factors, [heads, 1, 1]. */
  scale: string;
  /** The two layers that give biases from distances: `mlp`.0 and `mlp`.2. */
  mlp: string;
  /** The window that they were trained with; undefined: the block's own. */
  trained?: readonly [number, number] | undefined;
}

/** Units between the two layers. */
const HIDDEN = 512;

/** q, k, v: windows of a map, [B,T,C]. Factors and biases stay as they are, whatever learns. */
export function cosineAttention(
  b: Builder,
  [q, k, v]: readonly [number, number, number],
  name: string,
  heads: number,
  cosine: Cosine,
  windows: Windows,
): number {
  const shape = shapeOf(b.graph, q) as [number, number, number];
  const [n, t, c] = shape;
  const unit = (x: number, as: string): number => {
    const rows = append(b, 'Reshape', `${name}.${as}.heads`, [x], { shape: [n * t * heads, c / heads] });
    const y = append(b, 'RmsNorm', `${name}.${as}.unit`, [rows, ABSENT], { eps: 1e-12, unit: 1 });
    return append(b, 'Reshape', `${name}.${as}.joined`, [y], { shape });
  };
  const scaled = append(b, 'Affine', `${name}.scaled`, [unit(q, 'query'), factors(b, cosine.scale, heads, c), ABSENT]);
  const { wh, ww, rows, columns, sy, sx } = windows;
  const a = { heads, scale: 1, wh, ww, rows, columns, sy, sx };
  return append(b, 'Attention', name, [scaled, unit(k, 'key'), v, biases(b, cosine, heads, wh, ww)], a);
}

/** A factor for each channel of the queries. */
function factors(b: Builder, name: string, heads: number, c: number): number {
  const known = b.weights.get(`${name}.factors`);
  if (known !== undefined) return known;
  const source = { ...whole(name, [heads, 1, 1]), ...flat([heads]) };
  const logarithms = weight(b, { name, shape: [heads], kind: 'scale', role: 'temp', source });
  const made = weight(b, { name: `${name}.factors`, shape: [c], kind: 'scale', role: 'frozen' });
  emit(b.graph, 'HeadFactors', `${name}.exp`, [logarithms], {}, { phase: 'init', updates: [made] });
  return made;
}

/** The table of biases by distance. */
function biases(b: Builder, { mlp, trained }: Cosine, heads: number, wh: number, ww: number): number {
  const known = b.weights.get(`${mlp}.table`);
  if (known !== undefined) return known;
  const load = (of: string, shape: readonly number[]): number =>
    weight(b, { name: `${mlp}.${of}`, shape, kind: 'weight', role: 'temp', source: whole(`${mlp}.${of}`, shape) });
  const inputs = [load('0.weight', [HIDDEN, 2]), load('0.bias', [HIDDEN]), load('2.weight', [heads, HIDDEN])];
  const table = weight(b, { name: `${mlp}.table`, shape: [(2 * wh - 1) * (2 * ww - 1), heads], kind: 'weight', role: 'frozen' });
  const [tall, wide] = trained ?? [wh, ww];
  emit(b.graph, 'PositionTable', `${mlp}.biases`, inputs, { wh, ww, tall, wide }, { phase: 'init', updates: [table] });
  return table;
}
