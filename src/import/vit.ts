/** ViT and DeiT, from Hugging Face and timm configurations. Source: arXiv 2010.11929, 2012.12877; layers as the checkpoints name them. */
import type { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { ABSENT, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, PROJECTIONS, weight, whole } from '../network/builder.ts';
import { layerScale, patches } from '../network/conv.ts';
import { crossAttention, pairRows } from '../network/crossattention.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import {
  activation,
  add,
  attention,
  classifier,
  dropout,
  embed,
  type LayerOptions,
  layerNorm,
  linear,
  pool,
  residual,
} from '../network/layer.ts';
import { emit } from '../ops/index.ts';
import { needDivides } from './stages.ts';

/**
 * The layer that gives queries, keys and values at once, or the three that do. `fused`: its tensors are this and `weight`, `bias`. `rows`: one
 * weight, and biases of queries and values that stand beside it.
 */
export type Qkv = string | { q: string; k: string; v: string } | { fused: string } | { rows: string; q: string; v: string };

/** Where a checkpoint keeps the layers of a transformer's block. */
export interface BlockNames {
  norm1: string;
  norm2: string;
  qkv: Qkv;
  out: string;
  fc1: string;
  fc2: string;
}

/** Where a checkpoint keeps each tensor. */
export interface VitNames {
  cls?: string;
  dist?: string;
  /** Absent: none are added. */
  positions?: string;
  /** Class token and positions have no axis of length 1 before theirs. */
  plain?: boolean;
  patches: string;
  /** Tokens between class token and patches that no head reads (arXiv 2309.16588), and how many. */
  registers?: { name: string; count: number };
  /** A norm of the embeddings; its patches have no bias. */
  preNorm?: string;
  block(i: number): BlockNames & {
    /** A second layer beside fc1, whose activation multiplies what fc1 puts out; `packed`: fc1 is both, the gate's rows first. */
    gate?: string | 'packed';
    /** A norm before fc2. */
    mlpNorm?: string;
    /** A bias for every pair of patches by how far they are apart, of every head; and one each for the class token, to and from patches and itself. */
    table?: string;
    scale?: [string, string];
  };
  /** After the blocks; absent: none that the head reads through. */
  norm?: string;
  /** What pools by a latent query. */
  latent?: string;
  heads: string[];
}

export interface Vit {
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
  /** Keys have no bias where queries and values have one. */
  noKeyBias?: boolean;
  /** Queries and keys of patches are turned by their place in the grid (RoFormer, arXiv 2104.09864). */
  rotary?: Rotary;
  /** Its blocks have a table of relative positions. */
  relative?: boolean;
  /** Do position embeddings have rows for the extra tokens? */
  positionsCoverTokens: boolean;
  antialias: boolean;
  /** `token`: the head reads the class token (and the distillation token where there are two heads). `mean`: the mean of the patches. `both`: one beside the other. `latent`: what one learnt query finds. */
  pool: 'token' | 'mean' | 'both' | 'latent';
  /** Norm before pooling, or after it (timm's fc_norm). */
  normFirst: boolean;
  names: VitNames;
}

/** Angles are a place times theta^(-4k/D) for every fourth of a head's D channels; places are steps of a grid of `reference` rows, or from -2π to 2π. */
export interface Rotary {
  theta: number;
  reference?: readonly [number, number];
  /** Pairs are channels that are neighbours, or half a head apart. */
  pairs: 'neighbours' | 'halves';
}

/** Throws where sizes do not fit each other. */
export function checkVit(where: string, { image, pretrainedImage, patch, dim, heads, rotary, relative }: Vit): void {
  const fault = (what: string, got: string, expected: string): never => {
    throw new InputError({ where, what, got, expected });
  };
  needDivides(where, 'hidden size does not divide into heads', dim, heads);
  if (rotary && (dim / heads) % 4 !== 0)
    fault('channels of a head do not divide into four for rotary positions', `${dim / heads}`, 'a multiple of 4');
  const reference = rotary?.reference;
  if (reference && image[0] * reference[1] !== image[1] * reference[0])
    fault('rotary positions were trained on a grid of other proportions', image.join('x'), reference.join(' to '));
  if (relative && (image[0] !== pretrainedImage[0] || image[1] !== pretrainedImage[1]))
    fault('relative positions are those of pictures of one size', image.join('x'), pretrainedImage.join('x'));
  if (patch[0] !== patch[1]) fault('patches are not square', patch.join('x'), 'equal height and width');
  for (const [h, w] of [image, pretrainedImage]) {
    if (h % patch[0] !== 0 || w % patch[1] !== 0)
      fault('image size is not a multiple of the patch size', `${h}x${w}`, `multiples of ${patch[0]}`);
  }
}

