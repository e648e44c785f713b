/** Element-wise functions and sums. */
import { ActivationArg, ActivationBackwardArg, AddArg, Keep, Kind, Op } from '../../assembly/abi/ops.ts';
import { type Graph, numel, shapeOf, u8 } from '../graph.ts';
import { bit1Bytes, code4Bytes } from '../groups.ts';
import type { KeepClass } from '../keep.ts';
import { BLOCK_BYTES, blocksOf, float, moves, type OpDef, type Saved, same, shape, words } from './def.ts';

/** Functions whose derivative has two values: a bit is exact. */
const TWO_SLOPES: readonly number[] = [Kind.Relu, Kind.Relu6, Kind.LeakyRelu, Kind.HardSigmoid];
/** The class of each smooth function. */
const CLASS_OF: Partial<Record<number, KeepClass>> = {
  [Kind.Sigmoid]: 'sigmoid',
  [Kind.Tanh]: 'tanh',
  [Kind.HardSwish]: 'hswish',
  [Kind.Silu]: 'silu',
  [Kind.Gelu]: 'gelu',
  [Kind.GeluTanh]: 'gelu',
};
/** Functions whose PyTorch backward reads the output, so that autograd keeps that. */
const KEEPS_OUTPUT: readonly number[] = [Kind.Relu, Kind.Sigmoid, Kind.Tanh];

/** What is kept of a block. */
const keptBlock = (keep: number | undefined): number =>
  keep === Keep.Bit1 ? bit1Bytes(32) : keep === Keep.Code4 ? code4Bytes(32) : keep === Keep.Code8 ? 32 : BLOCK_BYTES;

/** Whether codes end with some of no element: then those of a piece are no piece of all. */
const isPadded = (graph: Graph, x: number, codes: number | undefined): boolean =>
  codes !== undefined && (8 * graph.values[codes]!.bytes) % numel(shapeOf(graph, x)) !== 0;

export const elementwise: Record<string, OpDef> = {
  /** inputs x, table (codebook) or absent; output y; attributes kind, keep. */
  Activation: {
    opcode: Op.Activation,
    infer: (inputs) => [{ dtype: 'f32', shape: shape(inputs, 0) }],
    saves(node, graph, needs) {
      if (!needs[0]) return [];
      const n = numel(shapeOf(graph, node.inputs[0]!));
      const { kind } = node.attributes as { kind: Kind };
      const name = TWO_SLOPES.includes(kind) ? 'relu' : CLASS_OF[kind]!;
      const exact: Saved = { as: { [name]: 'f32' }, keep: Keep.Value, inputs: [0], extra: [] };
      if (name === 'relu') return [exact, { as: { relu: '1' }, keep: Keep.Bit1, inputs: [], extra: [u8(bit1Bytes(n))] }];
      return [
        exact,
        { as: { [name]: '8' }, keep: Keep.Code8, inputs: [], extra: [u8(n)] },
        { as: { [name]: '4' }, keep: Keep.Code4, inputs: [], extra: [u8(code4Bytes(n))], codebook: kind },
      ];
    },
    autograd: (node, _graph, needs) => ({
      values: needs[0] ? [KEEPS_OUTPUT.includes(node.attributes.kind!) ? node.outputs[0]! : node.inputs[0]!] : [],
      bytes: 0,
    }),
    backward(node, g) {
      const [x, table] = node.inputs as [number, number];
      const kept = node.attributes.keep === Keep.Value ? x : node.outputs[1]!;
      const dx = g.emit('ActivationBackward', `${node.name}.dx`, [g.of(node.outputs[0]!), kept, table], node.attributes);
      g.add(x, dx[0]!);
    },
    inPlace: [[0, 0]],
    pieces: (n, graph) => ({ of: 'rows', whole: [1], apart: isPadded(graph, n.inputs[0]!, n.outputs[1]) }),
    split: (n, graph) => ({
      units: blocksOf(graph, n.inputs[0]!),
      inputs: [BLOCK_BYTES],
      outputs: [BLOCK_BYTES, keptBlock(n.attributes.keep)],
    }),
    lower: (n, at, graph) =>
      words({
        [ActivationArg.X]: at.input(0),
        [ActivationArg.Y]: at.output(0),
        [ActivationArg.KEPT]: n.outputs.length > 1 ? at.output(1) : 0,
        [ActivationArg.KIND]: n.attributes.kind!,
        [ActivationArg.KEEP]: n.attributes.keep ?? Keep.Nothing,
        [ActivationArg.N]: numel(shapeOf(graph, n.inputs[0]!)),
        [ActivationArg.TABLE]: n.attributes.keep === Keep.Code4 ? at.input(1) : 0,
      }),
    cost: moves,
  },
  /** inputs dy, kept (x or codes), table or absent; output dx. */
  ActivationBackward: {
    opcode: Op.ActivationBackward,
    infer: (inputs) => [{ dtype: 'f32', shape: shape(inputs, 0) }],
    inPlace: [[0, 0]],
    pieces: () => ({ of: 'rows', whole: [2] }),
    split: (n, graph) => ({
      units: blocksOf(graph, n.inputs[0]!),
      inputs: [BLOCK_BYTES, keptBlock(n.attributes.keep)],
      outputs: [BLOCK_BYTES],
    }),
    lower: (n, at, graph) =>
      words({
        [ActivationBackwardArg.KEPT]: at.input(1),
        [ActivationBackwardArg.DY]: at.input(0),
        [ActivationBackwardArg.DX]: at.output(0),
        [ActivationBackwardArg.KIND]: n.attributes.kind!,
        [ActivationBackwardArg.KEEP]: n.attributes.keep!,
        [ActivationBackwardArg.N]: numel(shapeOf(graph, n.inputs[0]!)),
        [ActivationBackwardArg.TABLE]: n.attributes.keep === Keep.Code4 ? at.input(2) : 0,
      }),
    cost: moves,
  },
  /** y = scale·(a + b). */
  Add: {
    opcode: Op.Add,
    infer(inputs) {
      same('add', shape(inputs, 1), shape(inputs, 0));
      return [{ dtype: 'f32', shape: shape(inputs, 0) }];
    },
    backward(node, g) {
      const dy = g.of(node.outputs[0]!);
      const { scale } = node.attributes as { scale: number };
      // scale·dy is itself a scaled sum: (scale/2)·(dy + dy).
      const dx = scale === 1 ? dy : g.emit('Add', `${node.name}.dx`, [dy, dy], { scale: scale / 2 })[0]!;
      for (const x of node.inputs) if (g.needs(x)) g.add(x, dx);
    },
    inPlace: [
      [0, 0],
      [1, 0],
    ],
    pieces: () => ({ of: 'rows', whole: [] }),
    split: (n, graph) => ({ units: blocksOf(graph, n.inputs[0]!), inputs: [BLOCK_BYTES, BLOCK_BYTES], outputs: [BLOCK_BYTES] }),
    lower: (n, at, graph) =>
      words({
        [AddArg.A]: at.input(0),
        [AddArg.B]: at.input(1),
        [AddArg.Y]: at.output(0),
        [AddArg.N]: numel(shapeOf(graph, n.inputs[0]!)),
        [AddArg.SCALE]: float(n.attributes.scale!),
      }),
    cost: moves,
  },
};
