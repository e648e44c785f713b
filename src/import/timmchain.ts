/** timm's chains of blocks, from the tables in chaintables.ts: tensor names, rounding of widths and depths, and what a configuration may say besides. */
import type { Kind } from '../../assembly/generated/kinds.ts';
import { absent, type Config, only, real, section } from '../formats/config.ts';
import type { Chain, ConvBlock, ConvLayer, Squeeze } from './chain.ts';
import type { More, Run } from './chainrun.ts';
import { type Design, designOf, type Squeezed } from './chaintables.ts';
import { divisible, roundHalfEven } from './huggingface.ts';
import type { MultiQuery } from './multiquery.ts';
import { inputSize } from './timm.ts';

/** Builds an architecture that chaintables.ts lists. */
export function timmChain(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): Chain {
  const design = designOf(architecture)!;
  const args = section(c, 'model_args');
  for (const [key, value] of sameGraph(design)) only(args, key, value);
  absent(args, 'norm_layer', 'aa_layer', 'se_layer', 'group_size', 'layer_scale_init_value');
  const eps = real(args, 'bn_eps', design.tf ? 1e-3 : 1e-5);
  const blocks = new Blocks(design, eps);
  const { stem, head } = design;
  const layer = (conv: string, norm: string, out: number, kernel = 1, stride = 1): ConvLayer => ({
    ...blocks.layer(conv, norm, out, kernel, stride),
    activation: design.activation,
  });
  const first = layer('conv_stem', 'bn1', stem.fixed ? stem.width : blocks.width(stem.width), stem.kernel ?? 3, 2);
  const stages = blocks.stages(first.out);
  // A last stage that is one convolution is no block.
  const trailing = design.stages.at(-1)!.every(([kind]) => kind === 'conv') ? stages.pop()! : [];
  const features = { out: head.width, activation: design.activation };
  return {
    image: imageSize ?? inputSize(c) ?? [224, 224],
    tfPadding: design.tf,
    pathSteps: stages.flat().length + trailing.length,
    stem: [first],
    blocks: stages.flat(),
    last: [
      ...trailing.flatMap((block) => block.layers),
      ...(head.kind === 'map' ? [layer('conv_head', 'bn2', head.grows ? blocks.grown(head) : head.width)] : []),
    ],
    ...(head.kind === 'pooled' ? { features: { names: { conv: 'conv_head', eps: 0 }, ...features } } : {}),
    ...(head.kind === 'normed' ? { features: { names: { conv: 'conv_head', norm: 'norm_head', eps }, ...features } } : {}),
    head: 'classifier',
  };
}

/** Settings of timm's classes that make another graph, and the value that does not. */
const sameGraph = (design: Design): readonly (readonly [string, unknown])[] => [
  ['output_stride', 32],
  ['global_pool', 'avg'],
  ['pad_type', design.tf ? 'same' : ''],
  ['act_layer', design.activationName],
  ...(design.head.kind === 'map' || design.head.kind === 'none'
    ? ([['stem_kernel_size', design.stem.kernel ?? 3]] as const)
    : ([
        ['fix_stem', design.stem.fixed ?? false],
        ['head_bias', design.head.kind === 'pooled'],
        ['head_norm', design.head.kind === 'normed'],
        ['se_from_exp', true],
      ] as const)),
];

class Blocks {
  constructor(
    private readonly design: Design,
    private readonly eps: number,
  ) {}

  /** Channels at the network's width. */
  width(n: number): number {
    const { factor, divisor = 8, mayShrink } = this.design.width;
    return factor === 1 ? n : divisible(n * factor, divisor, divisor, mayShrink ? 0 : 0.9);
  }

  grown({ width, least }: Design['head']): number {
    return Math.max(least ?? 0, this.width(width));
  }

  layer(conv: string, norm: string, out: number, kernel = 1, stride = 1): ConvLayer {
    return { names: { conv, norm, eps: this.eps }, kind: 'dense', out, kernel, stride };
  }

  /** The blocks of every stage; `before`: channels that the stem leaves. */
  stages(before: number): ConvBlock[][] {
    const { design } = this;
    let channels = before;
    return design.stages.map((runs, s) => {
      const repeats = this.repeats(runs, s);
      let index = 0;
      // Only a stage's first block has a stride.
      return runs.flatMap((run, r) =>
        Array.from({ length: repeats[r]! }, () => {
          const block = this.block(run, `blocks.${s}.${index}`, channels, index++ === 0 ? run[3] : 1);
          channels = this.width(run[5]);
          return block;
        }),
      );
    });
  }

