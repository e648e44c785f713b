/** timm's chains of blocks as tables: a row a stage, a run of equal blocks an entry. */
import { Kind } from '../../assembly/generated/kinds.ts';
import type { More, Run } from './chainrun.ts';
import { V4 } from './mobilenetv4.ts';

export interface Squeezed {
  /** The share is of the block's inner channels, or of those that it reads. */
  of: 'inner' | 'input';
  /** Rounded to multiples of 8. */
  divides?: boolean;
  /** Absent: the network's. */
  activation?: Kind;
  gate: Kind;
}

export interface Design {
  stages: readonly (readonly Run[])[];
  /** TensorFlow's padding and epsilon. */
  tf: boolean;
  /** Universal blocks and attention have a layer scale. */
  scaled?: boolean;
  /** Where others stride, a mean of 2×2 windows follows the activation. */
  pools?: boolean;
  stem: { width: number; fixed?: boolean; kernel?: number };
  /** `mayShrink`: rounding may take away more than a tenth. */
  width: { factor: number; divisor?: number; mayShrink?: boolean };
  /** One factor, or one a stage. `keepsEnds`: the first and the last stage are as deep as they are. `rounds`: to the nearest, else up. */
  depth: { factor: number | readonly number[]; keepsEnds?: boolean; rounds?: boolean };
  /** After the blocks: a convolution of the map; one of what was pooled, with a bias or with a norm; none. */
  head: { kind: 'map' | 'pooled' | 'normed' | 'none'; width: number; grows?: boolean; least?: number };
  activation: Kind;
  activationName: string;
  squeeze: Squeezed;
}

const SE = { squeeze: 0.25 };
const RE = { activation: Kind.Relu };
const NO = { skips: false };

/** EfficientNet-B's stages, with squeeze-excite or (Lite) without. */
const efficient = (more: More = {}): Run[][] => [
  [['separable', 1, 3, 1, 1, 16, more]],
  [['inverted', 2, 3, 2, 6, 24, more]],
  [['inverted', 2, 5, 2, 6, 40, more]],
  [['inverted', 3, 3, 2, 6, 80, more]],
  [['inverted', 3, 5, 1, 6, 112, more]],
  [['inverted', 4, 5, 2, 6, 192, more]],
  [['inverted', 1, 3, 1, 6, 320, more]],
];

/** EfficientNetV2: [kind, repeats, stride, expansion, channels] a stage, all of kernel 3. */
type Short = readonly ['conv' | 'fused' | 'inverted', number, number, number, number];
const short = (stages: readonly Short[]): Run[][] =>
  stages.map(([kind, repeats, stride, expansion, channels]) => [
    [kind, repeats, 3, stride, expansion, channels, kind === 'conv' ? { skips: true } : kind === 'inverted' ? SE : {}],
  ]);
// biome-ignore format: a line a network
const V2: Readonly<Record<string, readonly Short[]>> = {
  b: [['conv', 1, 1, 1, 16], ['fused', 2, 2, 4, 32], ['fused', 2, 2, 4, 48], ['inverted', 3, 2, 4, 96], ['inverted', 5, 1, 6, 112], ['inverted', 8, 2, 6, 192]],
  s: [['conv', 2, 1, 1, 24], ['fused', 4, 2, 4, 48], ['fused', 4, 2, 4, 64], ['inverted', 6, 2, 4, 128], ['inverted', 9, 1, 6, 160], ['inverted', 15, 2, 6, 256]],
  m: [['conv', 3, 1, 1, 24], ['fused', 5, 2, 4, 48], ['fused', 5, 2, 4, 80], ['inverted', 7, 2, 4, 160], ['inverted', 14, 1, 6, 176], ['inverted', 18, 2, 6, 304], ['inverted', 5, 1, 6, 512]],
  l: [['conv', 4, 1, 1, 32], ['fused', 7, 2, 4, 64], ['fused', 7, 2, 4, 96], ['inverted', 10, 2, 4, 192], ['inverted', 19, 1, 6, 224], ['inverted', 25, 2, 6, 384], ['inverted', 7, 1, 6, 640]],
  xl: [['conv', 4, 1, 1, 32], ['fused', 8, 2, 4, 64], ['fused', 8, 2, 4, 96], ['inverted', 16, 2, 4, 192], ['inverted', 24, 1, 6, 256], ['inverted', 32, 2, 6, 512], ['inverted', 8, 1, 6, 640]],
  rw: [['fused', 2, 1, 1, 24], ['fused', 4, 2, 4, 48], ['fused', 4, 2, 4, 64], ['inverted', 6, 2, 4, 128], ['inverted', 9, 1, 6, 160], ['inverted', 15, 2, 6, 272]],
  test: [['conv', 1, 1, 1, 16], ['fused', 1, 2, 4, 24], ['fused', 1, 2, 4, 32], ['inverted', 1, 2, 4, 48], ['inverted', 1, 2, 4, 64]],
};

