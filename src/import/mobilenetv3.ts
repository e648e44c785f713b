/** timm's MobileNetV3 configurations (`mobilenetv3_large_100`, `tf_mobilenetv3_small_minimal_100`, …) and tensor names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { absent, type Config, only, real, section } from '../formats/config.ts';
import { divisible, roundHalfEven, threeChannels } from './huggingface.ts';
import type { ConvBlock, ConvLayer, MobileNet, Squeeze } from './mobilenet.ts';
import { inputSize } from './timm.ts';

/** A run of equal blocks: repeats, kernel, expansion (0: depthwise and 1×1 alone), channels, stride of the first, ReLU, squeeze-excite. */
type Run = readonly [repeats: number, kernel: number, expansion: number, channels: number, stride: number, relu: boolean, squeeze: boolean];

const LARGE: readonly (readonly Run[])[] = [
  [[1, 3, 0, 16, 1, true, false]],
  [
    [1, 3, 4, 24, 2, true, false],
    [1, 3, 3, 24, 1, true, false],
  ],
  [[3, 5, 3, 40, 2, true, true]],
  [
    [1, 3, 6, 80, 2, false, false],
    [1, 3, 2.5, 80, 1, false, false],
    [2, 3, 2.3, 80, 1, false, false],
  ],
  [[2, 3, 6, 112, 1, false, true]],
  [[3, 5, 6, 160, 2, false, true]],
];
const SMALL: readonly (readonly Run[])[] = [
  [[1, 3, 0, 16, 2, true, true]],
  [
    [1, 3, 4.5, 24, 2, true, false],
    [1, 3, 3.67, 24, 1, true, false],
  ],
  [
    [1, 5, 4, 40, 2, false, true],
    [2, 5, 6, 40, 1, false, true],
  ],
  [[2, 5, 3, 48, 1, false, true]],
  [[3, 5, 6, 96, 2, false, true]],
];
/** Channels of the last map and of the features, by size; only the former grow with the width. */
const LAST = { large: [960, 1280], small: [576, 1024] } as const;

const NAME = /^(tf_)?mobilenetv3_(large|small)_(minimal_)?(\d{3})(d?)$/;
export const isTimmMobileNetV3 = (architecture: string): boolean => NAME.test(architecture);

export function timmMobileNetV3(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): MobileNet {
  const [, tf, size, minimal, digits, deep] = NAME.exec(architecture) as unknown as [
    string,
    string?,
    ('large' | 'small')?,
    string?,
    string?,
    string?,
  ];
  const args = section(c, 'model_args');
  threeChannels(args, 'in_chans');
  for (const [key, ...values] of SAME_GRAPH) only(args, key, ...values);
  only(args, 'pad_type', tf ? 'same' : '');
  only(args, 'act_layer', minimal ? 'relu' : 'hard_swish');
  absent(args, 'norm_layer', 'aa_layer', 'se_layer', 'layer_scale_init_value');
  const width = Number(digits) / 100;
  only(args, 'fix_stem', width < 0.75);
  const channels = (n: number): number => divisible(n * width, 8, 8);
  const eps = real(args, 'bn_eps', tf ? 1e-3 : 1e-5);
  const layer = (
    name: string,
    norm: string,
    shape: Pick<ConvLayer, 'out' | 'kernel' | 'stride'>,
    kind?: Kind,
    squeeze?: Squeeze,
  ): ConvLayer => ({
    names: { conv: name, norm, eps },
    kind: name.endsWith('conv_dw') ? 'depthwise' : 'dense',
    ...shape,
    ...(kind === undefined ? {} : { activation: kind }),
    ...(squeeze === undefined ? {} : { squeeze }),
  });

  const smooth = minimal ? Kind.Relu : Kind.HardSwish;
  const stem = width >= 0.75 ? channels(16) : 16;
  const blocks: ConvBlock[] = [
    { name: 'conv_stem', layers: [layer('conv_stem', 'bn1', { out: stem, kernel: 3, stride: 2 }, smooth)], residual: false },
  ];
  let before = stem;
  const stages = size === 'large' ? LARGE : SMALL;
  const growth = deep ? 1.2 : 1;
  stages.forEach((runs, s) => {
    const repeats = deepened(
      runs.map(([n]) => n),
      growth,
    );
    let index = 0;
    runs.forEach(([, wanted, expansion, c0, firstStride, relu, squeezes], r) => {
      const kernel = minimal ? 3 : wanted;
      const kind = relu ? Kind.Relu : smooth;
      for (let i = 0; i < repeats[r]!; i++) {
        const name = `blocks.${s}.${index++}`;
        const stride = i === 0 ? firstStride : 1;
        const out = channels(c0);
        const inner = expansion === 0 ? before : divisible(before * expansion, 8, 8);
        const squeeze: Squeeze | undefined =
          squeezes && !minimal
            ? { reduce: `${name}.se.conv_reduce`, expand: `${name}.se.conv_expand`, width: divisible(inner / 4, 8, 8) }
            : undefined;
        const depthwise = { out: inner, kernel, stride };
        const point = (n: number) => ({ out: n, kernel: 1, stride: 1 });
        const layers =
          expansion === 0
            ? [layer(`${name}.conv_dw`, `${name}.bn1`, depthwise, kind, squeeze), layer(`${name}.conv_pw`, `${name}.bn2`, point(out))]
            : [
                layer(`${name}.conv_pw`, `${name}.bn1`, point(inner), kind),
                layer(`${name}.conv_dw`, `${name}.bn2`, depthwise, kind, squeeze),
                layer(`${name}.conv_pwl`, `${name}.bn3`, point(out)),
              ];
        blocks.push({ name, layers, residual: stride === 1 && before === out });
        before = out;
      }
    });
  });
  const [last, features] = LAST[size!];
  const layers = Array.from({ length: deepened([1], growth)[0]! }, (_, i) => {
    const name = `blocks.${stages.length}.${i}`;
    return layer(`${name}.conv`, `${name}.bn1`, { out: channels(last), kernel: 1, stride: 1 }, smooth);
  });
  blocks.push({ name: `blocks.${stages.length}`, layers, residual: false });
  return {
    family: 'mobilenet',
    image: imageSize ?? inputSize(c) ?? [224, 224],
    tfPadding: tf !== undefined,
    pathSteps: blocks.length - 2 + layers.length,
    blocks,
    features: { name: 'conv_head', out: features, activation: smooth },
    head: 'classifier',
  };
}

/** A stage's repeats, multiplied and given out again from the last run backwards (timm's `_scale_stage_depth`). */
function deepened(repeats: readonly number[], factor: number): number[] {
  let left = repeats.reduce((a, b) => a + b, 0);
  let scaled = Math.ceil(left * factor);
  const out: number[] = [];
  for (const n of [...repeats].reverse()) {
    const share = Math.max(1, roundHalfEven((n / left) * scaled));
    out.unshift(share);
    left -= n;
    scaled -= share;
  }
  return out;
}

/** Settings of timm's class that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, ...unknown[]])[] = [
  ['output_stride', 32],
  ['global_pool', 'avg'],
  ['head_bias', true],
  ['head_norm', false],
  ['se_from_exp', true],
];
