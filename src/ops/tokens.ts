/** Class and distillation tokens, position embeddings. */
import { EmbedArg, EmbedBackwardArg } from '../../assembly/abi/ops/tokens.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { ABSENT, f32, lastDim, shapeOf } from '../graph/graph.ts';
import { MOST_AXES, MOVE, moves, type OpDef, same, shape, words } from './def.ts';

const [X, CLS, DIST, POS] = [0, 1, 2, 3];
type Three = [number, number, number];

export const tokens: Record<string, OpDef> = {
  /** inputs patches x[B,…,C], cls[C], dist[C] (each may be absent), pos[rows,C]; output y[B,T,C]. */
  Embed: {
    opcode: Op.Embed,
    infer(inputs) {
      const x = shape(inputs, X);
      const [b, c] = [x[0]!, x.at(-1)!];
      const p = x.slice(1, -1).reduce((n, d) => n * d, 1);
      const t = p + (inputs[CLS] ? 1 : 0) + (inputs[DIST] ? 1 : 0);
      const rows = shape(inputs, POS)[0]!;
      if (rows !== t && rows !== p) same('embed: position embedding', [rows, c], [t, c]);
      return [{ dtype: 'f32', shape: [b, t, c] }];
    },
    rates: () => ({ rule: 'added' }),
    backward(node, g) {
      const [x, cls, dist, pos] = node.inputs as [number, number, number, number];
      const [, t] = shapeOf(g.graph, node.outputs[0]!) as Three;
      const has = (id: number): number => (id === ABSENT ? 0 : 1);
      const learned = [cls, dist, pos].map((id) => (id !== ABSENT && g.needs(id) ? g.accumulator(id) : ABSENT));
      const a = {
        patches: t - has(cls) - has(dist),
        rows: shapeOf(g.graph, pos)[0]!,
        cls: has(cls),
        dist: has(dist),
        wanted: g.needs(x) ? 1 : 0,
        shape: shapeOf(g.graph, x),
      };
      const dx = g.emit('EmbedBackward', `${node.name}.dx`, [g.of(node.outputs[0]!)], a, learned);
      if (!g.needs(x)) return;
      g.add(x, dx[0]!);
    },
    lower: (n, at, graph) => {
      const [b, t, c] = shapeOf(graph, n.outputs[0]!) as Three;
      const extra = (n.inputs[CLS] === ABSENT ? 0 : 1) + (n.inputs[DIST] === ABSENT ? 0 : 1);
      return words({
        [EmbedArg.X]: at.input(X),
        [EmbedArg.CLS]: at.input(CLS),
        [EmbedArg.DIST]: at.input(DIST),
        [EmbedArg.POS]: at.input(POS),
        [EmbedArg.Y]: at.output(0),
        [EmbedArg.BATCH]: b,
        [EmbedArg.P]: t - extra,
        [EmbedArg.C]: c,
        [EmbedArg.POSROWS]: shapeOf(graph, n.inputs[POS]!)[0]!,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** input dy; output dx (patch rows), of `shape`, where wanted; updates dcls, ddist, dpos (each may be absent). */
  EmbedBackward: {
    opcode: Op.EmbedBackward,
    lists: { shape: MOST_AXES },
    infer: (_inputs, a, lists) => (a.wanted ? [f32(...lists.shape!)] : []),
    lower: (n, at, graph) =>
      words({
        [EmbedBackwardArg.DY]: at.input(0),
        [EmbedBackwardArg.DX]: n.attributes.wanted ? at.output(0) : 0,
        [EmbedBackwardArg.DCLS]: at.update(0),
        [EmbedBackwardArg.DDIST]: at.update(1),
        [EmbedBackwardArg.DPOS]: at.update(2),
        [EmbedBackwardArg.BATCH]: shapeOf(graph, n.inputs[0]!)[0]!,
        [EmbedBackwardArg.P]: n.attributes.patches!,
        [EmbedBackwardArg.C]: lastDim(graph, n.inputs[0]!),
        [EmbedBackwardArg.POSROWS]: n.attributes.rows!,
        [EmbedBackwardArg.HASCLS]: n.attributes.cls!,
        [EmbedBackwardArg.HASDIST]: n.attributes.dist!,
      }),
    cost: moves,
    costRate: MOVE,
  },
};
