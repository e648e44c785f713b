/**
 * Keeps a memory budget: chooses the micro-batch, which blocks are recomputed (checkpointing) and, last, in how many bits things are kept. A job that
 * cannot fit is refused with the smallest budget that would do.
 */

import { DEFAULTS } from '../base/defaults.ts';
import { BudgetError, InputError } from '../base/error.ts';
import { PRECISIONS, type Precision, type WeightsWish, wishOf } from '../base/precision.ts';
import type { Node } from '../graph/graph.ts';
import { type Method, methodOf } from '../network/method.ts';
import { definition } from '../ops/index.ts';
import { type KeepPolicy, keepOf } from '../passes/keeppolicy.ts';
import type { Bits, Recompute, RecomputeChoice } from '../passes/recompute.ts';
import { type Streaming, WINDOWS } from '../passes/streaming.ts';
import type { Tiles } from '../passes/tiling/tiles.ts';
import type { Compiled, Path } from '../pipeline/compiled.ts';
import { type CompileOptions, checkArithmetic, checkBatch, isMixed } from '../pipeline/options.ts';
import { finishGraph } from '../pipeline/tiles.ts';
import { checkBudget, PAGE } from '../plan/memory.ts';
import type { About } from '../program/program.ts';
import { type Job, openJob, type Way } from './candidates.ts';

/** What `planForBudget` takes: as `compile`, but what a budget decides may be left open. */
export interface PlanOptions extends Omit<CompileOptions, 'microBatch' | 'recompute' | 'weights' | 'streaming' | 'maxThreads'> {
  /** Pictures in one optimizer step. */
  batchSize: number;
  /** Pictures in one pass; chosen where absent. */
  microBatch?: number;
  /**
   * Precision of frozen weights; `auto`: the highest with which the budget can be kept. It alone changes what the network computes. With `,stream` they stay
   * in a file and pass through memory, which changes no number.
   */
  weights?: WeightsWish;
  /** Most bytes of frozen weights that stay in memory where the rest is streamed. Asks for streaming. */
  residentBytes?: number;
  /** Where nothing fits with all weights in memory they may be streamed, although nobody asked for it. Never while they fit. */
  mayStream?: boolean;
  /** Blocks whose forward runs again in backward: none, all, so many of them, those named, or as few as the budget needs (where absent). */
  recompute?: RecomputeChoice;
  /** Most bytes of linear memory; unlimited where absent. */
  budgetBytes?: number;
  /** Threads that scratch is reserved for, as many of them as the budget allows; 4 where absent. */
  maxThreads?: number;
}

/** What was chosen for a budget, and what it costs. */
export interface Chosen {
  /** Pictures in one pass. */
  microBatch: number;
  /** Passes in one step. */
  passes: number;
  /** The policy, as text: what is kept for backward. */
  keep: string;
  /** Precision of frozen weights. */
  weights: Precision;
  /** How frozen weights pass through memory; absent: they stay there. */
  streaming?: Streaming;
  /** The least budget with which weights would stay in memory, where they are streamed for want of it. */
  residentNeedsBytes?: number;
  /** Bits of the inputs that each recomputed block keeps, by block; -1 is what stands before the first. */
  recompute: Recompute;
  /** Blocks that could be computed again. */
  blocks: number;
  /** How much is worked on at a time; rows 0: no tiles. */
  tiles: Required<Tiles>;
  /** Predicted time of a step over that of the same job without a budget. */
  relativeTime: number;
}

/** A compiled program and what was chosen for it. */
export interface Planned extends Compiled {
  /** What the budget decided. */
  chosen: Chosen;
}

/**
 * Input pixels in one pass where the budget would allow more: two pictures of 224×224, ten of 96×96. Measured (bench/profile.mjs): below it
 * products get too few rows, above it activations fall out of the caches (MobileNetV2 at 224×224 by 8 pictures, without tiles: 8 % slower than by 2) and only take memory.
 */
const COMFORTABLE_PIXELS = 2 * 224 * 224;

