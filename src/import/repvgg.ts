/**
 * RepVGG (arXiv 2101.03697) and MobileOne (2206.04040), as timm has them: plain convolutions at inference, each of which was trained as several
 * branches with batch norms. Branches are merged before the first step, or come merged in the file (`reparam_conv`).
 */
import { Kind } from '../../assembly/generated/kinds.ts';
import { absent, type Config, only, real, section } from '../formats/config.ts';
import type { Branch } from '../network/conv.ts';
import type { Chain, ConvBlock, ConvLayer, Squeeze } from './chain.ts';
import type { Size } from './family.ts';
import { divisible } from './huggingface.ts';
import { holds } from './published.ts';
import { inputSize } from './timm.ts';

interface Design {
  kind: 'vgg' | 'one';
  stem: number;
  depths: readonly number[];
  widths: readonly number[];
  /** Groups of every second convolution of a RepVGG's stage. */
  groups: number;
  /** Branches of a MobileOne's convolutions. */
  branches: number;
  /** How many of a stage's last blocks weigh their channels, and to which share they reduce them. */
  weighs: readonly number[];
  share: { ratio: number; divisor: number };
}

const CHANNELS = [64, 128, 256, 512];
const [NONE, ALL] = [
  [0, 0, 0, 0],
  [99, 99, 99, 99],
];
const design = (kind: Design['kind'], depths: readonly number[], factors: readonly number[], more: Partial<Design> = {}): Design => ({
  ...{ kind, depths, stem: 64, widths: CHANNELS.map((n, s) => n * factors[s]!), groups: 1, branches: 1, weighs: NONE! },
  share: { ratio: 1 / 16, divisor: 8 },
  ...more,
});
const [A, B, D, ONE] = [
  [2, 4, 14, 1],
  [4, 6, 16, 1],
  [8, 14, 24, 1],
  [2, 8, 10, 1],
] as [number[], number[], number[], number[]];
const wide = (n: number, last: number): number[] => [n, n, n, last];
const FOUR = { groups: 4 };
const DESIGNS: Readonly<Record<string, Design>> = {
  repvgg_a0: design('vgg', A, wide(0.75, 2.5), { stem: 48 }),
  repvgg_a1: design('vgg', A, wide(1, 2.5)),
  repvgg_a2: design('vgg', A, wide(1.5, 2.75)),
  repvgg_b0: design('vgg', B, wide(1, 2.5)),
  repvgg_b1: design('vgg', B, wide(2, 4)),
  repvgg_b1g4: design('vgg', B, wide(2, 4), FOUR),
  repvgg_b2: design('vgg', B, wide(2.5, 5)),
  repvgg_b2g4: design('vgg', B, wide(2.5, 5), FOUR),
  repvgg_b3: design('vgg', B, wide(3, 5)),
  repvgg_b3g4: design('vgg', B, wide(3, 5), FOUR),
  repvgg_d2se: design('vgg', D, wide(2.5, 5), { weighs: ALL!, share: { ratio: 1 / 16, divisor: 1 } }),
  mobileone_s0: design('one', ONE, [0.75, 1, 1, 2], { stem: 48, branches: 4 }),
  mobileone_s1: design('one', ONE, [1.5, 1.5, 2, 2.5]),
  mobileone_s2: design('one', ONE, [1.5, 2, 2.5, 4]),
  mobileone_s3: design('one', ONE, [2, 2.5, 3, 4]),
  mobileone_s4: design('one', ONE, [3, 3.5, 3.5, 4], { weighs: [0, 0, 5, 1] }),
};
export const isTimmRep = (name: string): boolean => Object.hasOwn(DESIGNS, name);

interface Made {
  before: number;
  out: number;
  kernel: number;
  stride: number;
  spread?: number;
  depthwise?: boolean;
  weighs: boolean;
}