/** As a family has it. */
export const vitProjections = ({ qkvBias, noKeyBias, depth, dim, names }: Vit): { layers: string[]; n: number }[] =>
  qkvBias || noKeyBias ? [] : Array.from({ length: depth }, (_, i) => ({ layers: layersOf(names.block(i).qkv), n: dim }));

/** One fused layer, or three. */
export const layersOf = (qkv: Qkv): string[] =>
  typeof qkv === 'string' ? [qkv] : 'k' in qkv ? [qkv.q, qkv.k, qkv.v] : 'rows' in qkv ? [qkv.rows] : [qkv.fused];

/** Queries (part 0), keys (1) or values (2), `n` wide. */
export function projection(b: Builder, x: number, qkv: Qkv, part: 0 | 1 | 2, n: number, options: LayerOptions): number {
  if (typeof qkv !== 'string' && 'k' in qkv) return linear(b, x, [qkv.q, qkv.k, qkv.v][part]!, n, options);
  const rows = { start: part * n, of: 3 * n };
  if (typeof qkv !== 'string' && 'rows' in qkv) {
    const beside = [qkv.q, undefined, qkv.v][part];
    return linear(b, x, qkv.rows, n, { ...options, rows, ...(options.bias && beside ? { biasTensor: beside } : {}) });
  }
  return typeof qkv === 'string'
    ? linear(b, x, qkv, n, { ...options, rows })
    : linear(b, x, qkv.fused.replace(/_$/, ''), n, { ...options, rows, tensors: '_' });
}

/** x: pixels [B,H,W,C]; returns logits [B,classes]. */
export function vit(b: Builder, x: number, spec: Vit, classes: number): number {
  const { names, dim, patch } = spec;
  const grid = (image: readonly [number, number]): [number, number] => [Math.floor(image[0] / patch[0]), Math.floor(image[1] / patch[1])];
  const tokens = (names.cls ? 1 : 0) + (names.dist ? 1 : 0);
  const rows = patches(b, x, names.patches, dim, patch, 'dropped', { bias: names.preNorm === undefined });
  let h = embed(b, rows, names.cls, names.dist, {
    name: names.positions,
    prefix: spec.positionsCoverTokens ? tokens : 0,
    from: grid(spec.pretrainedImage),
    to: grid(spec.image),
    antialias: spec.antialias,
    ...(names.plain ? { plain: true } : {}),
  });
  if (names.registers) h = addRegisters(b, h, names.registers, tokens);
  const extra = tokens + (names.registers?.count ?? 0);
  h = dropout(b, h, 'embeddings', 'embeddings');
  if (names.preNorm) h = layerNorm(b, h, names.preNorm, spec.eps);
  const blocks = { count: depthOf(b.method, spec.depth), extraTokens: extra, grid: grid(spec.image) };
  for (let i = 0; i < blocks.count; i++) h = block(b, enterBlock(b, h, i, blocks), spec, i);
  leaveBlocks(b, blocks);

  const norm = (x: number): number => (names.norm === undefined ? x : layerNorm(b, x, names.norm, spec.eps));
  const [head, distHead] = names.heads as [string, string?];
  if (spec.pool === 'mean') {
    const features = spec.normFirst ? pool(b, norm(h), 'pool', extra) : norm(pool(b, h, 'pool', extra));
    return classifier(b, features, head, classes);
  }
  if (spec.pool === 'latent') return classifier(b, latentPool(b, norm(h), names.latent!, spec), head, classes);
  if (spec.pool === 'both') {
    const normed = norm(h);
    const parts = [pool(b, normed, 'pool.0', 0, 1), pool(b, normed, 'pool', extra)];
    return classifier(b, append(b, 'Concat', 'features', parts, { axis: 1 }), head, classes);
  }
  // A norm works row by row, so the rows that the head does not read are dropped before it.
  const token = (row: number): number => norm(pool(b, h, `pool.${row}`, row, 1));
  if (distHead === undefined) return classifier(b, token(0), head, classes);
  // The checkpoint averages two heads; a new one reads the mean of their two tokens, which is the same with half the weights.
  if (b.head === 'new') return classifier(b, add(b, token(0), token(1), 'features', 0.5), head, classes);
  return add(b, classifier(b, token(0), head, classes), classifier(b, token(1), distHead, classes), 'logits', 0.5);
}

