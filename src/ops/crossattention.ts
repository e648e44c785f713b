/** Attention of any shape: queries and keys of different numbers and sizes, keys shared by heads, a bias of any shape. Probabilities are computed again in backward. */
import { Keep } from '../../assembly/abi/keep.ts';
import {
  CrossAttentionArg,
  CrossAttentionBackwardArg,
  crossAttentionBackwardScratch,
  crossAttentionScratch,
} from '../../assembly/abi/ops/crossattention.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { group8Bytes, signed4Bytes } from '../../assembly/abi/sizes.ts';
import { Scores } from '../../assembly/abi/tiles.ts';
import { ABSENT, type Attributes, f32, type Graph, shapeOf, type Type, u8, valueAt } from '../graph/graph.ts';
import { float, type OpDef, type Saved, same, shape, traffic, words } from './def.ts';

const [Q, K, V, BIAS, INDEX] = [0, 1, 2, 3, 4];
type Three = [number, number, number];
/** Where an attention's gradient reads its operands: after do. */
const after = (i: number): number => i + 1;

interface Sizes {
  batch: number;
  tq: number;
  tk: number;
  heads: number;
  pairs: number;
  dk: number;
  dv: number;
}

function sizesOf(q: readonly number[], k: readonly number[], v: readonly number[], { heads, pairs }: Attributes): Sizes {
  const [batch, tq, c] = q as Three;
  return { batch, tq, tk: k[1]!, heads: heads!, pairs: pairs!, dk: c / heads!, dv: v[2]! / pairs! };
}

/** BATCH … ROWS. */
function sizeWords(first: number, s: Sizes, bias: readonly number[] | undefined, isTable: boolean): Record<number, number> {
  const [biasBatch, biasHeads] = bias === undefined || isTable ? [1, s.heads] : [bias[0]!, bias[1]!];
  const rows = isTable ? bias![0]! : 1;
  const list = [s.batch, s.tq, s.tk, s.heads, s.pairs, s.dk, s.dv, biasBatch, biasHeads, rows];
  return Object.fromEntries(list.map((word, i) => [first + i, word]));
}

function checkBias(s: Sizes, bias: Type, index: Type | undefined): void {
  if (index !== undefined) {
    if (index.dtype !== 'i32') throw new RangeError(`cross attention: an index of ${index.dtype}`);
    same('cross attention: index', index.shape, [s.tq, s.tk]);
    same('cross attention: table', bias.shape, [bias.shape[0]!, s.heads]);
    return;
  }
  const [batch, heads] = bias.shape;
  same('cross attention: bias', bias.shape, [batch!, heads === 1 ? 1 : s.heads, s.tq, s.tk]);
  if (s.batch % batch!) throw new RangeError(`cross attention: biases for ${batch} of ${s.batch} pictures`);
}

const shapesAt = (graph: Graph, inputs: readonly number[], from: number): [readonly number[], readonly number[], readonly number[]] => [
  shapeOf(graph, inputs[from + Q]!),
  shapeOf(graph, inputs[from + K]!),
  shapeOf(graph, inputs[from + V]!),
];
const shapeAt = (graph: Graph, id: number | undefined): readonly number[] | undefined =>
  id === undefined || id === ABSENT ? undefined : shapeOf(graph, id);

