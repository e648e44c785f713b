/** Convolution, depthwise convolution and pooling in NHWC. */
import { Keep } from '../../assembly/abi/keep.ts';
import {
  ConvArg,
  ConvBackwardWArg,
  ConvBackwardXArg,
  convBackwardXScratch,
  convScratch,
  DepthwiseArg,
  DepthwiseBackwardWArg,
  DepthwiseBackwardXArg,
  MaxPoolArg,
  MaxPoolBackwardArg,
  PoolArg,
  PoolBackwardArg,
} from '../../assembly/abi/ops/spatial.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { code4RowsBytes } from '../../assembly/abi/sizes.ts';
import { Patch } from '../../assembly/abi/tiles.ts';
import { type Attributes, encodingOf, f32, type Graph, type Node, numel, type Split, shapeOf, u8 } from '../graph/graph.ts';
import { MOST_AXES, MOVE, moves, type OpDef, same, shape, traffic, words } from './def.ts';
import { keptInput, savesInput } from './quantize.ts';

const [X, W, B] = [0, 1, 2];

/** Attributes of a window: kernel r×s, stride, zero rows above and columns left, output height and width. */
interface Window extends Attributes {
  r: number;
  s: number;
  stride: number;
  top: number;
  left: number;
  oh: number;
  ow: number;
}

type Four = [number, number, number, number];
/** BATCH H WIDTH C OH OW O R S STRIDE TOP LEFT. */
type Geometry = [...Four, ...Four, ...Four];

/** Geometry shared by the six kernels, from the image side [B,H,W,C] and the attributes. */
function geometry(image: readonly number[], a: Attributes, outChannels?: number): number[] {
  const [batch, h, w, c] = image as Four;
  const { r, s, stride, top, left, oh, ow } = a as Window;
  return [batch, h, w, c, oh, ow, ...(outChannels === undefined ? [] : [outChannels]), r, s, stride, top, left];
}

/** Places `geometry` after the operand addresses: the argument enums list both in this order. */
const convArguments = (first: number, operands: number[], rest: number[]): number[] => {
  if (operands.length !== first) throw new RangeError('lower: operands do not match the argument enum');
  return [...operands, ...rest];
};

const inferConv: OpDef['infer'] = (inputs, a) => {
  const [batch, , , c] = shape(inputs, X) as Four;
  const { r, s, oh, ow } = a as Window;
  const [o] = shape(inputs, W) as Four;
  same('conv: weight', shape(inputs, W), [o, r, s, c]);
  if (inputs[B]) same('conv: bias', shape(inputs, B), [o]);
  return [{ dtype: 'f32', shape: [batch, oh, ow, o] }];
};

const inferDepthwise: OpDef['infer'] = (inputs, a) => {
  const [batch, , , c] = shape(inputs, X) as Four;
  const { r, s, oh, ow } = a as Window;
  same('depthwise: weight', shape(inputs, W), [r, s, c]);
  if (inputs[B]) same('depthwise: bias', shape(inputs, B), [c]);
  return [{ dtype: 'f32', shape: [batch, oh, ow, c] }];
};

/** Backward of both kinds of convolution; `op` is the forward's name. */
const backwardOf =
  (op: 'Conv' | 'Depthwise'): OpDef['backward'] =>
  (node, g) => {
    const [x, w, b] = node.inputs as [number, number, number];
    const dy = g.of(node.outputs[0]!);
    const [, h, width, c] = shapeOf(g.graph, x) as Four;
    const a = { ...node.attributes, h, w: width, c };
    if (g.needs(b)) g.emit('BiasBackward', `${node.name}.db`, [dy], {}, [g.accumulator(b)]);
    if (g.needs(w)) g.emit(`${op}BackwardW`, `${node.name}.dw`, [dy, keptInput(node, g, X)], a, [g.accumulator(w)]);
    if (g.needs(x)) g.add(x, g.emit(`${op}BackwardX`, `${node.name}.dx`, [dy, w], a)[0]!);
  };

const savesFilterInput: OpDef['saves'] = (node, graph, needs) => (needs[W] ? savesInput(node, graph, X) : []);
/**
 * PyTorch's convolution keeps its input even where only the bias learns (pytorch issue 133566); with TensorFlow's padding that input is a
 * padded copy.
 */
