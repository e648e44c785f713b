/**
 * The whole path on one page: model + method + budget → program.
 *
 *     weights ─► graph ─► modules ─► loss ─► saved ─► backward ─► update ─► plan ─► verify ─► program
 */
import { Io } from '../../assembly/abi/program.ts';
import { Patch, Scores } from '../../assembly/abi/tiles.ts';
import { ABSENT, createGraph, type Graph, type Node, nodesOf, valueAt } from '../graph/graph.ts';
import { checkGraph } from '../graph/wellformed.ts';
import { buildModel } from '../import/index.ts';
import { createBuilder, startPhase } from '../network/builder.ts';
import { checkMethod } from '../network/check.ts';
import { everywhere } from '../network/drop.ts';
import { withSide } from '../network/entry.ts';
import { methodOf } from '../network/method.ts';
import { shareOut } from '../ops/index.ts';
import { addBackward } from '../passes/backward.ts';
import { keepOf } from '../passes/keeppolicy.ts';
import { addRates, planRates } from '../passes/rates.ts';
import { addRepeats, recomputeName } from '../passes/recompute.ts';
import { autogradBytes, chooseSaved, gradientNeeds } from '../passes/saved.ts';
import { limited, TILE_ROWS, type Tiles, tiled } from '../passes/tiling/tiles.ts';
import { addUpdate } from '../passes/update.ts';
import { lifetimes, liveBytes } from '../plan/lifetime.ts';
import { PAGE, type Plan, planMemory } from '../plan/memory.ts';
import { verifyPlan } from '../plan/verify.ts';
import { codeBytes } from '../program/encode.ts';
import { link } from '../program/link.ts';
import type { About, Program } from '../program/program.ts';
import { CLASSIFY, taskOf } from '../task/index.ts';
import { inputs, pixels } from './inputs.ts';
import type { CompileOptions } from './options.ts';

export type { CompileOptions } from './options.ts';

/** What compiling makes: a program, and what it was made from. */
export interface Compiled {
  /** The instructions and everything that an engine needs to run them. */
  program: Program;
  /** Where every value lies and when it lives, in bytes of the arena. */
  plan: Plan;
  /** The values and nodes, in execution order. */
  graph: Graph;
  /** Bytes that f32 autograd would keep for the same method, for a whole micro-batch. */
  autogradBytes: number;
  /** How much is worked on at a time; rows 0: no tiles. */
  tiles: Required<Tiles>;
}

/**
 * Compiles a network, a method and a micro-batch into a program with every address in it. Knows nothing of files or runtimes; the same
 * options give the same bytes. Throws InputError for options that do not go with the network: a method without a layer to learn, more
 * blocks than there are, a rank that no layer can hold.
 */
export const compile = (options: CompileOptions): Compiled => lay(tileGraph(build(options), options.tiles));

/** The same job in tiles; where nothing is said of them, none, of rows, or of pictures too: the next only where it spares a page more. */
export function tileGraph(built: UnplacedGraph, tiles: Tiles = {}): UnplacedGraph {
  const whole = { ...built, graph: limited(built.graph, tiles), tiles: { ...built.tiles, ...tiles, rows: 0, pictures: false } };
  const rows = tiles.rows ?? TILE_ROWS;
  let best = tiles.rows === undefined ? whole : undefined;
  for (const pictures of tiles.pictures === undefined ? [false, true] : [tiles.pictures]) {
    const graph = tiled(whole.graph, rows, pictures ? built.about.microBatch : 1);
    if (graph === undefined) continue;
    const cut = { ...whole, graph, tiles: { ...whole.tiles, rows, pictures } };
    if (best === undefined || temporaryBytes(cut) + PAGE <= temporaryBytes(best)) best = cut;
  }
  return best ?? whole;
}

/** Bytes of code and the most that is alive at once. */
const temporaryBytes = ({ graph }: UnplacedGraph): number =>
  codeBytes(graph) + Math.max(...liveBytes(lifetimes(graph), nodesOf(graph).length));

/** The second half of the path: gives everything an address and writes the program. */
export function lay({ graph, accumulators, ports, about, autogradBytes, maxThreads, tiles }: UnplacedGraph): Compiled {
  checkGraph(graph);
  shareOut(graph);
  const plan = planMemory(graph, { codeBytes: codeBytes(graph), maxThreads });
  verifyPlan(graph, plan);
  return { program: link(graph, plan, accumulators, ports, about), plan, graph, autogradBytes, tiles };
}