const EDGE: Run[][] = [
  [['fused', 1, 3, 1, 4, 24, { expands: 24, skips: false }]],
  [['fused', 2, 3, 2, 8, 32]],
  [['fused', 4, 3, 2, 8, 48]],
  [['inverted', 5, 5, 2, 8, 96]],
  [['inverted', 4, 5, 1, 8, 144]],
  [['inverted', 2, 5, 2, 8, 192]],
];

// biome-ignore format: a line a stage
const EDGE_TPU: Run[][] = [
  [['conv', 1, 1, 1, 1, 16]],
  [['fused', 1, 3, 2, 8, 32], ['fused', 3, 3, 1, 4, 32]],
  [['fused', 1, 3, 2, 8, 48], ['fused', 3, 3, 1, 4, 48]],
  [['inverted', 1, 3, 2, 8, 96], ['inverted', 3, 3, 1, 4, 96]],
  [['inverted', 1, 3, 1, 8, 96, NO], ['inverted', 3, 3, 1, 4, 96]],
  [['inverted', 1, 5, 2, 8, 160], ['inverted', 3, 5, 1, 4, 160]],
  [['inverted', 1, 3, 1, 8, 192]],
];

const MNAS: Run[][] = [
  [['separable', 1, 3, 1, 1, 16, NO]],
  [['inverted', 3, 3, 2, 3, 24]],
  [['inverted', 3, 5, 2, 3, 40]],
  [['inverted', 3, 5, 2, 6, 80]],
  [['inverted', 2, 3, 1, 6, 96]],
  [['inverted', 4, 5, 2, 6, 192]],
  [['inverted', 1, 3, 1, 6, 320, NO]],
];
const MNAS_SE: Run[][] = [
  [['separable', 1, 3, 1, 1, 16, NO]],
  [['inverted', 2, 3, 2, 6, 24]],
  [['inverted', 3, 5, 2, 3, 40, SE]],
  [['inverted', 4, 3, 2, 6, 80]],
  [['inverted', 2, 3, 1, 6, 112, SE]],
  [['inverted', 3, 5, 2, 6, 160, SE]],
  [['inverted', 1, 3, 1, 6, 320]],
];
const MNAS_SMALL: Run[][] = [
  [['separable', 1, 3, 1, 1, 8]],
  [['inverted', 1, 3, 2, 3, 16]],
  [['inverted', 2, 3, 2, 6, 16]],
  [['inverted', 4, 5, 2, 6, 32, SE]],
  [['inverted', 3, 3, 1, 6, 32, SE]],
  [['inverted', 3, 5, 2, 6, 88, SE]],
  [['inverted', 1, 3, 1, 6, 144]],
];

const MOBILE_V1: Run[][] = [
  [['separableActive', 1, 3, 1, 1, 64]],
  [['separableActive', 2, 3, 2, 1, 128]],
  [['separableActive', 2, 3, 2, 1, 256]],
  [['separableActive', 6, 3, 2, 1, 512]],
  [['separableActive', 2, 3, 2, 1, 1024]],
];
const MOBILE_V2: Run[][] = [
  [['separable', 1, 3, 1, 1, 16]],
  [['inverted', 2, 3, 2, 6, 24]],
  [['inverted', 3, 3, 2, 6, 32]],
  [['inverted', 4, 3, 2, 6, 64]],
  [['inverted', 3, 3, 1, 6, 96]],
  [['inverted', 3, 3, 2, 6, 160]],
  [['inverted', 1, 3, 1, 6, 320]],
];

/** MobileNetV3, which in its minimal form has neither kernels of 5 nor squeeze-excite nor hard-swish. */
function mobileV3(isLarge: boolean, minimal: boolean): Run[][] {
  const five = minimal ? 3 : 5;
  const se = minimal ? {} : SE;
  // biome-ignore format: a line a stage
  return isLarge
    ? [
        [['separable', 1, 3, 1, 1, 16, RE]],
        [['inverted', 1, 3, 2, 4, 24, RE], ['inverted', 1, 3, 1, 3, 24, RE]],
        [['inverted', 3, five, 2, 3, 40, { ...se, ...RE }]],
        [['inverted', 1, 3, 2, 6, 80], ['inverted', 1, 3, 1, 2.5, 80], ['inverted', 2, 3, 1, 2.3, 80]],
        [['inverted', 2, 3, 1, 6, 112, se]],
        [['inverted', 3, five, 2, 6, 160, se]],
        [['conv', 1, 1, 1, 1, 960]],
      ]
    : [
        [['separable', 1, 3, 2, 1, 16, { ...se, ...RE }]],
        [['inverted', 1, 3, 2, 4.5, 24, RE], ['inverted', 1, 3, 1, 3.67, 24, RE]],
        [['inverted', 1, five, 2, 4, 40, se], ['inverted', 2, five, 1, 6, 40, se]],
        [['inverted', 2, five, 1, 3, 48, se]],
        [['inverted', 3, five, 2, 6, 96, se]],
        [['conv', 1, 1, 1, 1, 576]],
      ];
}

