/**
 * The element-wise functions, one row each. Everything else that knows a function follows from its row: its number in programs and the engine's
 * switch (tools/kinds.mjs writes both; the kernel is the class of the row's name in assembly/kernels/functions.ts, without which nothing builds),
 * what may be kept of it for backward and the class of that in a keep policy, the names by which checkpoints mean it, its fitted codes
 * (tables.ts), the oracle of the tests, the list in docs/keep.md. docs/recipes/activation.md adds one.
 */

export type Fn = (x: number) => number;

export interface Activation {
  /** Its number in programs. Never given to another function. */
  kind: number;
  /** As people write it. */
  title: string;
  /** Its class in a keep policy (`--keep relu=f32`). */
  keep: string;
  /** Names in config.json: transformers' ACT2FN and timm's create_act. */
  names: readonly string[];
  /** f and f′ in f64, with PyTorch's definitions and its conventions where f′ jumps. */
  f: Fn;
  df: Fn;
  /** Where f′ jumps. */
  kinks: readonly number[];
  /** f′ has two values alone: one bit is exact. Else f′ is kept as a code. */
  isPiecewise?: boolean;
  /** f′ leaves [-½, 1½], what an 8-bit code holds: 4 bits by a table, or x. */
  isSteep?: boolean;
  /** PyTorch's autograd keeps y and not x. */
  keepsOutput?: boolean;
}

const sigmoid: Fn = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

const density: Fn = (x) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** Φ(x), the normal distribution, by its series of positive terms. */
const cdf: Fn = (x) => {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (x * x) / (2 * n + 1);
    sum += term;
  }
  return 0.5 + density(x) * sum;
};

const softplus: Fn = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

/** u of the tanh form: x·σ(u) is x/2·(1 + tanh(u/2)). */
const geluInner: Fn = (x) => 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const geluInnerSlope: Fn = (x) => 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);

const QUICK = 1.702;
/** Of SELU (arXiv 1706.02515). */
const [SELU_ALPHA, SELU_SCALE] = [1.6732632423543772, 1.0507009873554805];

