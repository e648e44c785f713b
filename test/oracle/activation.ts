/** The element-wise functions and their derivatives in f64, with PyTorch's definitions and its conventions at kinks. */
import { Kind } from '../../assembly/abi/ops/elementwise.ts';

/** erf to f64 accuracy: a series of positive terms, and a continued fraction where that would take long. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  let term = a;
  let sum = a;
  for (let n = 1; term > sum * 1e-17 && n < 400; n++) {
    term *= (2 * a * a) / (2 * n + 1);
    sum += term;
  }
  return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a) * sum;
}

export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
const inner = (x: number): number => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const innerSlope = (x: number): number => Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);

/** f and f′ of every kind. */
export const functions: Record<Kind, { f: (x: number) => number; df: (x: number) => number; kinks: number[] }> = {
  [Kind.Relu]: { f: (x) => Math.max(x, 0), df: (x) => (x > 0 ? 1 : 0), kinks: [0] },
  [Kind.Relu6]: { f: (x) => Math.min(Math.max(x, 0), 6), df: (x) => (x > 0 && x < 6 ? 1 : 0), kinks: [0, 6] },
  [Kind.LeakyRelu]: { f: (x) => (x > 0 ? x : 0.01 * x), df: (x) => (x > 0 ? 1 : 0.01), kinks: [0] },
  [Kind.HardSigmoid]: { f: (x) => Math.min(Math.max(x + 3, 0), 6) / 6, df: (x) => (x > -3 && x < 3 ? 1 / 6 : 0), kinks: [-3, 3] },
  [Kind.Sigmoid]: { f: sigmoid, df: (x) => sigmoid(x) * sigmoid(-x), kinks: [] },
  [Kind.Tanh]: { f: Math.tanh, df: (x) => 4 * sigmoid(2 * x) * sigmoid(-2 * x), kinks: [] },
  [Kind.HardSwish]: {
    f: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
    df: (x) => (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1),
    kinks: [-3, 3],
  },
  [Kind.Silu]: { f: (x) => x * sigmoid(x), df: (x) => sigmoid(x) * (1 + x * sigmoid(-x)), kinks: [] },
  [Kind.Gelu]: {
    f: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
    df: (x) => 0.5 * (1 + erf(x * Math.SQRT1_2)) + x * density(x),
    kinks: [],
  },
  [Kind.GeluTanh]: {
    f: (x) => x * sigmoid(2 * inner(x)),
    df: (x) => sigmoid(2 * inner(x)) * (1 + 2 * x * innerSlope(x) * sigmoid(-2 * inner(x))),
    kinks: [],
  },
};
