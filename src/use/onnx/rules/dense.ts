/** Linear layers, sums, products, factors by channel. */
import { ABSENT, shapeOf } from '../../../graph/graph.ts';
import type { Order, Writer } from '../writer.ts';
import type { Rule } from './rule.ts';

const [X, W, B] = [0, 1, 2];

/** Numbers of each channel, as they stand beside a value in `order`. */
function perChannel(w: Writer, id: number, like: number, order: Order): string {
  const c = shapeOf(w.graph, like).at(-1)!;
  return order === 'last' ? w.value(id) : w.constant(id, { dims: [c], perm: [0], shape: [c, 1, 1], rows: 0 });
}

export const Linear: Rule = (node, w) => {
  const [x, weight, bias] = node.inputs as [number, number, number];
  const [n, k] = shapeOf(w.graph, weight) as [number, number];
  const rank = shapeOf(w.graph, x).length;
  const added = bias === ABSENT ? [] : [w.value(bias)];
  const [out] = node.outputs as [number];
  if (rank === 4 && w.orderOf(x) === 'first' && w.isKnown(weight)) {
    const filter = w.constant(weight, { dims: [n, k], perm: [0, 1], shape: [n, k, 1, 1], rows: 0 });
    w.put(out, w.node('Conv', [w.value(x, 'first'), filter, ...added], { kernel_shape: [1, 1] }), 'first');
    return;
  }
  if (rank === 2) {
    w.put(out, w.node('Gemm', [w.value(x), w.value(weight), ...added], { transB: 1 }));
    return;
  }
  // Codes stay as they are, turned behind the node that makes numbers of them: onnxruntime would else multiply in 8 bits, which is another answer.
  const right =
    w.isKnown(weight) && !w.isCoded(weight)
      ? w.constant(weight, { dims: [n, k], perm: [1, 0], shape: [k, n], rows: 1 })
      : w.transpose(w.value(weight), [1, 0]);
  const product = w.node('MatMul', [w.value(x), right]);
  w.put(out, bias === ABSENT ? product : w.node('Add', [product, ...added]));
};

export const Add: Rule = (node, w) => {
  const order = w.orderOf(node.inputs[0]!);
  const sum = w.node(
    'Add',
    node.inputs.map((id) => w.value(id, order)),
  );
  const { scale } = node.attributes as { scale: number };
  w.put(node.outputs[0]!, scale === 1 ? sum : w.node('Mul', [sum, w.number(scale)]), order);
};

export const Multiply: Rule = (node, w) => {
  const order = w.orderOf(node.inputs[0]!);
  w.put(
    node.outputs[0]!,
    w.node(
      'Mul',
      node.inputs.map((id) => w.value(id, order)),
    ),
    order,
  );
};

export const Affine: Rule = (node, w) => {
  const [x, scale, shift] = [node.inputs[X]!, node.inputs[W]!, node.inputs[B] ?? ABSENT];
  const order = w.orderOf(x);
  let y = w.value(x, order);
  if (scale !== ABSENT) y = w.node('Mul', [y, perChannel(w, scale, x, order)]);
  if (shift !== ABSENT) y = w.node('Add', [y, perChannel(w, shift, x, order)]);
  w.put(node.outputs[0]!, y, order);
};

/** Each channel of a picture by a factor of its own. */
export const Gate: Rule = (node, w) => {
  const [x, g] = node.inputs as [number, number];
  const shape = shapeOf(w.graph, x);
  const c = shape.at(-1)!;
  const order = shape.length === 4 ? w.orderOf(x) : 'last';
  const isMap = shapeOf(w.graph, g).length === 4;
  const wanted = order === 'first' ? [-1, c, 1, 1] : [-1, ...shape.slice(1, -1).map(() => 1), c];
  const factors = isMap ? w.value(g, order) : w.reshape(w.value(g), wanted);
  w.put(node.outputs[0]!, w.node('Mul', [w.value(x, order), factors]), order);
};

/** The same added to every picture. */
export const BroadcastAdd: Rule = (node, w) => {
  const [x, p] = node.inputs as [number, number];
  const one = shapeOf(w.graph, x).slice(1);
  const same = shapeOf(w.graph, p).join() === one.join();
  const added = same ? w.value(p) : w.node('Reshape', [w.value(p), w.ints(...one)]);
  w.put(node.outputs[0]!, w.node('Add', [w.value(x), added]));
};
