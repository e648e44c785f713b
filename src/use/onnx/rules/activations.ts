/** Element-wise functions as ONNX has them, or spelled out. */
import { ACTIVATIONS, type ActivationName, activationAt } from '../../../ops/activations.ts';
import type { Writer } from '../writer.ts';
import type { Rule } from './rule.ts';

type Spelling = (w: Writer, x: string) => string;
const one =
  (op: string, attributes = {}): Spelling =>
  (w, x) =>
    w.node(op, [x], attributes);
const clip =
  (low: number, high: number): Spelling =>
  (w, x) =>
    w.node('Clip', [x, w.number(low), w.number(high)]);
const times = (w: Writer, a: string, b: string): string => w.node('Mul', [a, b]);

/** x/2·(1 + g(x)). */
const half = (w: Writer, x: string, inner: string): string => times(w, times(w, x, w.node('Add', [inner, w.number(1)])), w.number(0.5));

const SPELLINGS: Record<ActivationName, Spelling> = {
  Relu: one('Relu'),
  Relu6: clip(0, 6),
  LeakyRelu: one('LeakyRelu', { alpha: { float: 0.01 } }),
  HardSigmoid: one('HardSigmoid', { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }),
  Sigmoid: one('Sigmoid'),
  Tanh: one('Tanh'),
  HardSwish: one('HardSwish'),
  Silu: (w, x) => times(w, x, w.node('Sigmoid', [x])),
  Gelu: (w, x) => half(w, x, w.node('Erf', [w.node('Div', [x, w.number(Math.SQRT2)])])),
  GeluTanh: (w, x) => {
    const cube = times(w, times(w, times(w, x, x), x), w.number(0.044715));
    return half(w, x, w.node('Tanh', [times(w, w.node('Add', [x, cube]), w.number(Math.sqrt(2 / Math.PI)))]));
  },
  QuickGelu: (w, x) => times(w, x, w.node('Sigmoid', [times(w, x, w.number(1.702))])),
  HardTanh: clip(-1, 1),
  Elu: one('Elu'),
  Selu: one('Selu'),
  Mish: one('Mish'),
  Softplus: one('Softplus'),
};

const nameOf = new Map(Object.entries(ACTIVATIONS).map(([name, { kind }]) => [kind as number, name as ActivationName]));

export const Activation: Rule = (node, w) => {
  const [x] = node.inputs as [number];
  const order = w.orderOf(x);
  const { kind } = activationAt(node.attributes.kind!);
  w.put(node.outputs[0]!, SPELLINGS[nameOf.get(kind)!](w, w.value(x, order)), order);
};
