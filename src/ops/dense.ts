/** Linear layers (1×1 convolutions too: every leading axis is a row) and the sum that gives a bias its gradient. */
import { BiasBackwardArg, gemmScratch, LinearArg, LinearBackwardWArg, LinearBackwardXArg } from '../../assembly/abi/ops/dense.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { encodingOf, lastDim, numel, rowsOf, shapeOf } from '../graph/graph.ts';
import { MOVE, type OpDef, PRODUCT, same, shape, traffic, words } from './def.ts';
import { keptInput, savesInput } from './quantize.ts';

const [X, W, B] = [0, 1, 2];

export const dense: Record<string, OpDef> = {
  /** inputs x[…,K], w[N,K], b[N] or absent; output y[…,N]. */
  Linear: {
    opcode: Op.Linear,
    coded: W,
    infer(inputs) {
      const x = shape(inputs, X);
      const [n, k] = shape(inputs, W) as [number, number];
      same('linear: weight', [n, k], [n, x.at(-1) as number]);
      if (inputs[B]) same('linear: bias', shape(inputs, B), [n]);
      return [{ dtype: 'f32', shape: [...x.slice(0, -1), n] }];
    },
    saves: (node, graph, needs) => (needs[W] ? savesInput(node, graph, X) : []),
    // PyTorch's 1×1 convolution keeps its input even where only the bias learns (pytorch issue 133566).
    autograd: (node, _graph, needs) => ({ values: needs[W] || node.attributes.pointwise ? [node.inputs[X]!] : [], bytes: 0 }),
    backward(node, g) {
      const [x, w, b] = node.inputs as [number, number, number];
      const dy = g.of(node.outputs[0]!);
      if (g.needs(b)) g.emit('BiasBackward', `${node.name}.db`, [dy], {}, [g.accumulator(b)]);
      if (g.needs(w)) g.emit('LinearBackwardW', `${node.name}.dw`, [dy, keptInput(node, g, X)], {}, [g.accumulator(w)]);
      if (g.needs(x)) g.set(x, g.emit('LinearBackwardX', `${node.name}.dx`, [dy, w, g.soFar(x)])[0]!);
    },
    // What comes in is learnable in a prompt alone: A of A·B, whose rows have a length of about 1.
    rates(node, graph, i) {
      const k = lastDim(graph, node.inputs[X]!);
      if (i === B) return { rule: 'added' };
      return i === X ? { rule: 'constant', size: 1 / Math.sqrt(k) } : { rule: 'product', input: X, inner: k, spread: 1 };
    },
    pieces: () => ({ of: 'rows', whole: [W, B] }),
    scratch: gemmScratch,
    lower: (n, at, graph) =>
      words({
        [LinearArg.X]: at.input(X),
        [LinearArg.W]: at.input(W),
        [LinearArg.B]: at.input(B),
        [LinearArg.Y]: at.output(0),
        [LinearArg.M]: rowsOf(graph, n.inputs[X]!),
        [LinearArg.N]: lastDim(graph, n.outputs[0]!),
        [LinearArg.K]: lastDim(graph, n.inputs[X]!),
        [LinearArg.ENCODING]: encodingOf(graph, n.inputs[W]!),
      }),
    cost: (n, graph) => ({
      macs: rowsOf(graph, n.inputs[X]!) * lastDim(graph, n.outputs[0]!) * lastDim(graph, n.inputs[X]!),
      bytes: traffic(n, graph),
    }),
    costRate: PRODUCT,
  },

  /** inputs dy[…,N], w[N,K], acc[…,K] or absent; output dx[…,K]. */
  LinearBackwardX: {
    opcode: Op.LinearBackwardX,
    coded: 1,
    infer(inputs) {
      const dy = shape(inputs, 0);
      return [{ dtype: 'f32', shape: [...dy.slice(0, -1), shape(inputs, 1)[1]!] }];
    },
    inPlace: [[2, 0]],
    pieces: () => ({ of: 'rows', whole: [1] }),
    scratch: gemmScratch,
    lower: (n, at, graph) =>
      words({
        [LinearBackwardXArg.DY]: at.input(0),
        [LinearBackwardXArg.W]: at.input(1),
        [LinearBackwardXArg.ACC]: at.input(2),
        [LinearBackwardXArg.DX]: at.output(0),
        [LinearBackwardXArg.M]: rowsOf(graph, n.inputs[0]!),
        [LinearBackwardXArg.N]: lastDim(graph, n.inputs[0]!),
        [LinearBackwardXArg.K]: lastDim(graph, n.outputs[0]!),
        [LinearBackwardXArg.ENCODING]: encodingOf(graph, n.inputs[1]!),
      }),
    cost: (n, graph) => ({
      macs: rowsOf(graph, n.inputs[0]!) * lastDim(graph, n.inputs[0]!) * lastDim(graph, n.outputs[0]!),
      bytes: traffic(n, graph),
    }),
    costRate: PRODUCT,
  },

  /** inputs dy[…,N], x[…,K]; updates dw[N,K]. */
  LinearBackwardW: {
    opcode: Op.LinearBackwardW,
    infer: () => [],
    pieces: () => ({ of: 'rows', whole: [] }),
    scratch: gemmScratch,
    lower: (n, at, graph) =>
      words({
        [LinearBackwardWArg.DY]: at.input(0),
        [LinearBackwardWArg.X]: at.input(1),
        [LinearBackwardWArg.DW]: at.update(0),
        [LinearBackwardWArg.M]: rowsOf(graph, n.inputs[0]!),
        [LinearBackwardWArg.N]: lastDim(graph, n.inputs[0]!),
        [LinearBackwardWArg.K]: lastDim(graph, n.inputs[1]!),
      }),
    cost: (n, graph) => ({
      macs: rowsOf(graph, n.inputs[0]!) * lastDim(graph, n.inputs[0]!) * lastDim(graph, n.inputs[1]!),
      bytes: traffic(n, graph),
    }),
    costRate: PRODUCT,
  },

  /** inputs dy[…,N]; updates db[N]. With attribute flat all of dy is one row: db += dy. */
  BiasBackward: {
    opcode: Op.BiasBackward,
    infer: () => [],
    pieces: (n) => (n.attributes.flat ? undefined : { of: 'rows', whole: [] }),
    lower: (n, at, graph) =>
      words({
        [BiasBackwardArg.DY]: at.input(0),
        [BiasBackwardArg.DB]: at.update(0),
        [BiasBackwardArg.M]: n.attributes.flat ? 1 : rowsOf(graph, n.inputs[0]!),
        [BiasBackwardArg.N]: n.attributes.flat ? numel(shapeOf(graph, n.inputs[0]!)) : lastDim(graph, n.inputs[0]!),
      }),
    cost: (n, graph) => ({ macs: rowsOf(graph, n.inputs[0]!) * lastDim(graph, n.inputs[0]!), bytes: traffic(n, graph) }),
    costRate: MOVE,
  },
};
