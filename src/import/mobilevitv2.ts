/** MobileViTV2 (arXiv 2206.02680), timm's: MobileViT whose pixels attend in linear time, one score a place where others have one a pair. */
import { Resizing } from '../../assembly/abi/ops/resize.ts';
import { Kind } from '../../assembly/generated/kinds.ts';
import type { Config } from '../formats/config.ts';
import { addValue, f32, lastDim, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder, weight } from '../network/builder.ts';
import { type ConvNames, conv } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, groupNorm, pool, residual } from '../network/layer.ts';
import type { Size } from './family.ts';
import { divisible } from './huggingface.ts';
import { active, type Inverted, inverted, one, sameGraph, timmInverted, timmNamed } from './mobilevit.ts';
import { inputSize } from './timm.ts';

interface Attending {
  kind: 'attending';
  name: string;
  dim: number;
  depth: number;
}

export interface MobileVitV2 {
  image: readonly [number, number];
  stem: number;
  blocks: (Inverted | Attending)[];
}

const EPS = 1e-5;
const PATCH = 2;
const ACTIVE = { activation: Kind.Silu };
const plain = (name: string): ConvNames => ({ conv: name, eps: 0 });

/** x: pixels [B,H,W,C]; returns logits. */
export function mobileVitV2(b: Builder, x: number, spec: MobileVitV2, classes: number): number {
  const blocks = { count: depthOf(b.method, spec.blocks.length), extraTokens: 0 };
  const stem = timmNamed('stem');
  let h = active(b, one(b, x, stem, spec.stem, 3, 2), stem, ACTIVE);
  for (const [i, block] of spec.blocks.slice(0, blocks.count).entries()) {
    const entry = enterBlock(b, h, i, blocks);
    h = block.kind === 'inverted' ? inverted(b, entry, block, ACTIVE) : attending(b, entry, block);
  }
  leaveBlocks(b, blocks);
  return classifier(b, pool(b, h, 'pool'), 'head.fc', classes);
}

/** A map that patches do not cover is resized, and stays so. */
function attending(b: Builder, x: number, { name, dim, depth }: Attending): number {
  const [batch, height, width, c] = shapeOf(b.graph, x) as [number, number, number, number];
  const [rows, columns] = [Math.ceil(height / PATCH), Math.ceil(width / PATCH)];
  const [oh, ow] = [rows * PATCH, columns * PATCH];
  const fits = oh === height && ow === width;
  const fitted = fits ? x : append(b, 'Resize', `${name}.fitted`, [x], { oh, ow, mode: Resizing.Corners });
  const local = timmNamed(`${name}.conv_kxk`);
  const map = one(
    b,
    active(b, one(b, fitted, local, c, 3, 1, true), local, ACTIVE),
    { conv: `${name}.conv_1x1`, bare: true, eps: 0 },
    dim,
    1,
  );
  // [B,H,W,C] becomes [B, place in its patch, patch, C].
  const cut = {
    dims: [batch, rows, PATCH, columns, PATCH, dim],
    perm: [0, 2, 4, 1, 3, 5],
    shape: [batch, PATCH * PATCH, rows * columns, dim],
  };
  let t = append(b, 'Rearrange', `${name}.patches`, [map], cut);
  for (let i = 0; i < depth; i++) t = transformer(b, t, `${name}.transformer.${i}`);
  const whole = { dims: [batch, PATCH, PATCH, rows, columns, dim], perm: [0, 3, 1, 4, 2, 5], shape: [batch, oh, ow, dim] };
  const folded = append(b, 'Rearrange', `${name}.map`, [groupNorm(b, t, `${name}.norm`, 1, EPS)], whole);
  return one(b, folded, timmNamed(`${name}.conv_proj`), c, 1);
}

