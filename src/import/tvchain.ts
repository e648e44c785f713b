/** torchvision's chains of blocks: MobileNetV2 and V3, EfficientNet and V2. The tables are those of timm's networks of the same names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { type Config, real } from '../formats/config.ts';
import { publishedSide } from '../input/torchvision.ts';
import type { Chain, ConvBlock, ConvLayer, Squeeze } from './chain.ts';
import type { Run } from './chainrun.ts';
import { type Design, designOf } from './chaintables.ts';
import type { Size } from './family.ts';
import { divisible, roundHalfEven } from './huggingface.ts';
import { argumentsOf } from './torchvision.ts';

/** Architectures, by the beginning of timm's name for the same table. */
const SAME: Readonly<Record<string, string>> = {
  mobilenet_v2: 'mobilenetv2_100',
  mobilenet_v3_large: 'mobilenetv3_large_100',
  mobilenet_v3_small: 'mobilenetv3_small_100',
  ...Object.fromEntries([0, 1, 2, 3, 4, 5, 6, 7].map((size) => [`efficientnet_b${size}`, `efficientnet_b${size}`])),
  ...Object.fromEntries(['s', 'm', 'l'].map((size) => [`efficientnet_v2_${size}`, `efficientnetv2_${size}`])),
};

/** Epsilon of the batch norms. */
const epsOf = (name: string): number => (/^mobilenet_v3|_b[567]$|_v2_[sml]$/.test(name) && name !== 'mobilenet_v2' ? 1e-3 : 1e-5);

/** What the three kinds of network differ in. */
interface Way {
  /** Name of block i of stage s; `index` counts all. */
  block(s: number, i: number, index: number): string;
  /** Number of the last layer among `features`. */
  last(stages: number, blocks: number): number;
  /** The last 1×1 of a block stands without a module of its own. */
  plain: boolean;
  expanded(reads: number, scaled: number, expansion: number): number;
  squeezed(reads: number, expanded: number): number;
  /** Channels of the last map, after `channels`. */
  wide(channels: number, factor: number): number;
}

export function tvChain(name: string, c: Config, image: Size): Chain {
  const design = designOf(SAME[name]!)!;
  const args = argumentsOf(c);
  const factor = real(args, 'width_mult', design.width.factor, 0.01, 16);
  const depth = real(args, 'depth_mult', typeof design.depth.factor === 'number' ? design.depth.factor : 1, 0.01, 16);
  const width = (n: number): number => divisible(n * factor, 8, 8);
  const eps = epsOf(name);
  const way = wayOf(name, width);
  const layer: Made = (at, out, kernel, stride, more = {}) => ({
    names: { conv: `${at}.0`, norm: `${at}.1`, eps },
    kind: 'dense',
    out,
    kernel,
    stride,
    ...more,
  });
  const act = { activation: design.activation };
  const stem = [layer('features.0', width(design.stem.width), 3, 2, act)];
  const stages = design.stages.filter((runs) => !runs.every(([kind, , kernel]) => kind === 'conv' && kernel === 1));
  const blocks: ConvBlock[] = [];
  let [reads, channels] = [design.stem.width, width(design.stem.width)];
  stages.forEach((runs, s) => {
    let i = 0;
    for (const run of runs)
      for (let repeat = Math.ceil(depth * run[1]); repeat > 0; repeat--, i++) {
        const next = width(run[5]);
        blocks.push(block(layer, design, way, run, way.block(s, i, blocks.length), i === 0 ? run[3] : 1, { reads, channels, next }));
        [reads, channels] = [run[5], next];
      }
  });
  const isV3 = design.head.kind === 'pooled';
  const last = [layer(`features.${way.last(stages.length, blocks.length)}`, way.wide(channels, factor), 1, 1, act)];
  const features = { names: { conv: 'classifier.0', eps: 0, flat: true }, out: width(design.head.width), activation: Kind.HardSwish };
  return {
    image: image ?? [publishedSide(name), publishedSide(name)],
    tfPadding: false,
    stem,
    blocks,
    last,
    ...(isV3 ? { features } : {}),
    head: isV3 ? 'classifier.3' : 'classifier.1',
  };
}

type Made = (at: string, out: number, kernel: number, stride: number, more?: Partial<ConvLayer>) => ConvLayer;

/** Channels that a block reads and gives, and those that its table has for the former. */
interface Channels {
  reads: number;
  channels: number;
  next: number;
}

/** The block called `at`. */
function block(
  layer: Made,
  design: Design,
  way: Way,
  run: Run,
  at: string,
  stride: number,
  { reads, channels, next }: Channels,
): ConvBlock {
  const [kind, , kernel, , expansion, , more = {}] = run;
  const active = { activation: more.activation ?? design.activation };
  const inner = kind === 'separable' || kind === 'conv' ? channels : way.expanded(reads, channels, expansion);
  const layers: ConvLayer[] = [];
  let j = 0;
  if (kind === 'conv') layers.push(layer(`${at}.0`, next, kernel, stride, active));
  else if (kind === 'fused') layers.push(layer(`${at}.0`, inner, kernel, stride, active), layer(`${at}.1`, next, 1, 1));
  else {
    if (inner !== channels) layers.push(layer(`${at}.${j++}`, inner, 1, 1, active));
    const depthwise = layer(`${at}.${j++}`, inner, kernel, stride, { ...active, kind: 'depthwise' });
    if (more.squeeze !== undefined) depthwise.squeeze = squeeze(`${at}.${j++}`, way.squeezed(channels, inner), design);
    const project = layer(`${at}.${j}`, next, 1, 1);
    if (way.plain) project.names = { ...project.names, conv: `${at}.${j}`, norm: `${at}.${j + 1}` };
    layers.push(depthwise, project);
  }
  return { name: at, layers, residual: stride === 1 && channels === next };
}

const squeeze = (at: string, width: number, { squeeze: { activation, gate }, activation: own }: Design): Squeeze => ({
  reduce: `${at}.fc1`,
  expand: `${at}.fc2`,
  width,
  activation: activation ?? own,
  gate,
});

function wayOf(name: string, width: (n: number) => number): Way {
  const counted = { last: (_: number, blocks: number) => blocks + 1 };
  if (name === 'mobilenet_v2')
    return {
      ...counted,
      block: (_s, _i, index) => `features.${index + 1}.conv`,
      plain: true,
      expanded: (_, scaled, expansion) => roundHalfEven(scaled * expansion),
      squeezed: () => 0,
      wide: (_, factor) => divisible(1280 * Math.max(1, factor), 8, 8),
    };
  if (name.startsWith('mobilenet_v3'))
    return {
      ...counted,
      block: (_s, _i, index) => `features.${index + 1}.block`,
      plain: false,
      expanded: (reads, _, expansion) => width(roundHalfEven(reads * expansion)),
      squeezed: (_, expanded) => divisible(Math.floor(expanded / 4), 8, 8),
      wide: (channels) => 6 * channels,
    };
  return {
    block: (s, i) => `features.${s + 1}.${i}.block`,
    last: (stages) => stages + 1,
    plain: false,
    expanded: (_, scaled, expansion) => divisible(scaled * expansion, 8, 8),
    squeezed: (reads) => Math.max(1, Math.floor(reads / 4)),
    wide: (channels) => (/_b\d$/.test(name) ? 4 * channels : 1280),
  };
}
