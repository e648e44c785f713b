/** A factor and a number to add for each channel: a batch norm that stands alone with frozen statistics, a layer scale, a bias. */
import { Keep } from '../../assembly/abi/keep.ts';
import { AffineArg, BatchNormTermsArg } from '../../assembly/abi/ops/affine.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { ABSENT, lastDim, numel, rowsOf, shapeOf } from '../graph/graph.ts';
import { float, MOVE, moves, type OpDef, rowSplit, same, shape, words } from './def.ts';
import { keptInput, savesInput } from './quantize.ts';

const [X, SCALE, SHIFT] = [0, 1, 2];

export const affine: Record<string, OpDef> = {
  /** inputs x[…,C], scale[C] or absent, shift[C] or absent; output y = x·scale + shift; kept: x (f32 or coded) where the scale learns. */
  Affine: {
    opcode: Op.Affine,
    infer(inputs) {
      const x = shape(inputs, X);
      if (inputs[SCALE]) same('affine: scale', shape(inputs, SCALE), [x.at(-1)!]);
      if (inputs[SHIFT]) same('affine: shift', shape(inputs, SHIFT), [x.at(-1)!]);
      return [{ dtype: 'f32', shape: x }];
    },
    saves: (node, graph, needs) => (needs[SCALE] ? savesInput(node, graph, X) : []),
    autograd: (node, _graph, needs) => ({ values: needs[SCALE] ? [node.inputs[X]!] : [], bytes: 0 }),
    backward(node, g) {
      const [x, scale, shift] = node.inputs as [number, number, number];
      const dy = g.of(node.outputs[0]!);
      if (g.needs(shift)) g.emit('BiasBackward', `${node.name}.dshift`, [dy], {}, [g.accumulator(shift)]);
      if (g.needs(scale))
        g.emit('LayerNormBackwardW', `${node.name}.dscale`, [keptInput(node, g, X), dy], { keep: Keep.Value }, [g.accumulator(scale)]);
      if (!g.needs(x)) return;
      g.add(x, scale === ABSENT ? dy : g.emit('Affine', `${node.name}.dx`, [dy, scale, ABSENT])[0]!);
    },
    rates: (node, graph, i) =>
      i === SHIFT ? { rule: 'added' } : { rule: 'product', input: X, inner: 1, spread: 1 / lastDim(graph, node.inputs[X]!) },
    inPlace: [[X, 0]],
    pieces: () => ({ of: 'rows', whole: [SCALE, SHIFT] }),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[X]!);
      return { units, inputs: [row], outputs: [row] };
    },
    lower: (n, at, graph) =>
      words({
        [AffineArg.X]: at.input(X),
        [AffineArg.SCALE]: at.input(SCALE),
        [AffineArg.SHIFT]: at.input(SHIFT),
        [AffineArg.Y]: at.output(0),
        [AffineArg.M]: rowsOf(graph, n.inputs[X]!),
        [AffineArg.C]: lastDim(graph, n.inputs[X]!),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** inputs gamma, beta (either may be absent), mean, var; updates scale, shift, as Affine takes them; attribute eps. Once, before the first step. */
  BatchNormTerms: {
    opcode: Op.BatchNormTerms,
    infer: () => [],
    lower: (n, at, graph) =>
      words({
        [BatchNormTermsArg.SCALE]: at.update(0),
        [BatchNormTermsArg.SHIFT]: at.update(1),
        [BatchNormTermsArg.GAMMA]: at.input(0),
        [BatchNormTermsArg.BETA]: at.input(1),
        [BatchNormTermsArg.MEAN]: at.input(2),
        [BatchNormTermsArg.VAR]: at.input(3),
        [BatchNormTermsArg.C]: numel(shapeOf(graph, n.updates[0]!)),
        [BatchNormTermsArg.EPS]: float(n.attributes.eps!),
      }),
    cost: moves,
    costRate: MOVE,
  },
};