/** Pieces that a budget may ask for: they cost some per cent (docs/bench.md). */
const SMALL: Tiles = { rows: 64, queries: 16, pixels: 64 };

/** Most linear memory that 32-bit addresses reach. */
const LINEAR_LIMIT = 65536 * PAGE;

/** The fastest way to train, or to infer, that fits the budget, as predicted. Deterministic: reads neither the machine nor a clock. Throws BudgetError. */
export function search({ weights: wish, method, keep, mayStream, ...given }: PlanOptions, path: Path): Planned {
  // Read here, once: the search compiles many times.
  const options = {
    ...given,
    ...(method === undefined ? {} : { method: methodOf(method) }),
    ...(keep === undefined ? {} : { keep: keepOf(keep) }),
  };
  const { weights, streams } = wishOf(wish, DEFAULTS.weights as Precision | 'auto');
  checkArithmetic(given.arithmetic, weights);
  const precisions = weights === 'auto' ? PRECISIONS : [weights];
  const isAsked = streams || given.residentBytes !== undefined;
  const rungs = (isAsked ? [true] : mayStream ? [false, true] : [false]).flatMap((isStreamed) =>
    precisions.map((precision): Settled => ({ ...options, weights: precision, isStreamed })),
  );
  const refusals: BudgetError[] = [];
  for (const rung of rungs) {
    const found = unlessRefused(() => searchAt(rung, path));
    if (!(found instanceof BudgetError)) {
      if (!rung.isStreamed || isAsked) return found;
      // Weights in memory were tried in vain before.
      const { smallestBytes: residentNeedsBytes } = leastOfAll(refusals.slice(0, precisions.length));
      return { ...found, chosen: { ...found.chosen, residentNeedsBytes } };
    }
    refusals.push(found);
    if (refusals.length === 1 && rungs.length > 1) refuseHopeless(rungs.at(-1) as Settled, path);
  }
  throw leastOfAll(refusals);
}

/** What was found, or why the budget cannot be kept. */
function unlessRefused(find: () => Planned): Planned | BudgetError {
  try {
    return find();
  } catch (error) {
    if (error instanceof BudgetError) return error;
    throw error;
  }
}

const leastOfAll = (refusals: readonly BudgetError[]): BudgetError =>
  refusals.reduce((least, next) => (next.smallestBytes < least.smallestBytes ? next : least));

/** The same with the precision of weights settled. */
function searchAt(settled: Settled, path: Path): Planned {
  const { limit, kinds, at, chosen, least } = openRung(settled, path);
  const seen: Way[] = [];
  for (const kind of kinds) {
    const ways = kind().sort((a, b) => a.time - b.time || windowOf(a) - windowOf(b) || a.bytes - b.bytes);
    for (const way of ways) if (way.bytes <= limit && at(way).plan.linearBytes <= limit) return chosen(way);
    seen.push(...ways);
  }
  return least(seen);
}

/**
 * Throws at once where not even the leanest ways of the leanest rung fit: the smallest micro-batch through the smallest window. To try all that
 * lies between would take many times as long, for the same refusal.
 */
function refuseHopeless(leanest: Settled, path: Path): void {
  const { limit, kinds, least } = openRung(leanest, path, true);
  const ways = kinds.flatMap((kind) => kind());
  if (ways.every((way) => way.bytes > limit)) least(ways);
}