/** One query, the same for every picture, attends to all rows (Set Transformer, arXiv 1810.00825); then an MLP. Returns [B,C]. */
function latentPool(b: Builder, x: number, name: string, { dim, heads, mlp, eps, activation: kind }: Vit): number {
  const nothing = weight(b, { name: `${name}.zeros`, shape: [dim], kind: 'scale', role: 'frozen' });
  const latent = weight(b, { name: `${name}.latent`, shape: [1, dim], kind: 'embedding', source: whole(`${name}.latent`, [1, 1, dim]) });
  const room = append(b, 'Slice', `${name}.room`, [x], { axis: 1, from: 0, count: 1 });
  const queries = append(b, 'BroadcastAdd', `${name}.queries`, [append(b, 'Affine', `${name}.zero`, [room, nothing, ABSENT]), latent]);
  const part = (i: 0 | 1): number => linear(b, x, `${name}.kv`, dim, { rows: { start: i * dim, of: 2 * dim }, biasNeverLearns: i === 0 });
  const mixed = crossAttention(b, [linear(b, queries, `${name}.q`, dim), part(0), part(1)], `${name}.attention`, heads);
  const out = linear(b, mixed, `${name}.proj`, dim);
  const wide = activation(b, linear(b, layerNorm(b, out, `${name}.norm`, eps), `${name}.mlp.fc1`, mlp), `${name}.mlp.act`, kind);
  return pool(b, add(b, out, linear(b, wide, `${name}.mlp.fc2`, dim), `${name}.add`), 'pool', 0, 1);
}

/** Registers behind the first `tokens` rows: the same rows for every picture, which nothing but a sum with zeros puts beside them. */
function addRegisters(b: Builder, x: number, { name, count }: { name: string; count: number }, tokens: number): number {
  const [, rows, c] = shapeOf(b.graph, x) as [number, number, number];
  const nothing = weight(b, { name: `${name}.zeros`, shape: [c], kind: 'scale', role: 'frozen' });
  const registers = weight(b, { name, shape: [count, c], kind: 'embedding', source: whole(name, [1, count, c]) });
  const part = (of: string, from: number, n: number): number => append(b, 'Slice', `${name}.${of}`, [x], { axis: 1, from, count: n });
  const zeros = append(b, 'Affine', `${name}.zero`, [part('room', rows - count, count), nothing, ABSENT]);
  const between = append(b, 'BroadcastAdd', `${name}.rows`, [zeros, registers]);
  const patches = tokens === 0 ? x : part('patches', tokens, rows - tokens);
  return append(b, 'Concat', `${name}.all`, [...(tokens === 0 ? [] : [part('tokens', 0, tokens)]), between, patches], { axis: 1 });
}

