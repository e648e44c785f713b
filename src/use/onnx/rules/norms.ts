/** Norms: by row, by group of channels, by picture. */
import { ABSENT, type Node, nodesOf, shapeOf } from '../../../graph/graph.ts';
import type { Writer } from '../writer.ts';
import type { Rule } from './rule.ts';

export const LayerNorm: Rule = (node, w) => {
  const { eps } = node.attributes as { eps: number };
  const inputs = node.inputs.map((id) => w.value(id));
  w.put(node.outputs[0]!, w.node('LayerNormalization', inputs, { axis: -1, epsilon: { float: eps } }));
};

/** Without a mean: x over the root of its mean square or, with `unit`, over its length. */
export const RmsNorm: Rule = (node, w) => {
  const [x, gamma] = [node.inputs[0]!, node.inputs[1] ?? ABSENT];
  const { eps, unit } = node.attributes as Record<'eps' | 'unit', number>;
  const from = w.value(x);
  const length = unit
    ? w.node('Max', [w.node('ReduceL2', [from, w.ints(-1)], { keepdims: 1 }), w.number(eps)])
    : w.node('Sqrt', [w.node('Add', [w.node('ReduceMean', [w.node('Mul', [from, from]), w.ints(-1)], { keepdims: 1 }), w.number(eps)])]);
  const y = w.node('Div', [from, length]);
  w.put(node.outputs[0]!, gamma === ABSENT ? y : w.node('Mul', [y, w.value(gamma)]));
};

/** The node that made a value. */
const makerOf = (w: Writer, id: number): Node => nodesOf(w.graph).find(({ outputs }) => outputs.includes(id))!;

/** What its norm writes. */
export const GroupStats: Rule = () => {};

/** Groups of channels: an instance norm of as many channels, then factors and summands by channel. */
export const GroupNorm: Rule = (node, w) => {
  const [x, stats, gamma, beta] = node.inputs as [number, number, number, number];
  const { groups, eps } = makerOf(w, stats).attributes as Record<'groups' | 'eps', number>;
  const [, ...shape] = shapeOf(w.graph, x);
  const c = shape.at(-1)!;
  const isMap = shape.length === 3;
  const first = isMap ? w.value(x, 'first') : w.transpose(w.value(x), [0, 2, 1]);
  const sizes = isMap ? [c, shape[0]!, shape[1]!] : [c, shape[0]!];
  const fill = (name: string, value: number): string => w.floats(name, [groups], new Float32Array(groups).fill(value));
  const inputs = [w.node('Reshape', [first, w.ints(0, groups, -1)]), fill('ones', 1), fill('zeros', 0)];
  const plain = w.node('InstanceNormalization', inputs, { epsilon: { float: eps } });
  const back = w.node('Reshape', [plain, w.ints(-1, ...sizes)]);
  const wide = [c, ...sizes.slice(1).map(() => 1)];
  const of = (id: number): string => w.constant(id, { dims: [c], perm: [0], shape: wide, rows: 0 });
  const y = w.node('Add', [w.node('Mul', [back, of(gamma)]), of(beta)]);
  if (isMap) w.put(node.outputs[0]!, y, 'first');
  else w.put(node.outputs[0]!, w.transpose(y, [0, 2, 1]));
};

/** The length of each channel of a picture, kept in a map's shape. */
export const ResponseStats: Rule = (node, w) => {
  const [x] = node.inputs as [number];
  const axes = shapeOf(w.graph, x)
    .slice(1, -1)
    .map((_, i) => i + 1);
  w.put(node.outputs[0]!, w.node('ReduceL2', [w.value(x), w.ints(...axes)], { keepdims: 1 }));
};

/** x·(1 + gamma·n) + beta, n the lengths over their mean. */
export const ResponseNorm: Rule = (node, w) => {
  const [x, stats, gamma, beta = ABSENT] = node.inputs as [number, number, number, number | undefined];
  const lengths = w.value(stats);
  const mean = w.node('ReduceMean', [lengths, w.ints(-1)], { keepdims: 1 });
  const n = w.node('Div', [lengths, w.node('Add', [mean, w.number(node.attributes.eps!)])]);
  const scaled = w.node('Mul', [w.value(gamma), w.node('Mul', [w.value(x), n])]);
  const moved = beta === ABSENT ? scaled : w.node('Add', [w.value(beta), scaled]);
  w.put(node.outputs[0]!, w.node('Add', [w.value(x), moved]));
};
