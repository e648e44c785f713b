/** Relative learning rates: outputs are observed in the evaluation phase, rates set once from what was seen (src/passes/rates.ts). */
import { ObserveArg, SetRatesArg } from '../../assembly/abi/ops/rate.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { lastDim, rowsOf } from '../graph/graph.ts';
import { alone, float, MOVE, moves, type OpDef, words } from './def.ts';

export const rate: Record<string, OpDef> = {
  /** inputs x[…,N], state; updates sum[N] or absent, squares[N], with attribute total squares[1]. */
  Observe: {
    opcode: Op.Observe,
    infer: () => [],
    pieces: () => ({ of: 'rows', whole: [1] }),
    lower: (n, at, graph) =>
      words({
        [ObserveArg.X]: at.input(0),
        [ObserveArg.M]: rowsOf(graph, n.inputs[0]!),
        [ObserveArg.N]: lastDim(graph, n.inputs[0]!),
        [ObserveArg.SUM]: at.update(0),
        [ObserveArg.SQUARES]: at.update(1),
        [ObserveArg.TOTAL]: n.attributes.total!,
        [ObserveArg.STATE]: at.input(1),
      }),
    // It only looks in the few passes that are measured.
    cost: () => ({ macs: 0, bytes: 0 }),
    costRate: MOVE,
  },
  /** No inputs; updates scale[N], sum or absent, input or absent, state; attributes n, rows, inputRows, spread, features, rule, rate, power, group. */
  SetRates: {
    opcode: Op.SetRates,
    infer: () => [],
    split: alone,
    lower: (n, at) =>
      words({
        [SetRatesArg.SCALE]: at.update(0),
        [SetRatesArg.SUM]: at.update(1),
        [SetRatesArg.INPUT]: at.update(2),
        [SetRatesArg.N]: n.attributes.n!,
        [SetRatesArg.ROWS]: n.attributes.rows!,
        [SetRatesArg.INPUT_ROWS]: n.attributes.inputRows!,
        [SetRatesArg.SPREAD]: float(n.attributes.spread!),
        [SetRatesArg.FEATURES]: n.attributes.features!,
        [SetRatesArg.RULE]: n.attributes.rule!,
        [SetRatesArg.FRACTION]: float(n.attributes.rate!),
        [SetRatesArg.POWER]: n.attributes.power!,
        [SetRatesArg.GROUP]: n.attributes.group!,
        [SetRatesArg.STATE]: at.update(3),
      }),
    cost: moves,
    costRate: MOVE,
  },
};
