/**
 * The whole path on one page: model + method + budget → program.
 *
 *     weights ─► graph ─► modules ─► loss ─► saved ─► backward ─► update ─► plan ─► verify ─► program
 */
import { State } from '../assembly/abi/head.ts';
import { Augment } from '../assembly/abi/ops.ts';
import { Io } from '../assembly/abi/program.ts';
import { Patch, Scores } from '../assembly/abi/tiles.ts';
import { addBackward } from './backward.ts';
import { checkGraph } from './check.ts';
import { addValue, createGraph, f32, type Graph, i32, type Node, nodesOf, type Phase, u8, valueAt } from './graph.ts';
import { keepOf } from './keep.ts';
import { createBuilder, startPhase } from './models/builder.ts';
import { type DropoutRates, everywhere } from './models/drop.ts';
import { buildModel, type Model } from './models/index.ts';
import { withSide } from './modules/entry.ts';
import { methodOf } from './modules/method.ts';
import { emit, shareOut } from './ops/index.ts';
import { lifetimes, liveBytes } from './plan/lifetime.ts';
import { type Plan, planMemory } from './plan/memory.ts';
import { verifyPlan } from './plan/verify.ts';
import type { Precision } from './precision.ts';
import { codeBytes } from './program/encode.ts';
import { link } from './program/link.ts';
import type { About, Program } from './program/program.ts';
import { addRepeats, type Recompute, recomputeName } from './recompute.ts';
import { autogradBytes, chooseSaved, gradientNeeds } from './saved.ts';
import { limited, TILE_ROWS, type Tiles, tiled } from './tile.ts';
import { addUpdate, type Optimizer } from './update.ts';

export interface CompileOptions {
  model: Model;
  classes: number;
  /** Pictures in one pass of the network: the batch of every value. */
  microBatch: number;
  /** See src/modules/method.ts; `bias` where absent. */
  method?: string;
  /** What is kept for backward, see src/keep.ts; `s2a` where absent. */
  keep?: string;
  /** Bits of frozen weights; what learns, norms, biases and what reads the picture stay f32. */
  weights?: Precision;
  /** Blocks whose forward runs again in backward, see src/recompute.ts; none where absent. */
  recompute?: Recompute;
  /** How much is worked on at a time. */
  tiles?: Tiles;
  optimizer?: Optimizer;
  /** The classifier: new and zero (fine-tuning), or the checkpoint's own. */
  head?: 'new' | 'file';
  /** `infer` compiles evaluation alone: nothing is kept, nothing learns. */
  purpose?: 'train' | 'infer';
  /** The model sees (pixel · scale − mean) / std. */
  normalize?: { scale: number; mean: readonly number[]; std: readonly number[] };
  /** Random shift by up to `shift` pixels and horizontal flip, in training. */
  augment?: { shift: number; flip: boolean };
  /** Share of elements left out, in training, of a transformer's embeddings, of attention's and the MLP's outputs and of what the head reads. */
  dropout?: number | DropoutRates;
  /** Share of pictures, in training, for which the last block's branch is left out; less before. */
  dropPath?: number;
  maxThreads?: number;
  /** For the engine build with relaxed SIMD: faster, its last bits the machine's own. */
  fast?: boolean;
  /** What the pictures' port takes: bytes, or f32 (the same numbers, 0 … 255) for data that are not bytes. */
  pixels?: 'u8' | 'f32';
  /** Every layer gets a derivative table of its own, which src/calibrate may fit to what the layer sees. */
  ownTables?: boolean | undefined;
}

export interface Compiled {
  program: Program;
  plan: Plan;
  graph: Graph;
  /** What f32 autograd would keep for the same method, whole micro-batch. */
  autogradBytes: number;
  /** How much is worked on at a time; rows 0: no row tiles. */
  tiles: Required<Tiles>;
}

