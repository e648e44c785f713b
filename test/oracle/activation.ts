/** The element-wise functions in f64: those of the table, which test/ops/activations.test.ts holds against PyTorch's numbers; and erf and sigmoid. */
import type { Kind } from '../../assembly/generated/kinds.ts';
import { type Activation, everyActivation } from '../../src/ops/activations.ts';

/** By their number in programs. */
export const functions = Object.fromEntries(everyActivation().map((row) => [row.kind, row])) as Record<Kind, Activation>;

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