/** The graph of a job with what goes with it, before anything has an address. */
export interface UnplacedGraph {
  graph: Graph;
  accumulators: Map<number, number>;
  ports: Map<Io, number>;
  about: About;
  autogradBytes: number;
  maxThreads: number;
  tiles: Required<Tiles>;
  /** By block: the forward nodes that run again in backward. */
  again: ReadonlyMap<number, readonly Node[]>;
}

/** The first half of the path: from a model to the graph of all that is computed. */
export function build(options: CompileOptions): UnplacedGraph {
  const {
    model,
    classes,
    microBatch,
    method = 'bias',
    keep = 's2a',
    optimizer = 'adamw',
    head = 'new',
    purpose = 'train',
    weights = 'f32',
    task: settings = CLASSIFY,
  } = options;
  const task = taskOf(settings.name);
  const graph = createGraph();
  const io = inputs(graph, options);
  const b = createBuilder(graph, methodOf(method), head, io.state, weights);
  const { dropout = 0, dropPath = 0 } = options;
  const rates = typeof dropout === 'number' ? everywhere(dropout) : dropout;
  if (dropPath > 0 || Object.values(rates).some((rate) => rate > 0)) b.drop = { rates, path: dropPath, samples: io.samples };
  /** pictures → logits → loss, in one phase. */
  const forward = (phase: 'train' | 'eval'): { logits: number; loss: number[] } => {
    startPhase(b, phase);
    const logits = withSide(b, buildModel(b, pixels(graph, io, phase, options), model.spec, classes), classes);
    checkMethod(b);
    const name = phase === 'eval' ? 'eval.loss' : 'loss';
    const inputs = { logits, targets: io.labels, constants: io.constants, state: io.state };
    const loss = task.loss(graph, name, inputs, settings, { phase, block: b.block.index });
    for (const id of loss.slice(0, 2)) valueAt(graph, id).role = 'batch';
    return { logits, loss };
  };

  const ports = new Map<Io, number>([
    [Io.Pictures, io.pictures],
    [Io.Labels, io.labels],
    [Io.Samples, io.samples],
    [Io.State, io.state],
    ...(io.constants === ABSENT ? [] : [[Io.Constants, io.constants] as const]),
  ]);
  let accumulators = new Map<number, number>();
  let autograd = 0;
  let again: UnplacedGraph['again'] = new Map();
  if (purpose === 'train') {
    const { logits, loss } = forward('train');
    const needs = gradientNeeds(graph);
    autograd = autogradBytes(graph, needs);
    const repeats = addRepeats(graph, needs, options.recompute ?? new Map());
    chooseSaved(graph, needs, keepOf(keep), repeats, options.ownTables);
    accumulators = addBackward(graph, logits, loss[2]!, needs, repeats);
    again = repeats.runs;
    ports.set(Io.Losses, loss[0]!).set(Io.Choices, loss[1]!);
  }
  const { logits, loss } = forward('eval');
  if (purpose === 'train') {
    const rates = options.rates === 'relative' ? planRates(graph, accumulators, b.joins, optimizer) : undefined;
    const moments = addUpdate(graph, accumulators, optimizer, io.state, rates);
    if (rates) addRates(graph, rates, accumulators, moments, optimizer, io.state);
  }
  valueAt(graph, logits).role = 'batch';
  ports.set(Io.EvalLosses, loss[0]!).set(Io.EvalChoices, loss[1]!).set(Io.Logits, logits);

  const about = {
    model: model.type,
    image: model.image,
    classes,
    method: b.method.name,
    keep: keepOf(keep).name,
    weights,
    optimizer,
    microBatch,
    purpose,
    recompute: recomputeName(options.recompute),
    ...(settings.name === CLASSIFY.name ? {} : { task: settings.name, ...(settings.loss ? { loss: settings.loss } : {}) }),
    ...(options.fast ? { arithmetic: 'relaxed' as const } : {}),
    ...(purpose === 'train' && options.rates === 'relative' ? { rates: 'relative' as const } : {}),
  };
  const tiles = { rows: 0, pictures: false, queries: Scores.Rows, pixels: Patch.Rows };
  return { graph, accumulators, ports, about, autogradBytes: autograd, maxThreads: options.maxThreads ?? 1, tiles, again };
}
