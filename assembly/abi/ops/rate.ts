/** Relative learning rates: what layers put out is measured before the first step, and the rate of every learnable number follows from it. */
import { Rates } from '../rates.ts';
import { between, mayWrite, reads, size, takesState, writes } from '../bounds.ts';

/**
 * Observe, where STATE.Measured is not 0 (else it does nothing): SUM[N] += Σ_m x[m,N] and SQUARES[N] += Σ_m x[m,N]², row by row in order, so
 * that pieces of rows give the same bytes as the whole. SUM may be 0. With TOTAL = 1 SQUARES is one number, Σ_m Σ_n x²; SUM is 0 then.
 */
export const enum ObserveArg {
  X,
  M,
  N,
  SUM,
  SQUARES,
  TOTAL,
  STATE,
}
export function observe(): void {
  const n = size(ObserveArg.N);
  reads(ObserveArg.X, 4 * size(ObserveArg.M) * n);
  mayWrite(ObserveArg.SUM, 4 * n);
  writes(ObserveArg.SQUARES, between(ObserveArg.TOTAL, 0, 1) === 1 ? 4 : 4 * n);
  takesState(ObserveArg.STATE);
}

/** By what the rate of a tensor's numbers is measured (kernels/rate.ts has the formulas). */
export const enum Rule {
  /** Nothing measured: FRACTION alone. */
  Constant = 0,
  /** Added to a layer's output, channel by channel. */
  Added = 1,
  /** Multiplied with the layer's input x; the product is added to something with channels. */
  Product = 2,
  /** The same where the product is a logit, whose unit is 1; of x it is what differs between pictures that counts. */
  Logit = 3,
}

/**
 * SetRates: SCALE[N] from the sums that Observe left in SUM[N] and SCALE[N] (ROWS rows in a pass) and, of the layer's input, in INPUT[1]
 * (INPUT_ROWS rows in a pass, times SPREAD); all are zero afterwards. Logit: SUM and INPUT are of the
 * input, [FEATURES] each. STATE.Measured is the number of passes. POWER 2 squares the rate but for FRACTION. The least and the largest go to STATE.Rates of GROUP. A rate that is not finite ends the walk.
 */
export const enum SetRatesArg {
  SCALE,
  SUM,
  INPUT,
  N,
  ROWS,
  INPUT_ROWS,
  SPREAD,
  FEATURES,
  RULE,
  FRACTION,
  POWER,
  GROUP,
  STATE,
}
export function setRates(): void {
  const n = size(SetRatesArg.N);
  writes(SetRatesArg.SCALE, 4 * n);
  const features = size(SetRatesArg.FEATURES);
  mayWrite(SetRatesArg.SUM, 4 * n);
  mayWrite(SetRatesArg.INPUT, 4);
  size(SetRatesArg.ROWS);
  size(SetRatesArg.INPUT_ROWS);
  const rule = between(SetRatesArg.RULE, Rule.Constant, Rule.Logit);
  between(SetRatesArg.POWER, 1, 2);
  between(SetRatesArg.GROUP, 0, Rates.Groups - 1);
  takesState(SetRatesArg.STATE);
  if (rule === Rule.Product) writes(SetRatesArg.INPUT, 4);
  if (rule === Rule.Logit) {
    writes(SetRatesArg.SUM, 4 * features);
    writes(SetRatesArg.INPUT, 4 * features);
  }
  if (rule === Rule.Added || rule === Rule.Product) writes(SetRatesArg.SUM, 4 * n);
}