const autogradInput: OpDef['autograd'] = (node, graph) => {
  const x = node.inputs[X]!;
  const { r, s, stride, oh, ow, tfPadding } = node.attributes as unknown as Window & { tfPadding?: number };
  if (!tfPadding) return { values: [x], bytes: 0 };
  const [batch, h, w, c] = shapeOf(graph, x) as Four;
  return { values: [], bytes: 4 * batch * c * Math.max(h, (oh - 1) * stride + r) * Math.max(w, (ow - 1) * stride + s) };
};
const inferImage: OpDef['infer'] = (inputs, a) => [{ dtype: 'f32', shape: [shape(inputs, 0)[0]!, a.h!, a.w!, a.c!] }];

/** Most pixels of a tile of patches. */
const pixelsOf = ({ attributes }: Node): number => attributes.pixels ?? Patch.Rows;

const convMacs = (n: Node, graph: Graph, w: number, dy: number): { macs: number; bytes: number } => {
  const [batch, oh, ow] = shapeOf(graph, dy) as Four;
  const pixels = batch * oh * ow;
  // Each tile packs the filter once more.
  const tiles = Math.ceil(pixels / pixelsOf(n)) - Math.ceil(pixels / Patch.Rows);
  return { macs: pixels * numel(shapeOf(graph, w)), bytes: traffic(n, graph) + 4 * tiles * numel(shapeOf(graph, w)) };
};

/** The output's picture rows. */
function pictureRows({ outputs }: Node, graph: Graph): Split {
  const [batch, h, w, c] = shapeOf(graph, outputs[0]!) as Four;
  return { units: batch * h, outputs: [4 * w * c] };
}

const image = (n: Node, graph: Graph): readonly number[] => [
  shapeOf(graph, n.inputs[0]!)[0]!,
  n.attributes.h!,
  n.attributes.w!,
  n.attributes.c!,
];

