/** ViT and DeiT, from Hugging Face and timm configurations. Source: arXiv 2010.11929, 2012.12877; layers as the checkpoints name them. */
import type { Kind } from '../../assembly/generated/kinds.ts';
import { depthOf } from '../network/blocks.ts';
import { type Builder, PROJECTIONS } from '../network/builder.ts';
import { layerScale, patches } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, add, attention, classifier, dropout, embed, layerNorm, linear, pool, residual } from '../network/layer.ts';

/** Where a checkpoint keeps each tensor. */
export interface VitNames {
  cls?: string;
  dist?: string;
  positions: string;
  patches: string;
  block(i: number): {
    norm1: string;
    norm2: string;
    out: string;
    fc1: string;
    fc2: string;
    qkv: string | { q: string; k: string; v: string };
    scale?: [string, string];
  };
  norm: string;
  heads: string[];
}

export interface Vit {
  family: 'vit';
  image: readonly [number, number];
  /** Image size that the checkpoint's position embeddings were made for. */
  pretrainedImage: readonly [number, number];
  patch: readonly [number, number];
  dim: number;
  depth: number;
  heads: number;
  mlp: number;
  eps: number;
  activation: Kind;
  qkvBias: boolean;
  /** Do position embeddings have rows for the extra tokens? */
  positionsCoverTokens: boolean;
  antialias: boolean;
  /** `token`: the head reads the class token (and the distillation token where there are two heads). `mean`: the mean of the patches. */
  pool: 'token' | 'mean';
  /** Norm before pooling, or after it (timm's fc_norm). */
  normFirst: boolean;
  names: VitNames;
}

/** x: pixels [B,H,W,3]; returns logits [B,classes]. */
export function vit(b: Builder, x: number, spec: Vit, classes: number): number {
  const { names, dim, patch } = spec;
  const grid = (image: readonly [number, number]): [number, number] => [Math.floor(image[0] / patch[0]), Math.floor(image[1] / patch[1])];
  const extra = (names.cls ? 1 : 0) + (names.dist ? 1 : 0);
  let h = embed(b, patches(b, x, names.patches, dim, patch), names.cls, names.dist, {
    name: names.positions,
    prefix: spec.positionsCoverTokens ? extra : 0,
    from: grid(spec.pretrainedImage),
    to: grid(spec.image),
    antialias: spec.antialias,
  });
  h = dropout(b, h, 'embeddings', 'embeddings');
  const blocks = { count: depthOf(b.method, spec.depth), extraTokens: extra, grid: grid(spec.image) };
  for (let i = 0; i < blocks.count; i++) h = block(b, enterBlock(b, h, i, blocks), spec, i);
  leaveBlocks(b, blocks);

  const norm = (x: number): number => layerNorm(b, x, names.norm, spec.eps);
  const [head, distHead] = names.heads as [string, string?];
  if (spec.pool === 'mean') {
    const features = spec.normFirst ? pool(b, norm(h), 'pool', extra) : norm(pool(b, h, 'pool', extra));
    return classifier(b, features, head, classes);
  }
  // A norm works row by row, so the rows that the head does not read are dropped before it.
  const token = (row: number): number => norm(pool(b, h, `pool.${row}`, row, 1));
  if (distHead === undefined) return classifier(b, token(0), head, classes);
  // The checkpoint averages two heads; a new one reads the mean of their two tokens, which is the same with half the weights.
  if (b.head === 'new') return classifier(b, add(b, token(0), token(1), 'features', 0.5), head, classes);
  return add(b, classifier(b, token(0), head, classes), classifier(b, token(1), distHead, classes), 'logits', 0.5);
}

function block(b: Builder, x: number, spec: Vit, i: number): number {
  const { dim, heads, eps, qkvBias } = spec;
  const names = spec.names.block(i);
  const prefix = names.norm1.replace(/\.[^.]*$/, '');
  const h = layerNorm(b, x, names.norm1, eps);
  const project = (part: 0 | 1 | 2): number => {
    const options = { bias: qkvBias, biasNeverLearns: part === 1, role: PROJECTIONS[part] };
    if (typeof names.qkv === 'string') return linear(b, h, names.qkv, dim, { ...options, rows: { start: part * dim, of: 3 * dim } });
    return linear(b, h, [names.qkv.q, names.qkv.k, names.qkv.v][part]!, dim, options);
  };
  const mixed = attention(b, project(0), project(1), project(2), `${prefix}.attention`, heads);
  const out = linear(b, mixed, names.out, dim);
  if (names.scale) layerScale(b, names.out, names.scale[0]);
  const middle = residual(b, x, dropout(b, out, names.out), `${prefix}.add1`);
  const hidden = linear(b, layerNorm(b, middle, names.norm2, eps), names.fc1, spec.mlp);
  const down = linear(b, activation(b, hidden, `${prefix}.activation`, spec.activation), names.fc2, dim);
  if (names.scale) layerScale(b, names.fc2, names.scale[1]);
  return residual(b, middle, dropout(b, down, names.fc2), `${prefix}.add2`);
}