/** x: [B, place in its patch, patch, C]. */
function transformer(b: Builder, x: number, at: string): number {
  const dim = lastDim(b.graph, x);
  const mixed = one(b, linearAttention(b, groupNorm(b, x, `${at}.norm1`, 1, EPS), `${at}.attn`), plain(`${at}.attn.out_proj`), dim, 1);
  const middle = residual(b, x, mixed, `${at}.add1`);
  const wide = one(b, groupNorm(b, middle, `${at}.norm2`, 1, EPS), plain(`${at}.mlp.fc1`), 2 * dim, 1);
  const hidden = activation(b, wide, `${at}.mlp.fc1.act`, Kind.Silu);
  return residual(b, middle, one(b, hidden, plain(`${at}.mlp.fc2`), dim, 1), `${at}.add2`);
}

/** Keys of the same place of all patches, by the softmax of their scores, make one context, which weighs the values. The scores are attention's where the query is 1. */
function linearAttention(b: Builder, x: number, at: string): number {
  const [batch, places, patches, dim] = shapeOf(b.graph, x) as [number, number, number, number];
  const fused = conv(b, x, plain(`${at}.qkv_proj`), 1 + 2 * dim, { kernel: 1, stride: 1, tfPadding: false });
  const part = (from: number, count: number, as: string): number => {
    const own = append(b, 'Slice', `${at}.${as}`, [fused], { axis: -1, from, count });
    return append(b, 'Reshape', `${at}.${as}.rows`, [own], { shape: [batch * places, patches, count] });
  };
  const attributes = { heads: 1, pairs: 1, scale: 1 };
  const score = part(0, 1, 'score');
  const inputs = [units(b, score, `${at}.query`), score, part(1, dim, 'key')];
  const context = append(b, 'CrossAttention', `${at}.context`, inputs, attributes);
  const value = activation(b, part(1 + dim, dim, 'value'), `${at}.value.act`, Kind.Relu);
  const shape = [batch, places, patches, dim];
  return append(b, 'Reshape', `${at}.joined`, [append(b, 'Gate', `${at}.gate`, [value, context])], { shape });
}

/** A one for each row of scores [n,T,1], as many as there are pictures: [n,1,1]. */
function units(b: Builder, scores: number, name: string): number {
  const first = append(b, 'Slice', `${name}.room`, [scores], { axis: 1, from: 0, count: 1 });
  const nothing = weight(b, { name: 'units.nothing', shape: [1], kind: 'scale', role: 'frozen' });
  const known = b.weights.get('units.unit');
  const unit = known ?? addValue(b.graph, 'units.unit', f32(1), 'table', { data: new Uint8Array(Float32Array.of(1).buffer) });
  b.weights.set('units.unit', unit);
  return append(b, 'Affine', name, [first, nothing, unit]);
}

const NAME = /^mobilevitv2_(050|075|100|125|150|175|200)$/;
export const isTimmMobileVitV2 = (name: string): boolean => NAME.test(name);
/** Transformer layers of the three stages with attention. */
const DEPTHS = [2, 4, 3];

export function timmMobileVitV2(name: string, c: Config, image: Size): MobileVitV2 {
  sameGraph(c);
  const factor = Number(NAME.exec(name)![1]) / 100;
  const widths = [32, 64, 128, 256, 384, 512].map((n) => Math.floor(n * factor)) as [number, number, number, number, number, number];
  const block = (at: string, reads: number, out: number, stride: number): Inverted =>
    timmInverted(at, divisible(reads * 2, 8, 8), out, stride);
  return {
    image: image ?? inputSize(c) ?? [256, 256],
    stem: widths[0],
    blocks: [
      block('stages.0.0', widths[0], widths[1], 1),
      block('stages.1.0', widths[1], widths[2], 2),
      block('stages.1.1', widths[2], widths[2], 1),
      ...DEPTHS.flatMap((depth, i): (Inverted | Attending)[] => {
        const out = widths[i + 3]!;
        const at = `stages.${i + 2}`;
        return [block(`${at}.0`, widths[i + 2]!, out, 2), { kind: 'attending', name: `${at}.1`, dim: divisible(out * 0.5, 8, 8), depth }];
      }),
    ],
  };
}
