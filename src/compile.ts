/**
 * The whole path on one page: a model, a method and a budget in, a program out.
 *
 *     weights ─► graph ─► modules ─► loss ─► saved ─► backward ─► update ─► tiles ─► plan ─► verify ─► program
 *     └───────────────────────── graphOf ──────────────────────────────┘   └────────── programOf ────────────┘
 *
 * `compile` walks it once, for options that leave nothing open; `planForBudget` for every candidate that it looks at, and takes the
 * fastest that fits. Training, planning, packing and predicting all come here. Knows nothing of files or runtimes. Deterministic.
 */
import { DEFAULTS } from './base/defaults.ts';
import { type Planned, type PlanOptions, search } from './budget/search.ts';
import { createGraph, setRole } from './graph/graph.ts';
import { checkGraph } from './graph/wellformed.ts';
import { shareOut } from './ops/index.ts';
import { addBackward } from './passes/backward.ts';
import { keepOf } from './passes/keeppolicy.ts';
import { addRates, planRates } from './passes/rates.ts';
import { addRepeats } from './passes/recompute.ts';
import { autogradBytes, chooseSaved, gradientNeeds } from './passes/saved.ts';
import { addUpdate } from './passes/update.ts';
import type { Compiled, UnplacedGraph } from './pipeline/compiled.ts';
import { aboutOf, builderFor, checkLossy, forward, portsOf } from './pipeline/forward.ts';
import { inputs } from './pipeline/inputs.ts';
import type { CompileOptions } from './pipeline/options.ts';
import { finishGraph, NO_TILES } from './pipeline/tiles.ts';
import { planMemory } from './plan/memory.ts';
import { verifyPlan } from './plan/verify.ts';
import { codeBytes } from './program/encode.ts';
import { link } from './program/link.ts';

/**
 * A program with every address in it, from options that say everything. Throws InputError for options that do not go with the network: a method
 * without a layer to learn, more blocks than there are, a rank that no layer can hold.
 */
export const compile = (options: CompileOptions): Compiled => programOf(finishGraph(graphOf(options), options));

/** The fastest way to train, or to infer, within `budgetBytes`, as predicted. Throws BudgetError, which names the smallest budget that would do. */
export const planForBudget = (options: PlanOptions): Planned => search(options, { graphOf, programOf });

/** Everything that is computed, in order, before anything has an address. */
export function graphOf(options: CompileOptions): UnplacedGraph {
  const { purpose = 'train', optimizer = DEFAULTS.optimizer, keep = DEFAULTS.keep } = options;
  const graph = createGraph();
  const io = inputs(graph, options);
  const b = builderFor(graph, io, options);
  let accumulators = new Map<number, number>();
  let autograd = 0;
  let again: UnplacedGraph['again'] = new Map();
  let learnt: ReturnType<typeof forward> | undefined;
  if (purpose === 'train') {
    learnt = forward(b, io, 'train', options);
    const needs = gradientNeeds(graph);
    autograd = autogradBytes(graph, needs);
    const repeats = addRepeats(graph, needs, options.recompute ?? new Map());
    chooseSaved(graph, needs, keepOf(keep), repeats, options.ownTables);
    accumulators = addBackward(graph, learnt.logits, learnt.gradient!, needs, repeats);
    again = repeats.runs;
  }
  const judged = forward(b, io, 'eval', options);
  checkLossy(b);

  if (purpose === 'train') {
    const rates = options.rates === 'relative' ? planRates(graph, accumulators, b.joins, optimizer) : undefined;
    const moments = addUpdate(graph, accumulators, optimizer, io.state, { scales: rates, prox: options.prox });
    if (rates) addRates(graph, rates, accumulators, moments, optimizer, io.state);
  }

  setRole(graph, judged.logits, 'batch');
  const ports = portsOf(io, learnt, judged);
  const about = aboutOf(b, options);
  return { graph, accumulators, ports, about, autogradBytes: autograd, maxThreads: options.maxThreads ?? 1, tiles: NO_TILES, again };
}

/** Gives everything an address, has another pass check each, and writes the program. */
export function programOf({ graph, accumulators, ports, about, autogradBytes, maxThreads, tiles }: UnplacedGraph): Compiled {
  checkGraph(graph);
  shareOut(graph);
  const plan = planMemory(graph, { codeBytes: codeBytes(graph), maxThreads });
  verifyPlan(graph, plan);
  return { program: link(graph, plan, accumulators, ports, about), plan, graph, autogradBytes, tiles };
}