const HALF = { scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** Compiles; knows nothing of files or runtimes. Deterministic. */
export const compile = (options: CompileOptions): Compiled => lay(inTiles(build(options), options.tiles));

/** The same job in tiles; row tiles, where nothing is said of them, only if that takes less memory. */
export function inTiles(built: Built, tiles: Tiles = {}): Built {
  const whole = { ...built, graph: limited(built.graph, tiles), tiles: { ...built.tiles, ...tiles, rows: 0 } };
  const rows = tiles.rows ?? TILE_ROWS;
  const graph = tiled(whole.graph, rows);
  if (graph === undefined) return whole;
  const cut = { ...whole, graph, tiles: { ...whole.tiles, rows } };
  return tiles.rows !== undefined || temporaryBytes(cut) < temporaryBytes(whole) ? cut : whole;
}

/** Bytes of code and the most that is alive at once. */
const temporaryBytes = ({ graph }: Built): number => codeBytes(graph) + Math.max(...liveBytes(lifetimes(graph), nodesOf(graph).length));

/** The second half of the path: gives everything an address and writes the program. */
export function lay({ graph, accumulators, ports, about, autogradBytes, maxThreads, tiles }: Built): Compiled {
  checkGraph(graph);
  shareOut(graph);
  const plan = planMemory(graph, { codeBytes: codeBytes(graph), maxThreads });
  verifyPlan(graph, plan);
  return { program: link(graph, plan, accumulators, ports, about), plan, graph, autogradBytes, tiles };
}

/** The graph of a job with what goes with it, before anything has an address. */
export interface Built {
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
export function build(options: CompileOptions): Built {
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
  } = options;
  const graph = createGraph();
  const io = inputs(graph, options);
  const b = createBuilder(graph, methodOf(method), head, io.state, weights);
  const { dropout = 0, dropPath = 0 } = options;
  const rates = typeof dropout === 'number' ? everywhere(dropout) : dropout;
  if (dropPath > 0 || Object.values(rates).some((rate) => rate > 0)) b.drop = { rates, path: dropPath, samples: io.samples };
  /** pictures → logits → loss, in one phase. */
  const forward = (phase: Phase): { logits: number; loss: number[] } => {
    startPhase(b, phase);
    const logits = withSide(b, buildModel(b, pixels(graph, io, phase, options), model.spec, classes), classes);
    const name = phase === 'eval' ? 'eval.loss' : 'loss';
    const attributes = { train: phase === 'train' ? 1 : 0 };
    const loss = emit(graph, 'CrossEntropy', name, [logits, io.labels], attributes, {
      phase,
      isBackward: true,
      block: b.block.index,
      updates: [io.state],
    }).outputs;
    for (const id of loss.slice(0, 2)) valueAt(graph, id).role = 'batch';
    return { logits, loss };
  };

  const ports = new Map<Io, number>([
    [Io.Pictures, io.pictures],
    [Io.Labels, io.labels],
    [Io.Samples, io.samples],
    [Io.State, io.state],
  ]);
  let accumulators = new Map<number, number>();
  let autograd = 0;
  let again: Built['again'] = new Map();
  if (purpose === 'train') {
    const { logits, loss } = forward('train');
    const needs = gradientNeeds(graph);
    autograd = autogradBytes(graph, needs);
    const repeats = addRepeats(graph, needs, options.recompute ?? new Map());
    chooseSaved(graph, needs, keepOf(keep), repeats, options.ownTables);
    accumulators = addBackward(graph, logits, loss[2]!, needs, repeats);
    again = repeats.runs;
    addUpdate(graph, accumulators, optimizer, io.state);
    ports.set(Io.Losses, loss[0]!).set(Io.Choices, loss[1]!);
  }
  const { logits, loss } = forward('eval');
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
    ...(options.fast ? { arithmetic: 'relaxed' as const } : {}),
  };
  const tiles = { rows: 0, queries: Scores.Rows, pixels: Patch.Rows };
  return { graph, accumulators, ports, about, autogradBytes: autograd, maxThreads: options.maxThreads ?? 1, tiles, again };
}

interface Inputs {
  pictures: number;
  labels: number;
  samples: number;
  state: number;
  table: number;
}

/** What the host writes: pictures, labels, counters of the random streams; and the state block. */
function inputs(graph: Graph, { model, microBatch, normalize = HALF, pixels: stored = 'u8' }: CompileOptions): Inputs {
  const { scale, mean, std } = normalize;
  const table = Float32Array.from([...std.map((s) => scale / s), ...mean.map((m, c) => -m / std[c]!)]);
  return {
    pictures: addValue(graph, 'pictures', (stored === 'f32' ? f32 : u8)(microBatch, ...model.image, 3), 'batch'),
    labels: addValue(graph, 'labels', i32(microBatch), 'batch'),
    samples: addValue(graph, 'samples', { dtype: 'u32', shape: [microBatch] }, 'batch'),
    state: addValue(graph, 'state', u8(State.Bytes), 'state'),
    table: addValue(graph, 'normalize', f32(6), 'table', { data: new Uint8Array(table.buffer) }),
  };
}

/** uint8 pictures → normalised f32, augmented in training. */
function pixels(graph: Graph, io: Inputs, phase: Phase, { model, augment }: CompileOptions): number {
  const [h, w] = model.image;
  const random = phase === 'train' && augment !== undefined;
  const bits = random ? (augment.shift > 0 ? Augment.Crop : 0) | (augment.flip ? Augment.Flip : 0) : 0;
  const attributes = { h, w, augment: bits, pad: random ? augment.shift : 0 };
  const name = phase === 'eval' ? 'eval.pixels' : 'pixels';
  return emit(graph, 'Pixels', name, [io.pictures, io.table, io.samples, io.state], attributes, { phase }).outputs[0]!;
}