export const ACTIVATIONS = {
  Relu: {
    kind: 1,
    title: 'ReLU',
    keep: 'relu',
    names: ['relu'],
    f: (x) => Math.max(x, 0),
    df: (x) => (x > 0 ? 1 : 0),
    kinks: [0],
    isPiecewise: true,
    keepsOutput: true,
  },
  Relu6: {
    kind: 2,
    title: 'ReLU6',
    keep: 'relu',
    names: ['relu6'],
    f: (x) => clamp(x, 0, 6),
    df: (x) => (x > 0 && x < 6 ? 1 : 0),
    kinks: [0, 6],
    isPiecewise: true,
  },
  LeakyRelu: {
    kind: 3,
    title: 'leaky ReLU',
    keep: 'relu',
    names: ['leaky_relu'],
    f: (x) => (x > 0 ? x : 0.01 * x),
    df: (x) => (x > 0 ? 1 : 0.01),
    kinks: [0],
    isPiecewise: true,
  },
  HardSigmoid: {
    kind: 4,
    title: 'hard sigmoid',
    keep: 'relu',
    names: ['hard_sigmoid', 'hardsigmoid'],
    f: (x) => clamp(x + 3, 0, 6) / 6,
    df: (x) => (x > -3 && x < 3 ? 1 / 6 : 0),
    kinks: [-3, 3],
    isPiecewise: true,
  },
  Sigmoid: {
    kind: 5,
    title: 'sigmoid',
    keep: 'sigmoid',
    names: ['sigmoid'],
    f: sigmoid,
    df: (x) => sigmoid(x) * sigmoid(-x),
    kinks: [],
    keepsOutput: true,
  },
  Tanh: {
    kind: 6,
    title: 'tanh',
    keep: 'tanh',
    names: ['tanh'],
    f: Math.tanh,
    df: (x) => 4 * sigmoid(2 * x) * sigmoid(-2 * x),
    kinks: [],
    keepsOutput: true,
  },
  HardSwish: {
    kind: 7,
    title: 'hard swish',
    keep: 'hswish',
    names: ['hard_swish', 'hardswish'],
    f: (x) => (x * clamp(x + 3, 0, 6)) / 6,
    df: (x) => (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1),
    kinks: [-3, 3],
  },
  Silu: {
    kind: 8,
    title: 'SiLU',
    keep: 'silu',
    names: ['silu', 'swish'],
    f: (x) => x * sigmoid(x),
    df: (x) => sigmoid(x) * (1 + x * sigmoid(-x)),
    kinks: [],
  },
  Gelu: {
    kind: 9,
    title: 'GELU',
    keep: 'gelu',
    names: ['gelu', 'gelu_python'],
    f: (x) => x * cdf(x),
    df: (x) => cdf(x) + x * density(x),
    kinks: [],
  },
  GeluTanh: {
    kind: 10,
    title: 'GELU (tanh)',
    keep: 'gelu',
    names: ['gelu_new', 'gelu_pytorch_tanh', 'gelu_python_tanh', 'gelu_fast', 'gelu_accurate', 'gelu_tanh'],
    f: (x) => x * sigmoid(geluInner(x)),
    df: (x) => sigmoid(geluInner(x)) * (1 + x * geluInnerSlope(x) * sigmoid(-geluInner(x))),
    kinks: [],
  },
  QuickGelu: {
    kind: 11,
    title: 'quick GELU',
    keep: 'gelu',
    names: ['quick_gelu'],
    f: (x) => x * sigmoid(QUICK * x),
    df: (x) => sigmoid(QUICK * x) * (1 + QUICK * x * sigmoid(-QUICK * x)),
    kinks: [],
  },
  HardTanh: {
    kind: 12,
    title: 'hard tanh',
    keep: 'relu',
    names: ['hardtanh', 'hard_tanh'],
    f: (x) => clamp(x, -1, 1),
    df: (x) => (x > -1 && x < 1 ? 1 : 0),
    kinks: [-1, 1],
    isPiecewise: true,
  },
  Elu: {
    kind: 13,
    title: 'ELU',
    keep: 'elu',
    names: ['elu'],
    f: (x) => (x > 0 ? x : Math.expm1(x)),
    df: (x) => (x > 0 ? 1 : Math.exp(x)),
    kinks: [0],
  },
  Selu: {
    kind: 14,
    title: 'SELU',
    keep: 'selu',
    names: ['selu'],
    f: (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * Math.expm1(x)),
    df: (x) => SELU_SCALE * (x > 0 ? 1 : SELU_ALPHA * Math.exp(x)),
    kinks: [0],
    isSteep: true,
  },
  Mish: {
    kind: 15,
    title: 'Mish',
    keep: 'mish',
    names: ['mish'],
    f: (x) => x * Math.tanh(softplus(x)),
    df: (x) => Math.tanh(softplus(x)) + x * (1 - Math.tanh(softplus(x)) ** 2) * sigmoid(x),
    kinks: [],
  },
  Softplus: {
    kind: 16,
    title: 'Softplus',
    keep: 'softplus',
    names: ['softplus'],
    f: softplus,
    df: sigmoid,
    kinks: [],
  },
} as const satisfies Record<string, Activation>;

export type ActivationName = keyof typeof ACTIVATIONS;
/** A keep policy's classes of activations. */
export type ActivationClass = (typeof ACTIVATIONS)[ActivationName]['keep'];

const rows: readonly Activation[] = Object.values(ACTIVATIONS);

/** By the number in programs. */
const byKind = new Map(rows.map((row) => [row.kind, row]));

/** The function of a node; throws where there is none, which only a program that nobody checked can ask for. */
export function activationAt(kind: number): Activation {
  const row = byKind.get(kind);
  if (row === undefined) throw new RangeError(`activation ${kind}: no such function`);
  return row;
}

/** Every function, in the order of their numbers. */
export const everyActivation = (): readonly Activation[] => rows;

/** The functions whose f′ is kept as a code. */
export const smoothActivations = (): readonly Activation[] => rows.filter((row) => !row.isPiecewise);

/** Checkpoints' names, each with the number of its function. */
export const ACTIVATION_NAMES: Readonly<Record<string, number>> = Object.fromEntries(
  rows.flatMap(({ names, kind }) => names.map((name) => [name, kind])),
);