export const crossAttention: Record<string, OpDef> = {
  /**
   * inputs q[B,TQ,heads·DK], k[B,TK,pairs·DK], v[B,TK,pairs·DV]; perhaps bias: f32 [B',1 or heads,TQ,TK] with B' dividing B (picture b reads b mod B'),
   * or a table [rows, heads] and index i32 [TQ,TK], the row for each pair of positions (another number: nothing is added). Output o[B,TQ,heads·DV];
   * attributes heads, pairs (of key and value heads, which divide heads), scale, keep, perhaps queries (rows of a tile).
   */
  CrossAttention: {
    opcode: Op.CrossAttention,
    eightBits: 'qkv',
    tile: 'queries',
    // A bias joins scores, whose unit is 1.
    rates: () => ({ rule: 'constant', size: 1 }),
    infer(inputs, a) {
      const [q, k, v] = [shape(inputs, Q), shape(inputs, K), shape(inputs, V)];
      const { heads, pairs } = a as Record<'heads' | 'pairs', number>;
      const s = sizesOf(q, k, v, a);
      if (heads % pairs || q[2]! % heads || v[2]! % pairs)
        throw new RangeError(`cross attention: ${q[2]} and ${v[2]} channels do not divide into ${heads} and ${pairs} heads`);
      same('cross attention: k', k, [s.batch, s.tk, pairs * s.dk]);
      same('cross attention: v', v, [s.batch, s.tk, pairs * s.dv]);
      if (inputs[BIAS]) checkBias(s, inputs[BIAS], inputs[INDEX]);
      return [f32(s.batch, s.tq, heads * s.dv)];
    },
    saves(node, graph, needs) {
      if (!needs.some(Boolean)) return [];
      const s = sizesOf(...shapesAt(graph, node.inputs, 0), node.attributes);
      const bias = node.inputs[BIAS] === undefined || node.inputs[BIAS] === ABSENT ? [] : [BIAS];
      const coded = (bytes: (rows: number, c: number, heads: number) => number) => [
        u8(bytes(s.batch * s.tq, s.heads * s.dk, s.heads)),
        u8(bytes(s.batch * s.tk, s.pairs * s.dk, s.pairs)),
        u8(bytes(s.batch * s.tk, s.pairs * s.dv, s.pairs)),
      ];
      const choices: Saved[] = [
        { as: { qkv: 'f32' }, keep: Keep.Value, inputs: [Q, K, V, ...bias], extra: [] },
        { as: { qkv: '8' }, keep: Keep.Group8, inputs: bias, extra: coded(group8Bytes) },
        { as: { qkv: '4' }, keep: Keep.Signed4, inputs: bias, extra: coded(signed4Bytes) },
      ];
      return choices;
    },
    /** Eager attention: q, k, v and the probabilities. */
    autograd(node, graph, needs) {
      if (!needs.some(Boolean)) return { values: [], bytes: 0 };
      const { batch, heads, tq, tk } = sizesOf(...shapesAt(graph, node.inputs, 0), node.attributes);
      return { values: node.inputs.slice(0, 3), bytes: 4 * batch * heads * tq * tk };
    },
    backward(node, g) {
      const operands = node.inputs.slice(Q, BIAS);
      const kept = node.attributes.keep === Keep.Value ? operands : node.outputs.slice(1, 4);
      const [bias, index] = [node.inputs[BIAS] ?? ABSENT, node.inputs[INDEX] ?? ABSENT];
      const learns = g.needs(bias);
      const isParameter = learns && valueAt(g.graph, bias).role === 'param';
      const s = sizesOf(...shapesAt(g.graph, node.inputs, 0), node.attributes);
      const a = { ...node.attributes, ...s, learns: isParameter ? 1 : 0, makes: learns && !isParameter ? 1 : 0 };
      const inputs = [g.of(node.outputs[0]!), ...kept, bias, index];
      const made = g.emit('CrossAttentionBackward', `${node.name}.dqkv`, inputs, a, isParameter ? [g.accumulator(bias)] : []);
      [...operands, ...(a.makes ? [bias] : [])].forEach((x, i) => {
        if (g.needs(x)) g.add(x, made[i]!);
      });
    },
    scratch: (inputs, a) => crossAttentionScratch(shape(inputs, Q)[1]!, shape(inputs, K)[1]!, a.queries),
    lower: (n, at, graph) => {
      const coded = n.outputs.length > 1;
      const isTable = (n.inputs[INDEX] ?? ABSENT) !== ABSENT;
      const s = sizesOf(...shapesAt(graph, n.inputs, 0), n.attributes);
      return words({
        [CrossAttentionArg.Q]: at.input(Q),
        [CrossAttentionArg.K]: at.input(K),
        [CrossAttentionArg.V]: at.input(V),
        [CrossAttentionArg.O]: at.output(0),
        [CrossAttentionArg.KQ]: coded ? at.output(1) : 0,
        [CrossAttentionArg.KK]: coded ? at.output(2) : 0,
        [CrossAttentionArg.KV]: coded ? at.output(3) : 0,
        [CrossAttentionArg.BIAS]: at.input(BIAS),
        [CrossAttentionArg.INDEX]: at.input(INDEX),
        ...sizeWords(CrossAttentionArg.BATCH, s, shapeAt(graph, n.inputs[BIAS]), isTable),
        [CrossAttentionArg.SCALE]: float(n.attributes.scale!),
        [CrossAttentionArg.KEEP]: n.attributes.keep ?? Keep.Nothing,
        [CrossAttentionArg.QUERIES]: n.attributes.queries ?? Scores.Rows,
      });
    },
    cost: (n, graph) => {
      const { batch, heads, tq, tk, dk, dv } = sizesOf(...shapesAt(graph, n.inputs, 0), n.attributes);
      return { macs: batch * heads * tq * tk * (dk + dv), bytes: traffic(n, graph) };
    },
    costRate: { mac: 0.07, byte: 0.3 },
  },
  /**
   * inputs do, q, k, v (f32 or coded), bias or absent, index or absent; outputs dq, dk, dv and, with `makes`, dbias; updates dbias with `learns`;
   * attributes those of the forward node and its sizes batch, tq, tk, dk, dv.
   */
  CrossAttentionBackward: {
    opcode: Op.CrossAttentionBackward,
    tile: 'queries',
    infer(inputs, a) {
      const s = a as unknown as Sizes;
      const types = [f32(s.batch, s.tq, s.heads * s.dk), f32(s.batch, s.tk, s.pairs * s.dk), f32(s.batch, s.tk, s.pairs * s.dv)];
      return a.makes ? [...types, f32(...shape(inputs, after(BIAS)))] : types;
    },
    scratch: (_inputs, a) => crossAttentionBackwardScratch(a.tq!, a.tk!, a.dk!, a.dv!, a.keep!, a.queries),
    lower: (n, at, graph) => {
      const { attributes: a } = n;
      const isTable = n.inputs[after(INDEX)] !== ABSENT;
      return words({
        [CrossAttentionBackwardArg.Q]: at.input(after(Q)),
        [CrossAttentionBackwardArg.K]: at.input(after(K)),
        [CrossAttentionBackwardArg.V]: at.input(after(V)),
        [CrossAttentionBackwardArg.DO]: at.input(0),
        [CrossAttentionBackwardArg.DQ]: at.output(0),
        [CrossAttentionBackwardArg.DKEYS]: at.output(1),
        [CrossAttentionBackwardArg.DVALUES]: at.output(2),
        [CrossAttentionBackwardArg.BIAS]: at.input(after(BIAS)),
        [CrossAttentionBackwardArg.INDEX]: at.input(after(INDEX)),
        [CrossAttentionBackwardArg.DBIAS]: a.makes ? at.output(3) : at.update(0),
        ...sizeWords(CrossAttentionBackwardArg.BATCH, a as unknown as Sizes, shapeAt(graph, n.inputs[after(BIAS)]), isTable),
        [CrossAttentionBackwardArg.SCALE]: float(a.scale!),
        [CrossAttentionBackwardArg.KEEP]: a.keep!,
        [CrossAttentionBackwardArg.QUERIES]: a.queries ?? Scores.Rows,
        [CrossAttentionBackwardArg.ADDS]: a.makes ? 0 : 1,
      });
    },
    cost: (n, graph) => {
      const { batch, heads, tq, tk, dk, dv } = n.attributes as unknown as Sizes;
      return { macs: batch * heads * tq * tk * (3 * dk + 2 * dv), bytes: traffic(n, graph) };
    },
    costRate: { mac: 0.06, byte: 0.3 },
  },
};