function block(b: Builder, x: number, spec: Vit, i: number): number {
  const { dim, heads, eps, qkvBias } = spec;
  const names = spec.names.block(i);
  const prefix = names.norm1.replace(/\.[^.]*$/, '');
  const h = layerNorm(b, x, names.norm1, eps);
  const project = (part: 0 | 1 | 2): number => {
    const bias = qkvBias && !(spec.noKeyBias && part === 1);
    const y = projection(b, h, names.qkv, part, dim, { bias, biasNeverLearns: part === 1, role: PROJECTIONS[part] });
    return spec.rotary && part !== 2 ? turned(b, y, `${prefix}.rotary.${part}`, spec) : y;
  };
  const qkv = [project(0), project(1), project(2)] as const;
  const mixed = names.table
    ? relativeAttention(b, qkv, names.table, `${prefix}.attention`, spec)
    : attention(b, ...qkv, `${prefix}.attention`, heads);
  const out = linear(b, mixed, names.out, dim);
  if (names.scale) layerScale(b, names.out, names.scale[0]);
  const middle = residual(b, x, dropout(b, out, names.out), `${prefix}.add1`);
  const down = linear(b, hidden(b, layerNorm(b, middle, names.norm2, eps), spec, names, prefix), names.fc2, dim);
  if (names.scale) layerScale(b, names.fc2, names.scale[1]);
  return residual(b, middle, dropout(b, down, names.fc2), `${prefix}.add2`);
}

/** What the second layer of an MLP reads: fc1's activation, or SwiGLU's product (arXiv 2002.05202). */
function hidden(b: Builder, x: number, spec: Vit, { fc1, gate, mlpNorm }: ReturnType<VitNames['block']>, prefix: string): number {
  const act = (h: number): number => activation(b, h, `${prefix}.activation`, spec.activation);
  if (gate === undefined) return act(linear(b, x, fc1, spec.mlp));
  const rows = (start: number): LayerOptions => (gate === 'packed' ? { rows: { start, of: 2 * spec.mlp } } : {});
  const gated = act(linear(b, x, gate === 'packed' ? fc1 : gate, spec.mlp, rows(0)));
  const product = append(b, 'Multiply', `${prefix}.gate`, [gated, linear(b, x, fc1, spec.mlp, rows(spec.mlp))]);
  return mlpNorm ? layerNorm(b, product, mlpNorm, spec.eps) : product;
}

/** Queries or keys, those of patches turned. */
function turned(b: Builder, x: number, name: string, { rotary, heads, dim, image, patch, names }: Vit): number {
  const { theta, reference, pairs } = rotary!;
  const [h, w] = [image[0] / patch[0], image[1] / patch[1]];
  const known = b.weights.get('rotary');
  const table = weight(b, { name: 'rotary', shape: [h * w, dim / heads], kind: 'scale', role: 'frozen' });
  if (known === undefined) {
    const places = reference ? { scale: reference[0] / h, centred: 0 } : { scale: 2 * Math.PI, centred: 1 };
    emit(b.graph, 'RotaryTable', 'rotary.table', [], { h, w, theta, ...places }, { phase: 'init', updates: [table] });
  }
  const first = (names.cls ? 1 : 0) + (names.dist ? 1 : 0) + (names.registers?.count ?? 0);
  return append(b, 'Rotary', name, [x, table], { heads, first, neighbours: pairs === 'neighbours' ? 1 : 0 });
}

/** Attention with a bias by relative position: row (dy + H-1)·(2W-1) + dx + W-1 of the table for two patches, its last three for the class token. */
function relativeAttention(
  b: Builder,
  qkv: readonly [number, number, number],
  name: string,
  node: string,
  { heads, image, patch }: Vit,
): number {
  const [h, w] = [image[0] / patch[0], image[1] / patch[1]];
  const pairs = (2 * h - 1) * (2 * w - 1);
  const shape = [pairs + 3, heads];
  const table = weight(b, { name, shape, kind: 'weight', source: whole(name, shape) });
  return crossAttention(b, [...qkv, table, relativeRows(b, h, w, pairs)], node, heads);
}

/** The row of the table for every pair of tokens, the class token first. */
const relativeRows = (b: Builder, h: number, w: number, pairs: number): number =>
  pairRows(b, 'relative.index', 1 + h * w, (i, j) => {
    if (i === 0 || j === 0) return pairs + (i === 0 && j === 0 ? 2 : i === 0 ? 0 : 1);
    const down = Math.floor((i - 1) / w) - Math.floor((j - 1) / w);
    const across = ((i - 1) % w) - ((j - 1) % w);
    return (down + h - 1) * (2 * w - 1) + across + w - 1;
  });
