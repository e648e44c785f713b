/** Multi-head attention. The probabilities are kept in 4 bits, or computed again in backward. */
import { Keep } from '../../assembly/abi/keep.ts';
import { AttentionArg, AttentionBackwardArg, attentionBackwardScratch, attentionScratch } from '../../assembly/abi/ops/attention.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { group8Bytes, signed4Bytes, softmax4Bytes } from '../../assembly/abi/sizes.ts';
import { Scores } from '../../assembly/abi/tiles.ts';
import { ABSENT, type Attributes, shapeOf, type Type, typeOf, u8 } from '../graph/graph.ts';
import { float, type OpDef, type Saved, same, shape, traffic, words } from './def.ts';

type Three = [number, number, number];
const TABLE = 3;

/** Throws unless the table of relative position bias and the windows fit the rows. */
function checkWindows(q: readonly number[], table: readonly number[], a: Attributes): void {
  same('attention: window', [a.wh! * a.ww!], [q[1]!]);
  same('attention: relative position table', table, [(2 * a.wh! - 1) * (2 * a.ww! - 1), a.heads!]);
  if (q[0]! % (a.rows! * a.columns!)) throw new RangeError(`attention: ${q[0]} windows, ${a.rows}×${a.columns} a picture`);
}

/** WH … SX, zeros where there are no windows. */
const windows = (a: Attributes): number[] => ['wh', 'ww', 'rows', 'columns', 'sy', 'sx'].map((name) => a[name] ?? 0);

/** What lower tiles cost, as multiply-adds: keys and values are packed once more for each (16 rows: a tenth, measured). */
const lowTiles = ({ queries = Scores.Rows }: Attributes): number => (1 + 2 / queries) / (1 + 2 / Scores.Rows);

