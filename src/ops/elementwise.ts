/** Element-wise functions and sums. */
import { Keep } from '../../assembly/abi/keep.ts';
import { ActivationArg, ActivationBackwardArg, AddArg } from '../../assembly/abi/ops/elementwise.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { bit1Bytes, code4Bytes } from '../../assembly/abi/sizes.ts';
import { type Graph, numel, shapeOf, u8 } from '../graph/graph.ts';
import { activationAt } from './activations.ts';
import { BLOCK_BYTES, blocksOf, float, MOVE, moves, type OpDef, type Saved, same, shape, words } from './def.ts';

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
      const { kind, keep, isPiecewise, isSteep } = activationAt(node.attributes.kind!);
      const exact: Saved = { as: { [keep]: 'f32' }, keep: Keep.Value, inputs: [0], extra: [] };
      if (isPiecewise) return [exact, { as: { [keep]: '1' }, keep: Keep.Bit1, inputs: [], extra: [u8(bit1Bytes(n))] }];
      const code8: Saved = { as: { [keep]: '8' }, keep: Keep.Code8, inputs: [], extra: [u8(n)] };
      const code4: Saved = { as: { [keep]: '4' }, keep: Keep.Code4, inputs: [], extra: [u8(code4Bytes(n))], codebook: kind };
      return [exact, ...(isSteep ? [] : [code8]), code4];
    },
    autograd: (node, _graph, needs) => ({
      values: needs[0] ? [activationAt(node.attributes.kind!).keepsOutput ? node.outputs[0]! : node.inputs[0]!] : [],
      bytes: 0,
    }),
    backward(node, g) {
      const [x, table] = node.inputs as [number, number];
      const kept = node.attributes.keep === Keep.Value ? x : node.outputs[1]!;
      const dx = g.emit('ActivationBackward', `${node.name}.dx`, [g.of(node.outputs[0]!), kept, table], node.attributes);
      g.add(x, dx[0]!);
    },
    inPlace: [[0, 0]],
    pieces: (n, graph) => ({ of: 'rows', whole: [1], separatelyStored: isPadded(graph, n.inputs[0]!, n.outputs[1]) }),
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
    costRate: { mac: 0, byte: 0.1 },
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
    costRate: MOVE,
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
    costRate: MOVE,
  },
};