/** timm's `architecture`. */
export function timmRep(name: string, c: Config, image: Size): Chain {
  const spec = DESIGNS[name]!;
  const args = section(c, 'model_args');
  for (const [key, value] of SAME_GRAPH) only(args, key, value);
  absent(args, ...OTHERS);
  const factor = real(args, 'width_factor', 1, 0.01, 16);
  const isMerged = holds(c, 'stem.reparam_conv.weight', false);
  const layer = (at: string, { before, out, kernel, stride, spread = 1, depthwise, weighs }: Made): ConvLayer => ({
    names: {
      conv: `${at}.reparam_conv`,
      eps: 1e-5,
      ...(spread > 1 ? { spread } : {}),
      ...(isMerged ? {} : { branches: branchesOf(spec, at, kernel, stride === 1 && before === out) }),
    },
    ...{ kind: depthwise ? 'depthwise' : 'dense', out, kernel, stride, activation: Kind.Relu },
    ...(weighs ? { squeeze: weighing(at, out, spec.share), weighsFirst: true } : {}),
  });
  const stem = Math.round(spec.stem * factor);
  return {
    image: image ?? inputSize(c) ?? [224, 224],
    tfPadding: false,
    stem: [layer('stem', { before: 3, out: stem, kernel: 3, stride: 2, weighs: spec.weighs === ALL })],
    blocks: blocksOf(spec, factor, stem, layer),
    last: [],
    head: 'head.fc',
  };
}

/** A block is a convolution of a RepVGG, or a depthwise and a 1×1 of a MobileOne. */
function blocksOf(spec: Design, factor: number, stem: number, layer: (at: string, made: Made) => ConvLayer): ConvBlock[] {
  let before = stem;
  const isVgg = spec.kind === 'vgg';
  return spec.depths.flatMap((depth, s) => {
    const out = divisible(spec.widths[s]! * factor, 8, 8);
    return Array.from({ length: depth }, (_, i): ConvBlock => {
      const stride = i === 0 ? 2 : 1;
      const weighs = i >= depth - spec.weighs[s]!;
      const name = `stages.${s}.${isVgg ? i : 2 * i}`;
      const reads = before;
      before = out;
      if (isVgg) {
        const spread = i % 2 === 1 ? spec.groups : 1;
        return { name, layers: [layer(name, { before: reads, out, kernel: 3, stride, spread, weighs })], residual: false };
      }
      const depthwise = layer(name, { before: reads, out: reads, kernel: 3, stride, depthwise: true, weighs });
      const pointwise = layer(`stages.${s}.${2 * i + 1}`, { before: reads, out, kernel: 1, stride: 1, weighs });
      return { name, layers: [depthwise, pointwise], residual: false };
    });
  });
}

/** In the file's order: the wide ones, one of a single tap, the identity where the shape stays. */
function branchesOf({ kind, branches }: Design, at: string, kernel: number, stays: boolean): Branch[] {
  const one = (conv: string, size: number): Branch => ({ conv: `${at}.${conv}.conv`, norm: `${at}.${conv}.bn`, kernel: size });
  const identity = stays ? [{ norm: `${at}.identity`, kernel: 0 }] : [];
  if (kind === 'vgg') return [one('conv_kxk', kernel), one('conv_1x1', 1), ...identity];
  // A stem has one branch, whatever the blocks have.
  const count = at === 'stem' ? 1 : branches;
  const wide = Array.from({ length: count }, (_, i) => one(`conv_kxk.${i}`, kernel));
  return [...wide, ...(kernel > 1 ? [one('conv_scale', 1)] : []), ...identity];
}

const weighing = (at: string, out: number, { ratio, divisor }: Design['share']): Squeeze => ({
  ...{ reduce: `${at}.attn.fc1`, expand: `${at}.attn.fc2`, width: divisible(out * ratio, divisor, divisor, 0) },
  ...{ activation: Kind.Relu, gate: Kind.Sigmoid },
});

/** Settings of timm's ByobNet that make another graph, and the value that does not. Paths that are left out would go through merged branches. */
const SAME_GRAPH: readonly (readonly [string, unknown])[] = [
  ['output_stride', 32],
  ['global_pool', 'avg'],
  ['act_layer', 'relu'],
  ['norm_layer', 'batchnorm'],
  ['num_features', 0],
  ['drop_path_rate', 0],
  ['drop_block_rate', 0],
  ['head_type', 'classifier'],
];
const OTHERS = [
  'blocks',
  'stem_type',
  'stem_chs',
  'aa_layer',
  'attn_layer',
  'attn_kwargs',
  'self_attn_layer',
  'block_kwargs',
  'head_hidden_size',
];
