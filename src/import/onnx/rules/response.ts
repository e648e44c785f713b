/** Global response normalisation (arXiv 2301.00808): x + gamma·(x · n) + beta, n = ‖x‖ over positions beside its mean over channels. */
import { elements } from '../../../base/tensor.ts';
import type { Lowering } from '../lower.ts';
import { channelsOf } from '../steps.ts';
import type { View } from '../view.ts';

/** x · n, n one number for each channel that comes from x itself: a response still without gamma, beta and x. */
export function responsePart(l: Lowering, x: View, n: View): View | undefined {
  const [step, quotient] = [l.steps[x.value]!, l.steps[n.value]!];
  if (quotient.op !== 'two Div') return undefined;
  const [top, bottom] = quotient.inputs.map((i) => l.steps[i]!) as [typeof step, typeof step];
  if (top.op !== 'length' || top.inputs[0] !== x.value || elements(top.shape) !== channelsOf(step)) return undefined;
  for (const [leaf, f] of bottom.pointwise ?? [[-1, (v: number) => v]]) {
    const mean = leaf < 0 ? bottom : l.steps[leaf]!;
    const eps = leaf < 0 ? 0 : f(0);
    if (mean.op !== 'mean' || mean.inputs[0] !== quotient.inputs[0] || Math.abs(f(1) - 1 - eps) > 1e-6) continue;
    return { ...x, value: l.emit({ op: 'response', name: l.layer(), inputs: [x.value], shape: step.shape, a: { eps: Math.fround(eps) } }) };
  }
  return undefined;
}

/** The sum with x makes it whole. */
export function withResponse(l: Lowering, x: number, part: number): number | undefined {
  const step = l.steps[part]!;
  return step.op === 'response' && step.inputs[0] === x ? l.emit({ ...step, op: 'responseNorm', params: step.params }) : undefined;
}