export const attention: Record<string, OpDef> = {
  /**
   * inputs q, k, v [B,T,C], perhaps table [(2·wh-1)·(2·ww-1), heads]; output o [B,T,C]; attributes heads, scale, keep, perhaps queries (rows of a
   * tile), and with a table wh, ww, rows, columns, sy, sx.
   */
  Attention: {
    opcode: Op.Attention,
    eightBits: 'qkv',
    tile: 'queries',
    // Relative positions join scores, whose unit is 1.
    rates: () => ({ rule: 'constant', size: 1 }),
    infer(inputs, a) {
      const q = shape(inputs, 0);
      same('attention: k', shape(inputs, 1), q);
      same('attention: v', shape(inputs, 2), q);
      if (q[2]! % a.heads!) throw new RangeError(`attention: ${q[2]} channels do not divide into ${a.heads} heads`);
      if (inputs[TABLE]) checkWindows(q, inputs[TABLE].shape, a);
      return [{ dtype: 'f32', shape: q }];
    },
    saves(node, graph, needs) {
      if (!needs.some(Boolean)) return [];
      const [b, t, c] = shapeOf(graph, node.inputs[0]!) as Three;
      const { heads } = node.attributes as { heads: number };
      const three = (bytes: number) => Array.from({ length: 3 }, () => u8(bytes));
      const operands: Saved[] = [
        { as: { qkv: 'f32' }, keep: Keep.Value, inputs: [0, 1, 2], extra: [] },
        { as: { qkv: '8' }, keep: Keep.Group8, inputs: [], extra: three(group8Bytes(b * t, c, heads)) },
        { as: { qkv: '4' }, keep: Keep.Signed4, inputs: [], extra: three(signed4Bytes(b * t, c, heads)) },
      ];
      const probabilities = u8(b * heads * softmax4Bytes(t, node.attributes.queries));
      return operands.flatMap((saved): Saved[] => [
        { ...saved, as: { ...saved.as, softmax: 'recompute' } },
        { ...saved, as: { ...saved.as, softmax: '4' }, extra: [...saved.extra, probabilities], attributes: { probabilities: 1 } },
      ]);
    },
    /** Eager attention: q, k, v and the probabilities. */
    autograd(node, graph, needs) {
      if (!needs.some(Boolean)) return { values: [], bytes: 0 };
      const [b, t] = shapeOf(graph, node.inputs[0]!) as Three;
      return { values: node.inputs.slice(0, 3), bytes: 4 * b * node.attributes.heads! * t * t };
    },
    backward(node, g) {
      const operands = node.inputs.slice(0, TABLE);
      const kept = node.attributes.keep === Keep.Value ? operands : node.outputs.slice(1, 4);
      const table = node.inputs[TABLE] ?? ABSENT;
      const learns = g.needs(table);
      const a = { ...node.attributes, learns: learns ? 1 : 0 };
      const isKept = node.attributes.probabilities === 1;
      const inputs = [g.of(node.outputs[0]!), ...kept, ...(isKept ? [ABSENT, node.outputs.at(-1)!] : [table, ABSENT])];
      const dq = g.emit('AttentionBackward', `${node.name}.dqkv`, inputs, a, learns ? [g.accumulator(table)] : []);
      operands.forEach((x, i) => {
        if (g.needs(x)) g.add(x, dq[i]!);
      });
    },
    inPlace: [[0, 0]],
    scratch: (inputs, a) => attentionScratch(shape(inputs, 0)[1]!, a.queries, inputs[TABLE] !== undefined, a.probabilities === 1),
    lower: (n, at, graph) => {
      const [b, t, c] = shapeOf(graph, n.inputs[0]!) as Three;
      const coded = n.outputs.length > 3;
      return words({
        [AttentionArg.Q]: at.input(0),
        [AttentionArg.K]: at.input(1),
        [AttentionArg.V]: at.input(2),
        [AttentionArg.O]: at.output(0),
        [AttentionArg.KQ]: coded ? at.output(1) : 0,
        [AttentionArg.KK]: coded ? at.output(2) : 0,
        [AttentionArg.KV]: coded ? at.output(3) : 0,
        [AttentionArg.BATCH]: b,
        [AttentionArg.T]: t,
        [AttentionArg.C]: c,
        [AttentionArg.HEADS]: n.attributes.heads!,
        [AttentionArg.SCALE]: float(n.attributes.scale!),
        [AttentionArg.KEEP]: n.attributes.keep ?? Keep.Nothing,
        [AttentionArg.TABLE]: at.input(TABLE),
        [AttentionArg.KP]: n.attributes.probabilities ? at.output(n.outputs.length - 1) : 0,
        ...Object.fromEntries(windows(n.attributes).map((word, i) => [AttentionArg.WH + i, word])),
        [AttentionArg.QUERIES]: n.attributes.queries ?? Scores.Rows,
      });
    },
    cost: (n, graph) => {
      const [b, t, c] = shapeOf(graph, n.inputs[0]!) as Three;
      return { macs: 2 * b * t * t * c * lowTiles(n.attributes), bytes: traffic(n, graph) };
    },
    costRate: { mac: 0.07, byte: 0.3 },
  },
  /** inputs do, q, k, v (f32 or coded), table or absent, probabilities or absent; outputs dq, dk, dv; updates dtable where it learns. */
  AttentionBackward: {
    opcode: Op.AttentionBackward,
    tile: 'queries',
    infer: (inputs): Type[] => Array.from({ length: 3 }, () => ({ dtype: 'f32' as const, shape: shape(inputs, 0) })),
    inPlace: [[0, 0]],
    scratch(inputs, a) {
      const [, t, c] = shape(inputs, 0) as Three;
      const isBiased = inputs[1 + TABLE] !== undefined;
      return attentionBackwardScratch(t, c / a.heads!, a.keep!, a.queries, isBiased, a.probabilities === 1, a.learns === 1);
    },
    lower: (n, at, graph) => {
      const [b, t, c] = typeOf(graph, n.inputs[0]!).shape as Three;
      return words({
        [AttentionBackwardArg.Q]: at.input(1),
        [AttentionBackwardArg.K]: at.input(2),
        [AttentionBackwardArg.V]: at.input(3),
        [AttentionBackwardArg.DO]: at.input(0),
        [AttentionBackwardArg.DQ]: at.output(0),
        [AttentionBackwardArg.DK]: at.output(1),
        [AttentionBackwardArg.DV]: at.output(2),
        [AttentionBackwardArg.BATCH]: b,
        [AttentionBackwardArg.T]: t,
        [AttentionBackwardArg.C]: c,
        [AttentionBackwardArg.HEADS]: n.attributes.heads!,
        [AttentionBackwardArg.SCALE]: float(n.attributes.scale!),
        [AttentionBackwardArg.KEEP]: n.attributes.keep!,
        [AttentionBackwardArg.TABLE]: at.input(1 + TABLE),
        [AttentionBackwardArg.DTABLE]: at.update(0),
        [AttentionBackwardArg.KP]: at.input(2 + TABLE),
        ...Object.fromEntries(windows(n.attributes).map((word, i) => [AttentionBackwardArg.WH + i, word])),
        [AttentionBackwardArg.QUERIES]: n.attributes.queries ?? Scores.Rows,
      });
    },
    cost: (n, graph) => {
      const [b, t, c] = typeOf(graph, n.inputs[0]!).shape as Three;
      return { macs: 5 * b * t * t * c * lowTiles(n.attributes), bytes: traffic(n, graph) };
    },
    costRate: { mac: 0.06, byte: 0.3 },
  },
};