/** The ways of one rung and what makes plans of them. `isLeanest`: only those that take the least memory. */
function openRung(
  {
    batchSize,
    microBatch,
    recompute = DEFAULTS.recompute,
    budgetBytes = LINEAR_LIMIT,
    maxThreads = DEFAULTS.maxThreads,
    isStreamed,
    residentBytes = 0,
    ...options
  }: Settled,
  path: Path,
  isLeanest = false,
) {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new InputError({ where: '--batch-size', what: 'must be at least 1', got: batchSize });
  if (batchSize < 2 && isMixed(options.augment))
    throw new InputError({ where: '--augment', what: 'mixes two pictures of a batch', got: batchSize, expected: '--batch-size 2 or more' });
  if (microBatch !== undefined) checkBatch(batchSize, microBatch);
  const limit = Math.min(budgetBytes, LINEAR_LIMIT);
  const [height, width] = options.model.image;
  const comfortable = Math.max(1, Math.floor(COMFORTABLE_PIXELS / (height * width)));
  const all = microBatch !== undefined ? [microBatch] : divisors(batchSize, comfortable);
  const sizes = isLeanest ? all.slice(-1) : all;

  const windows = isLeanest ? WINDOWS.slice(-1) : WINDOWS;
  const streamings = isStreamed ? windows.map((window): Streaming => ({ window, residentBytes })) : [undefined];
  const open = (more: { keep?: KeepPolicy }): Job[] =>
    streamings.map((streaming) => openJob({ ...options, ...more, streaming }, batchSize, path));
  const jobs = open({});
  const job = jobs[0] as Job;
  const fastest = job.plain(sizes[0] as number);
  const compiled = new Map<Way, Compiled>();
  const at = (way: Way): Compiled => {
    const graph = () => (way === fastest ? job.build(sizes[0] as number, 0) : finishGraph(path.graphOf(way.options), way.options));
    const known = compiled.get(way) ?? path.programOf(graph());
    compiled.set(way, known);
    return known;
  };
  const chosen = (way: Way): Planned => ({
    ...withThreads(way, at(way), { limit, maxThreads, path }),
    chosen: {
      microBatch: way.options.microBatch,
      passes: batchSize / way.options.microBatch,
      keep: at(way).program.about.keep,
      weights: options.weights,
      ...(way.options.streaming ? { streaming: way.options.streaming } : {}),
      recompute: way.recompute,
      blocks: way.blocks,
      tiles: at(way).tiles,
      relativeTime: way.time / fastest.time,
    },
  });
  /** Of what has been seen, what needs the least, although it was estimated not to fit; throws where it does not. */
  const least = (seen: Way[]): Planned => {
    const way = leastOf(seen, (one) => at(one).plan.linearBytes);
    const { graph, plan, program } = at(way);
    checkBudget(graph, plan, limit, { bytes: plan.linearBytes, how: how(program.about, options, { microBatch, recompute, isStreamed }) });
    return chosen(way);
  };
  return { limit, kinds: kindsOfWays({ options, recompute, sizes, jobs, fastest, open }), at, chosen, least };
}

/** Options whose text is read and whose precision is decided. */
interface Settled extends Omit<PlanOptions, 'mayStream'> {
  method?: Method;
  keep?: KeepPolicy;
  weights: Precision;
  isStreamed: boolean;
}

/** The windows' order, the one that leaves reads the most time first. */
const windowOf = ({ options: { streaming } }: Way): number => (streaming ? WINDOWS.indexOf(streaming.window) : 0);

/** What ways are made of. */
interface Candidates {
  options: Pick<Settled, 'tiles' | 'keep'>;
  recompute: RecomputeChoice;
  /** Micro-batches, largest first. */
  sizes: readonly number[];
  /** One, or one for each window through which weights pass. */
  jobs: readonly Job[];
  fastest: Way;
  /** The same jobs with another policy. */
  open(more: { keep: KeepPolicy }): Job[];
}