  /** A stage's repeats, multiplied and given out again from the last run backwards. */
  private repeats(runs: readonly Run[], s: number): number[] {
    const { depth, stages } = this.design;
    const isEnd = s === 0 || s === stages.length - 1;
    const factor = depth.keepsEnds && isEnd ? 1 : typeof depth.factor === 'number' ? depth.factor : depth.factor[s]!;
    let left = runs.reduce((n, [, repeats]) => n + repeats, 0);
    let scaled = depth.rounds ? Math.max(1, roundHalfEven(left * factor)) : Math.ceil(left * factor);
    const out: number[] = [];
    for (const [, n] of [...runs].reverse()) {
      const share = Math.max(1, roundHalfEven((n / left) * scaled));
      out.unshift(share);
      left -= n;
      scaled -= share;
    }
    return out;
  }

  private block(run: Run, name: string, before: number, stride: number): ConvBlock {
    const [kind, , kernel, , expansion, channels, more = {}] = run;
    const act = more.activation ?? this.design.activation;
    const out = this.width(channels);
    const inner = divisible((more.expands ? this.width(more.expands) : before) * expansion, 8, 8);
    const { pools, scaled } = this.design;
    const at = (conv: string, norm: string, n: number, k: number, s: number, activation?: Kind, squeeze?: Squeeze): ConvLayer => ({
      ...this.layer(`${name}.${conv}`, `${name}.${norm}`, n, k, pools ? 1 : s),
      ...(pools && s > 1 ? { halves: true } : {}),
      ...(/dw/.test(conv) ? { kind: 'depthwise' as const } : {}),
      ...(activation === undefined ? {} : { activation }),
      ...(squeeze === undefined ? {} : { squeeze }),
    });
    const residual =
      (kind === 'conv' ? more.skips === true : more.skips !== false && kind !== 'separableActive') && stride === 1 && before === out;
    const made = (layers: ConvLayer[]): ConvBlock => ({ name, layers, residual });
    const scale = scaled ? { scale: `${name}.layer_scale.gamma` } : {};
    switch (kind) {
      case 'conv':
        return made([at('conv', 'bn1', out, kernel, stride, act)]);
      case 'separable':
      case 'separableActive': {
        const squeeze = this.squeeze(name, before, 1, more.squeeze);
        const last = kind === 'separableActive' ? act : undefined;
        return made([at('conv_dw', 'bn1', before, kernel, stride, act, squeeze), at('conv_pw', 'bn2', out, 1, 1, last)]);
      }
      case 'inverted': {
        const squeeze = this.squeeze(name, inner, expansion, more.squeeze);
        return made([
          at('conv_pw', 'bn1', inner, 1, 1, act),
          at('conv_dw', 'bn2', inner, kernel, stride, act, squeeze),
          at('conv_pwl', 'bn3', out, 1, 1),
        ]);
      }
      case 'fused': {
        const squeeze = this.squeeze(name, inner, expansion, more.squeeze);
        return made([at('conv_exp', 'bn1', inner, kernel, stride, act, squeeze), at('conv_pwl', 'bn2', out, 1, 1)]);
      }
      case 'universal': {
        const { start = 0 } = more;
        const part = (p: string, ...rest: [number, number, number, Kind?]) => at(`${p}.conv`, `${p}.bn`, ...rest);
        const parts = [
          ...(start ? [part('dw_start', before, start, kernel ? 1 : stride)] : []),
          part('pw_exp', inner, 1, 1, act),
          ...(kernel ? [part('dw_mid', inner, kernel, stride, act)] : []),
          part('pw_proj', out, 1, 1),
        ];
        return { ...made(parts), ...scale };
      }
      case 'attention':
        return { ...made([]), attends: this.attention(name, kernel, expansion, more), ...scale };
    }
  }

  private attention(name: string, kernel: number, heads: number, { width = 0, fewer: stride = 1 }: More): MultiQuery {
    const at = `${name}.attn`;
    const shared = (of: 'key' | 'value') => ({ proj: `${at}.${of}.proj`, down: `${at}.${of}.down_conv`, norm: `${at}.${of}.norm` });
    const names = { norm: `${name}.norm`, query: `${at}.query.proj`, key: shared('key'), value: shared('value'), out: `${at}.output.proj` };
    return { ...names, stride, kernel, heads, width, eps: this.eps };
  }

  /** `inner` channels are weighed; `expansion` of what the block reads. */
  private squeeze(name: string, inner: number, expansion: number, ratio: number | undefined): Squeeze | undefined {
    if (ratio === undefined) return undefined;
    const { of, activation, gate }: Squeezed = this.design.squeeze;
    const share = of === 'inner' ? inner * ratio : inner * (ratio / expansion);
    return {
      reduce: `${name}.se.conv_reduce`,
      expand: `${name}.se.conv_expand`,
      width: this.design.squeeze.divides ? divisible(share, 8, 8) : roundHalfEven(share),
      activation: activation ?? this.design.activation,
      gate,
    };
  }
}
