/** Losses: what each task is taught by, and what it answers. Classification, yes or no for each label, numbers. */
import { BinaryCrossEntropyArg } from '../../assembly/abi/ops/binarycrossentropy.ts';
import { CrossEntropyArg, SoftCrossEntropyArg } from '../../assembly/abi/ops/crossentropy.ts';
import { HuberArg } from '../../assembly/abi/ops/huber.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, type Graph, i32, type Node, shapeOf } from '../graph/graph.ts';
import { alone, float, MOVE, moves, type OpDef, same, shape, words } from './def.ts';

/** The logits [B,N]; nothing is kept by PyTorch beside them and the targets, f32 both. */
function autograd(node: Node, graph: Graph): { values: number[]; bytes: number } {
  const [b, n] = shapeOf(graph, node.inputs[0]!) as [number, number];
  return { values: [], bytes: 8 * b * n };
}

/** inputs logits[B,N], labels i32[B]; outputs losses[B], choices i32[B] and, with attribute train, dlogits[B,N]; updates state. */
const crossEntropy: OpDef = {
  opcode: Op.CrossEntropy,
  infer(inputs, a) {
    const [b, n] = shape(inputs, 0) as [number, number];
    same('cross entropy: labels', shape(inputs, 1), [b]);
    return [f32(b), i32(b), ...(a.train ? [f32(b, n)] : [])];
  },
  split: alone,
  /** The log-probabilities, and the labels as int64. */
  autograd(node, graph) {
    const [b, n] = shapeOf(graph, node.inputs[0]!) as [number, number];
    return { values: [], bytes: 4 * b * n + 8 * b };
  },
  lower: (n, at, graph) => {
    const [b, classes] = shapeOf(graph, n.inputs[0]!) as [number, number];
    return words({
      [CrossEntropyArg.X]: at.input(0),
      [CrossEntropyArg.LABELS]: at.input(1),
      [CrossEntropyArg.DLOGITS]: n.attributes.train ? at.output(2) : 0,
      [CrossEntropyArg.LOSSES]: at.output(0),
      [CrossEntropyArg.CHOICES]: at.output(1),
      [CrossEntropyArg.STATE]: at.update(0),
      [CrossEntropyArg.BATCH]: b,
      [CrossEntropyArg.N]: classes,
    });
  },
  cost: moves,
  costRate: MOVE,
};

/**
 * The same of more than a label, by attributes: with `mixed` of pictures that are two in one, with `weighted` by classes' weights. Inputs logits[B,N], labels
 * i32[B], then others i32[B] and shares f32[B], then weights f32[N]. Of what is mixed PyTorch keeps all targets, f32[B,N].
 */
const softCrossEntropy: OpDef = {
  ...crossEntropy,
  opcode: Op.SoftCrossEntropy,
  infer(inputs, a, lists) {
    const [b, n] = shape(inputs, 0) as [number, number];
    if (a.mixed) for (const at of [2, 3]) same('cross entropy: shares', shape(inputs, at), [b]);
    if (a.weighted) same('cross entropy: weights', shape(inputs, a.mixed ? 4 : 2), [n]);
    return crossEntropy.infer(inputs, a, lists);
  },
  autograd: (node, graph, ...more) => (node.attributes.mixed ? autograd(node, graph) : crossEntropy.autograd!(node, graph, ...more)),
  lower: (n, at, graph) => {
    const [b, classes] = shapeOf(graph, n.inputs[0]!) as [number, number];
    const { mixed, weighted, train } = n.attributes;
    return words({
      [SoftCrossEntropyArg.X]: at.input(0),
      [SoftCrossEntropyArg.LABELS]: at.input(1),
      [SoftCrossEntropyArg.OTHERS]: mixed ? at.input(2) : 0,
      [SoftCrossEntropyArg.SHARES]: mixed ? at.input(3) : 0,
      [SoftCrossEntropyArg.WEIGHTS]: weighted ? at.input(mixed ? 4 : 2) : 0,
      [SoftCrossEntropyArg.DLOGITS]: train ? at.output(2) : 0,
      [SoftCrossEntropyArg.LOSSES]: at.output(0),
      [SoftCrossEntropyArg.CHOICES]: at.output(1),
      [SoftCrossEntropyArg.STATE]: at.update(0),
      [SoftCrossEntropyArg.BATCH]: b,
      [SoftCrossEntropyArg.N]: classes,
    });
  },
};

/**
 * inputs logits[B,N], targets f32[B,N] (0 to 1), thresholds f32[N]; outputs losses[B], choices i32[B,N] (1: answered) and, with attribute train,
 * dlogits[B,N]; updates state.
 */
const binaryCrossEntropy: OpDef = {
  opcode: Op.BinaryCrossEntropy,
  infer(inputs, a) {
    const [b, n] = shape(inputs, 0) as [number, number];
    same('binary cross entropy: targets', shape(inputs, 1), [b, n]);
    same('binary cross entropy: thresholds', shape(inputs, 2), [n]);
    return [f32(b), i32(b, n), ...(a.train ? [f32(b, n)] : [])];
  },
  split: alone,
  autograd,
  lower: (node, at, graph) => {
    const [b, n] = shapeOf(graph, node.inputs[0]!) as [number, number];
    return words({
      [BinaryCrossEntropyArg.X]: at.input(0),
      [BinaryCrossEntropyArg.TARGETS]: at.input(1),
      [BinaryCrossEntropyArg.THRESHOLDS]: at.input(2),
      [BinaryCrossEntropyArg.DLOGITS]: node.attributes.train ? at.output(2) : 0,
      [BinaryCrossEntropyArg.LOSSES]: at.output(0),
      [BinaryCrossEntropyArg.CHOICES]: at.output(1),
      [BinaryCrossEntropyArg.STATE]: at.update(0),
      [BinaryCrossEntropyArg.BATCH]: b,
      [BinaryCrossEntropyArg.N]: n,
    });
  },
  cost: moves,
  costRate: MOVE,
};

export const losses: Record<string, OpDef> = {
  CrossEntropy: crossEntropy,
  SoftCrossEntropy: softCrossEntropy,
  BinaryCrossEntropy: binaryCrossEntropy,
  /**
   * inputs logits[B,N], targets f32[B,N] in their units, scale f32[2,N] (means, standard deviations); outputs losses[B], answers f32[B,N] in the
   * targets' units and, with attribute train, dlogits[B,N]; updates state; attribute delta: where squares become lines, 0: nowhere.
   */
  Huber: {
    opcode: Op.Huber,
    infer(inputs, a) {
      const [b, n] = shape(inputs, 0) as [number, number];
      same('huber: targets', shape(inputs, 1), [b, n]);
      same('huber: scale', shape(inputs, 2), [2, n]);
      return [f32(b), f32(b, n), ...(a.train ? [f32(b, n)] : [])];
    },
    split: alone,
    autograd,
    lower: (node, at, graph) => {
      const [b, n] = shapeOf(graph, node.inputs[0]!) as [number, number];
      return words({
        [HuberArg.X]: at.input(0),
        [HuberArg.TARGETS]: at.input(1),
        [HuberArg.SCALE]: at.input(2),
        [HuberArg.DLOGITS]: node.attributes.train ? at.output(2) : 0,
        [HuberArg.LOSSES]: at.output(0),
        [HuberArg.ANSWERS]: at.output(1),
        [HuberArg.STATE]: at.update(0),
        [HuberArg.BATCH]: b,
        [HuberArg.N]: n,
        [HuberArg.DELTA]: float(node.attributes.delta!),
      });
    },
    cost: moves,
    costRate: MOVE,
  },
};