/** Ways by what they cost the gradient, least first: only where none of one kind fits is the next looked at. */
function kindsOfWays({ options, recompute, sizes, jobs, fastest, open }: Candidates): (() => Way[])[] {
  const [largest, smallest] = [sizes[0] as number, sizes.at(-1) as number];
  /** Every way of one micro-batch, in pieces as they come and, at the smallest one, in small ones too. */
  const small = options.tiles ?? SMALL;
  const waysIn = (job: Job, n: number, bits: readonly Bits[], tiles?: Tiles): Way[] =>
    recompute === 'none' ? [job.plain(n, tiles)] : job.ways(n, recompute, bits, tiles);
  const waysOf = (n: number, bits: readonly Bits[], tiles?: Tiles): Way[] => jobs.flatMap((job) => waysIn(job, n, bits, tiles));
  const [first, ...fewer] = inputBits(options.keep);
  const kinds: (() => Way[])[] = [
    () => (recompute === 'auto' || recompute === 'none' ? [fastest] : []),
    () => [...sizes.flatMap((n) => waysOf(n, [first as Bits])), ...waysOf(smallest, [first as Bits], small)],
    () =>
      recompute === 'none' || typeof recompute === 'object' || fewer.length === 0
        ? []
        : [undefined, small].flatMap((tiles) => waysOf(smallest, [first as Bits, ...fewer], tiles)),
  ];
  if (recompute === 'auto' && options.keep === undefined)
    for (const keep of fewerBits((jobs[0] as Job).build(largest, 0).graph.phases.train))
      kinds.push(() => open({ keep }).flatMap((job) => waysIn(job, smallest, [first as Bits, ...fewer], small).slice(-1)));
  return kinds;
}

/** Threads get what is left: so what is chosen, and with it every result, is the same for any number of them. */
function withThreads(
  way: Way,
  compiled: Compiled,
  { limit, maxThreads, path }: { limit: number; maxThreads: number; path: Path },
): Compiled {
  const { linearBytes, scratch } = compiled.plan;
  const room = limit - (linearBytes - slack(compiled));
  const threads = Math.min(maxThreads, 1 + Math.max(0, Math.floor(room / Math.max(1, scratch.bytes))));
  if (threads === 1) return compiled;
  return path.programOf(finishGraph(path.graphOf({ ...way.options, maxThreads: threads }), way.options));
}

/** The least that would fit: no way is compiled whose estimate is above what has been found. */
function leastOf(seen: Way[], needs: (way: Way) => number): Way {
  seen.sort((a, b) => a.bytes - b.bytes);
  let least = seen[0] as Way;
  for (const way of seen) if (way.bytes < needs(least) && needs(way) < needs(least)) least = way;
  return least;
}

/** Bytes of the last page that a plan leaves empty. */
const slack = ({ plan: { linearBytes, scratch, maxThreads } }: Compiled): number =>
  linearBytes - (scratch.offset + scratch.bytes * maxThreads);

/** Four bits come last: they cost the gradient more than they save. Empty where nothing keeps eight. */
function fewerBits(nodes: readonly Node[]): KeepPolicy[] {
  const there = new Set(nodes.flatMap(({ op }) => definition(op).eightBits ?? []));
  return there.size === 0 ? [] : [keepOf(['s2a', ...[...there].map((name) => `${name}=4`)].join(','))];
}

/** How a recomputed block may keep its inputs, best first: what keeps f32 stays exact. */
const inputBits = (keep: KeepPolicy | undefined): Bits[] => (keep?.name.startsWith('exact') ? [32] : [8, 4]);

/** What the least plan was chosen with, as flags, and what would need less still. */
function how(
  about: About,
  { keep }: { keep?: KeepPolicy },
  { microBatch, recompute, isStreamed }: { microBatch: number | undefined; recompute: RecomputeChoice; isStreamed: boolean },
): string {
  const again = about.recompute === 'none' ? '' : ` --recompute ${about.recompute}`;
  const isExact = keep?.name.startsWith('exact');
  const fixed = [
    ...(microBatch === undefined || microBatch === 1 ? [] : ['--micro-batch']),
    ...(recompute === 'none' ? ['--recompute'] : []),
  ];
  const hint = isExact ? '; --keep s2a needs less' : fixed.length > 0 ? `; without ${fixed.join(' and ')} less is enough` : '';
  return `--micro-batch ${about.microBatch}${again} --keep ${about.keep} --weights ${about.weights}${isStreamed ? ',stream' : ''}${hint}`;
}

/** Divisors of n up to `most`, largest first. */
export function divisors(n: number, most = n): number[] {
  return Array.from({ length: Math.min(n, most) }, (_, i) => Math.min(n, most) - i).filter((d) => n % d === 0);
}