// biome-ignore format: a line a stage
const LCNET: Run[][] = [
  [['separableActive', 1, 3, 1, 1, 32]],
  [['separableActive', 2, 3, 2, 1, 64]],
  [['separableActive', 2, 3, 2, 1, 128]],
  [['separableActive', 1, 3, 2, 1, 256], ['separableActive', 1, 5, 1, 1, 256]],
  [['separableActive', 4, 5, 1, 1, 256]],
  [['separableActive', 2, 5, 2, 1, 512, SE]],
];

const SIGMOID: Squeezed = { of: 'input', gate: Kind.Sigmoid };
const plain = {
  tf: false,
  stem: { width: 32 },
  width: { factor: 1 },
  depth: { factor: 1 },
  head: { kind: 'map', width: 1280 },
  activation: Kind.Relu,
  activationName: 'relu',
  squeeze: SIGMOID,
} satisfies Omit<Design, 'stages'>;
const silu = { activation: Kind.Silu, activationName: 'silu' };
const swish = { activation: Kind.Silu, activationName: 'swish' };
const relu6 = { activation: Kind.Relu6, activationName: 'relu6' };
const hardSwish = { activation: Kind.HardSwish, activationName: 'hard_swish' };
const grows = { kind: 'map', width: 1280, grows: true } as const;
/** A width in a name: 075 is 0.75. */
const hundredths = (digits: string): number => Number(digits) / 100;

/** Width and depth factors of EfficientNet's sizes, of its Lite ones and of V2-B; those of TinyNet. */
const B: Readonly<Record<string, readonly [number, number]>> = {
  ...{ b0: [1, 1], b1: [1, 1.1], b2: [1.1, 1.2], b3: [1.2, 1.4], b4: [1.4, 1.8], b5: [1.6, 2.2], b6: [1.8, 2.6], b7: [2, 3.1] },
  ...{ b8: [2.2, 3.6], l2: [4.3, 5.3] },
};
const LITE = [
  [1, 1],
  [1, 1.1],
  [1.1, 1.2],
  [1.2, 1.4],
  [1.4, 1.8],
] as const;
const EDGES = { s: [1, 1], m: [1, 1.1], l: [1.2, 1.4] } as const;
const TINY = { a: [1, 1.2], b: [0.75, 1.1], c: [0.54, 0.85], d: [0.54, 0.695], e: [0.51, 0.6] } as const;