export const spatial: Record<string, OpDef> = {
  /** inputs x[B,H,W,C], w[O,R,S,C], b[O] or absent; output y[B,OH,OW,O]; attributes Window. */
  Conv: {
    opcode: Op.Conv,
    pieces: () => ({ of: 'pictures', whole: [W, B] }),
    tile: 'pixels',
    coded: W,
    infer: inferConv,
    rates(node, graph, i) {
      const { r, s } = node.attributes as { r: number; s: number };
      const inner = r * s * shapeOf(graph, node.inputs[X]!)[3]!;
      return i === B ? { rule: 'added' } : { rule: 'product', input: X, inner, spread: r * s };
    },
    saves: savesFilterInput,
    autograd: autogradInput,
    backward: backwardOf('Conv'),
    scratch: (inputs, a) => convScratch(...(geometry(shape(inputs, X), a, shape(inputs, W)[0]!) as Geometry), a.pixels),
    lower: (n, at, graph) =>
      convArguments(
        ConvArg.BATCH,
        [at.input(X), at.input(W), at.input(B), at.output(0)],
        [
          ...geometry(shapeOf(graph, n.inputs[X]!), n.attributes, shapeOf(graph, n.inputs[W]!)[0]),
          encodingOf(graph, n.inputs[W]!),
          pixelsOf(n),
        ],
      ),
    cost: (n, graph) => convMacs(n, graph, n.inputs[W]!, n.outputs[0]!),
    costRate: { mac: 0.06, byte: 0.15 },
  },
  /** inputs dy, w; output dx[B,H,W,C]; attributes Window and h, w, c. */
  ConvBackwardX: {
    opcode: Op.ConvBackwardX,
    pieces: () => ({ of: 'pictures', whole: [1] }),
    tile: 'pixels',
    coded: 1,
    infer: inferImage,
    scratch: (inputs, a) =>
      convBackwardXScratch(...(geometry([shape(inputs, 0)[0]!, a.h!, a.w!, a.c!], a, shape(inputs, 1)[0]!) as Geometry), a.pixels),
    lower: (n, at, graph) =>
      convArguments(
        ConvBackwardXArg.BATCH,
        [at.input(0), at.input(1), at.output(0)],
        [...geometry(image(n, graph), n.attributes, shapeOf(graph, n.inputs[1]!)[0]), encodingOf(graph, n.inputs[1]!), pixelsOf(n)],
      ),
    cost: (n, graph) => convMacs(n, graph, n.inputs[1]!, n.inputs[0]!),
    costRate: { mac: 0.06, byte: 0.15 },
  },
  /** inputs dy, x; updates dw. */
  ConvBackwardW: {
    opcode: Op.ConvBackwardW,
    pieces: () => ({ of: 'pictures', whole: [] }),
    tile: 'pixels',
    infer: () => [],
    scratch: (inputs, a) => convScratch(...(geometry(shape(inputs, 1), a, shape(inputs, 0)[3]!) as Geometry), a.pixels),
    lower: (n, at, graph) =>
      convArguments(
        ConvBackwardWArg.BATCH,
        [at.input(0), at.input(1), at.update(0)],
        [...geometry(image(n, graph), n.attributes, shapeOf(graph, n.inputs[0]!)[3]), pixelsOf(n)],
      ),
    cost: (n, graph) => convMacs(n, graph, n.updates[0]!, n.inputs[0]!),
    costRate: { mac: 0.06, byte: 0.15 },
  },
  /** inputs x[B,H,W,C], w[R,S,C], b[C] or absent; output y[B,OH,OW,C]. */
  Depthwise: {
    opcode: Op.Depthwise,
    pieces: () => ({ of: 'pictures', whole: [W, B] }),
    infer: inferDepthwise,
    rates(node, graph, i) {
      const { r, s } = node.attributes as { r: number; s: number };
      const spread = (r * s) / shapeOf(graph, node.inputs[X]!)[3]!;
      return i === B ? { rule: 'added' } : { rule: 'product', input: X, inner: 1, spread };
    },
    split: pictureRows,
    saves: savesFilterInput,
    autograd: autogradInput,
    backward: backwardOf('Depthwise'),
    lower: (n, at, graph) =>
      convArguments(
        DepthwiseArg.BATCH,
        [at.input(X), at.input(W), at.input(B), at.output(0)],
        geometry(shapeOf(graph, n.inputs[X]!), n.attributes),
      ),
    cost: (n, graph) => ({ macs: numel(shapeOf(graph, n.outputs[0]!)) * n.attributes.r! * n.attributes.s!, bytes: traffic(n, graph) }),
    costRate: { mac: 0.13, byte: 0.02 },
  },
  DepthwiseBackwardX: {
    opcode: Op.DepthwiseBackwardX,
    pieces: () => ({ of: 'pictures', whole: [1] }),
    infer: inferImage,
    split: pictureRows,
    lower: (n, at, graph) =>
      convArguments(DepthwiseBackwardXArg.BATCH, [at.input(0), at.input(1), at.output(0)], geometry(image(n, graph), n.attributes)),
    cost: (n, graph) => ({ macs: numel(shapeOf(graph, n.inputs[0]!)) * n.attributes.r! * n.attributes.s!, bytes: traffic(n, graph) }),
    costRate: { mac: 0.13, byte: 0.02 },
  },
  DepthwiseBackwardW: {
    opcode: Op.DepthwiseBackwardW,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer: () => [],
    lower: (n, at, graph) =>
      convArguments(DepthwiseBackwardWArg.BATCH, [at.input(0), at.input(1), at.update(0)], geometry(image(n, graph), n.attributes)),
    cost: (n, graph) => ({ macs: numel(shapeOf(graph, n.inputs[0]!)) * n.attributes.r! * n.attributes.s!, bytes: traffic(n, graph) }),
    costRate: { mac: 0.13, byte: 0.02 },
  },

  /** inputs x[B,H,W,C]; output y[B,OH,OW,C]; kept: the tap of each maximum, four bits, which is exact; attributes Window. */
  MaxPool: {
    opcode: Op.MaxPool,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer(inputs, a) {
      const [batch, , , c] = shape(inputs, X) as Four;
      const { r, s, oh, ow } = a as Window;
      if (r * s > 16) throw new RangeError(`max pool: ${r}×${s} taps, at most 16 have a code`);
      return [{ dtype: 'f32', shape: [batch, oh, ow, c] }];
    },
    saves(node, graph, needs) {
      const [batch, , , c] = shapeOf(graph, node.inputs[X]!) as Four;
      const { oh, ow } = node.attributes as Window;
      return needs[X] ? [{ as: { pool: '4' }, keep: Keep.Code4, inputs: [], extra: [u8(code4RowsBytes(batch * oh * ow, c))] }] : [];
    },
    /** Its input, and an index of eight bytes for each output. */
    autograd: (node, graph, needs) =>
      needs[X] ? { values: [node.inputs[X]!], bytes: 8 * numel(shapeOf(graph, node.outputs[0]!)) } : { values: [], bytes: 0 },
    backward(node, g) {
      const x = node.inputs[X]!;
      const [, h, w, c] = shapeOf(g.graph, x) as Four;
      const dy = g.of(node.outputs[0]!);
      g.add(x, g.emit('MaxPoolBackward', `${node.name}.dx`, [dy, node.outputs[1]!], { ...node.attributes, h, w, c })[0]!);
    },
    lower: (n, at, graph) =>
      convArguments(
        MaxPoolArg.BATCH,
        [at.input(X), at.output(0), n.outputs.length > 1 ? at.output(1) : 0],
        geometry(shapeOf(graph, n.inputs[X]!), n.attributes),
      ),
    cost: moves,
    costRate: { mac: 0, byte: 0.15 },
  },
  /** inputs dy, taps; output dx[B,H,W,C]; attributes Window and h, w, c. */
  MaxPoolBackward: {
    opcode: Op.MaxPoolBackward,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer: inferImage,
    split: pictureRows,
    lower: (n, at, graph) =>
      convArguments(MaxPoolBackwardArg.BATCH, [at.input(0), at.input(1), at.output(0)], geometry(image(n, graph), n.attributes)),
    cost: moves,
    costRate: { mac: 0, byte: 0.2 },
  },

  /** Mean over `count` positions from `first` of x[B,…,C] (the middle axes are positions); output y[B,C]. One position is taken as it is. With `map` y is a map of one position, [B,1,1,C]. */
  Pool: {
    opcode: Op.Pool,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer(inputs, a) {
      const x = shape(inputs, 0);
      if (a.first! + a.count! > numel(x.slice(1, -1))) throw new RangeError('pool: window past the last position');
      return [{ dtype: 'f32', shape: a.map ? [x[0]!, 1, 1, x.at(-1)!] : [x[0]!, x.at(-1)!] }];
    },
    storage: (node) => (node.attributes.count === 1 ? 'view' : 'own'),
    backward(node, g) {
      const x = node.inputs[0]!;
      const { first, count } = node.attributes as Record<'first' | 'count', number>;
      const a = { first, count, shape: shapeOf(g.graph, x) };
      const dx = g.emit('PoolBackward', `${node.name}.dx`, [g.of(node.outputs[0]!), g.soFar(x)], a);
      g.set(x, dx[0]!);
    },
    lower: (n, at, graph) => {
      const x = shapeOf(graph, n.inputs[0]!);
      return words({
        [PoolArg.X]: at.input(0),
        [PoolArg.Y]: at.output(0),
        [PoolArg.BATCH]: x[0]!,
        [PoolArg.P]: numel(x.slice(1, -1)),
        [PoolArg.C]: x.at(-1)!,
        [PoolArg.FIRST]: n.attributes.first!,
        [PoolArg.COUNT]: n.attributes.count!,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** inputs dy[B,…,C], acc or absent; output dx[B,…,C], of `shape`. */
  PoolBackward: {
    opcode: Op.PoolBackward,
    lists: { shape: MOST_AXES },
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer: (_inputs, _a, lists) => [f32(...lists.shape!)],
    inPlace: [[1, 0]],
    lower: (n, at, graph) => {
      const dy = shapeOf(graph, n.inputs[0]!);
      return words({
        [PoolBackwardArg.DY]: at.input(0),
        [PoolBackwardArg.ACC]: at.input(1),
        [PoolBackwardArg.DX]: at.output(0),
        [PoolBackwardArg.BATCH]: dy[0]!,
        [PoolBackwardArg.P]: numel(shapeOf(graph, n.outputs[0]!).slice(1, -1)),
        [PoolBackwardArg.C]: dy.at(-1)!,
        [PoolBackwardArg.FIRST]: n.attributes.first!,
        [PoolBackwardArg.COUNT]: n.attributes.count!,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
};
