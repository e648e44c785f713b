/**
 * Low-rank prompt: x + A·B on every picture, A [positions, r], B [r, C] (arXiv 2503.08154). A starts normal, B zero, so step 0 is the
 * pretrained network. On feature maps prompts begin where at most 784 positions are left: before, A alone would be most of what learns.
 */

import { lastDim, numel, shapeOf } from '../graph/graph.ts';
import { append, type Builder, learns, newWeight } from './builder.ts';

export const MOST_POSITIONS = 784;

export function addPrompt(b: Builder, x: number, i: number, { rank }: { rank: number }): number {
  const shape = shapeOf(b.graph, x);
  const positions = numel(shape.slice(1, -1));
  const c = lastDim(b.graph, x);
  if (!learns(b) || (shape.length === 4 && positions > MOST_POSITIONS)) return x;
  const name = `prompt.${i}`;
  const a = newWeight(b, { name: `${name}.A`, shape: [positions, rank], kind: 'embedding', deviation: 1 / Math.sqrt(rank) });
  // B is stored as a linear layer's weight, [C, r]; on disk it is [r, C].
  const layout = { shape: [rank, c], dims: [1, rank, c] as const, strides: [0, 1, rank] as const };
  const w = newWeight(b, { name: `${name}.B`, shape: [c, rank], kind: 'embedding', layout });
  b.joins.set(w, x);
  const prompt = append(b, 'Linear', `${name}.product`, [a, w, -1]);
  return append(b, 'BroadcastAdd', `${name}.add`, [x, prompt]);
}