/** Architectures by the pattern of their names. */
const DESIGNS: readonly (readonly [RegExp, (...parts: string[]) => Design])[] = [
  [
    /^(tf_)?efficientnet_(b[0-8]|l2)$/,
    (tf, size) => {
      const [factor, depth] = B[size!]!;
      return { ...plain, ...swish, stages: efficient(SE), tf: !!tf, width: { factor }, depth: { factor: depth }, head: grows };
    },
  ],
  [
    /^(tf_)?efficientnet_lite([0-4])$/,
    (tf, size) => {
      const [factor, depth] = LITE[Number(size)]!;
      const fixed = { stem: { width: 32, fixed: true }, depth: { factor: depth, keepsEnds: true } };
      return { ...plain, ...relu6, ...fixed, stages: efficient(), tf: !!tf, width: { factor } };
    },
  ],
  [
    /^(tf_)?efficientnet_e([sml])$/,
    (tf, size) => {
      const [factor, depth] = EDGES[size as 's'];
      return { ...plain, stages: EDGE, tf: !!tf, width: { factor }, depth: { factor: depth }, head: grows };
    },
  ],
  [
    /^tf_efficientnetv2_b([0-3])$/,
    (size) => {
      const [factor, depth] = B[`b${size}`]!;
      const width = { factor, mayShrink: true };
      return { ...plain, ...silu, stages: short(V2.b!), tf: true, width, depth: { factor: depth }, head: grows };
    },
  ],
  [
    /^(tf_)?efficientnetv2_(s|m|l|xl)$/,
    (tf, size) => ({ ...plain, ...silu, stages: short(V2[size!]!), tf: !!tf, stem: { width: /l/.test(size!) ? 32 : 24 } }),
  ],
  [
    /^efficientnetv2_rw_([tsm])$/,
    (size) => {
      const factor = { t: 0.8, s: 1, m: 1.2 }[size as 's'];
      const depth = { t: 0.9, s: 1, m: [1.2, 1.2, 1.2, 1.2, 1.6, 1.6] }[size as 's'];
      const stages = short(V2[size === 't' ? 's' : 'rw']!);
      const head = { ...grows, width: size === 't' ? 1280 : 1792 };
      return { ...plain, ...silu, stages, stem: { width: 24 }, width: { factor }, depth: { factor: depth }, head };
    },
  ],
  [
    /^tinynet_([a-e])$/,
    (size) => {
      const [factor, depth] = TINY[size as 'a'];
      const fixed = { stem: { width: 32, fixed: true }, depth: { factor: depth, rounds: true } };
      return { ...plain, ...swish, ...fixed, stages: efficient(SE), width: { factor }, head: { ...grows, least: 1280 } };
    },
  ],
  [/^test_efficientnet$/, () => ({ ...plain, ...silu, stages: short(V2.test!), stem: { width: 24 }, head: { kind: 'map', width: 256 } })],
  [/^mobilenet_edgetpu_100$/, () => ({ ...plain, stages: EDGE_TPU })],
  [/^mnasnet_(050|075|100|140)$/, (digits) => ({ ...plain, stages: MNAS, width: { factor: hundredths(digits!) } })],
  [/^semnasnet_(050|075|100|140)$/, (digits) => ({ ...plain, stages: MNAS_SE, width: { factor: hundredths(digits!) } })],
  [/^mnasnet_small$/, () => ({ ...plain, stages: MNAS_SMALL, stem: { width: 8 } })],
  [
    /^mobilenetv1_(100|125)(h?)$/,
    (digits, head) => ({
      ...plain,
      ...relu6,
      stages: MOBILE_V1,
      width: { factor: hundredths(digits!) },
      head: head ? { kind: 'map', width: 1024, grows: true, least: 1024 } : { kind: 'none', width: 0 },
    }),
  ],
  [
    /^mobilenetv2_(\d{3})(d?)$/,
    (digits, deep) => {
      const fixed = deep === 'd';
      const factor = { '110d': 1.2, '120d': 1.4 }[`${digits}${deep}`] ?? 1;
      const head = fixed ? plain.head : { ...grows, least: 1280 };
      const depth = { factor, keepsEnds: fixed };
      return { ...plain, ...relu6, stages: MOBILE_V2, stem: { width: 32, fixed }, width: { factor: hundredths(digits!) }, depth, head };
    },
  ],
  [
    /^(tf_)?mobilenetv3_(large|small)_(minimal_)?(\d{3})(d?)$/,
    (tf, size, minimal, digits, deep) => {
      const factor = hundredths(digits!);
      const isLarge = size === 'large';
      return {
        ...plain,
        ...(minimal ? {} : hardSwish),
        stages: mobileV3(isLarge, !!minimal),
        tf: !!tf,
        stem: { width: 16, fixed: factor < 0.75 },
        width: { factor },
        depth: { factor: deep ? 1.2 : 1 },
        head: { kind: 'pooled', width: isLarge ? 1280 : 1024 },
        squeeze: { of: 'inner', divides: true, activation: Kind.Relu, gate: Kind.HardSigmoid },
      };
    },
  ],
  [
    /^lcnet_(035|050|075|100|150)$/,
    (digits) => ({
      ...plain,
      ...hardSwish,
      stages: LCNET,
      stem: { width: 16 },
      width: { factor: hundredths(digits!) },
      head: { kind: 'pooled', width: 1280 },
      squeeze: { of: 'inner', activation: Kind.Relu, gate: Kind.HardSigmoid },
    }),
  ],
  [
    /^mobilenetv4_(conv_|conv_aa_|hybrid_)(small|medium|large)(?:_(\d{3}))?$/,
    (kind, size, digits) => {
      const [isHybrid, isLarge] = [kind === 'hybrid_', size === 'large'];
      const factor = digits ? hundredths(digits) : 1;
      const act = isHybrid && isLarge ? { activation: Kind.Gelu, activationName: 'gelu' } : {};
      const how = { scaled: isHybrid, pools: kind === 'conv_aa_', stem: { width: isLarge ? 24 : 32, fixed: factor < 1 } };
      const stages = V4[isHybrid ? `hybrid_${size}` : size!]!;
      return { ...plain, ...act, ...how, stages, width: { factor }, head: { kind: 'normed', width: 1280 } };
    },
  ],
];

/** The table of an architecture; undefined where there is none. */
export function designOf(architecture: string): Design | undefined {
  for (const [name, design] of DESIGNS) {
    const found = name.exec(architecture);
    if (found) return design(...found.slice(1));
  }
  return undefined;
}
