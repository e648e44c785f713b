/** What a model is built with: the graph so far, the phase, and the weights, declared under the checkpoint's own names and shared between phases. */
import { Encoding } from '../../assembly/abi/weights.ts';
import { encodingFor, type Precision } from '../base/precision.ts';
import {
  ABSENT,
  addValue,
  f32,
  type Graph,
  type Layout,
  numel,
  type Phase,
  type Role,
  type Source,
  type Kind as WeightKind,
} from '../graph/graph.ts';
import { emit } from '../ops/index.ts';
import type { DropoutRates } from './drop.ts';
import { learnsKind, type Method } from './method.ts';

/** Rates of dropout, and of drop-path at the last block (0 at the first, rising evenly); `samples` count the pictures' random numbers. */
export interface Drop {
  rates: DropoutRates;
  path: number;
  samples: number;
}

/** What a linear layer is in attention. */
export const PROJECTIONS = ['query', 'key', 'value'] as const;
export type Projection = (typeof PROJECTIONS)[number];

export interface Builder {
  graph: Graph;
  phase: Phase;
  method: Method;
  /** Where the classifier comes from: the checkpoint, or new and zero. */
  head: 'file' | 'new';
  weights: Map<string, number>;
  /** Of frozen weights. */
  precision: Precision;
  /** Whether what weights in 8 bits are multiplied with is rounded to 7. */
  isLossy: boolean;
  /** The state block, for initial values. */
  state: number;
  /** What goes in: the layer that reads it keeps f32 weights, which are few and come before everything. */
  input: number;
  /** Dropout and drop-path in training; undefined: none. */
  drop: Drop | undefined;
  /** Which block is being built; before the first, index -1. */
  block: { index: number; count: number };
  /** Layers that low-rank adaptation could adapt, of which its method picks. */
  adaptable: { name: string; role: Projection | undefined }[];
  /** By the factor of a product that is zero at the start: what the product is added to; ABSENT: it is a logit (src/passes/rates.ts). */
  joins: Map<number, number>;
  /** What the classifier reads, once it is built; ABSENT where the head is no linear layer. */
  features: number;
  /** The side branch's state and the block that entered it last. */
  side: { state: number; index: number } | undefined;
}

export function createBuilder(graph: Graph, method: Method, head: 'file' | 'new', state: number, precision: Precision): Builder {
  const block = { index: -1, count: 0 };
  return {
    graph,
    phase: 'train',
    method,
    head,
    weights: new Map(),
    precision,
    isLossy: false,
    state,
    input: ABSENT,
    drop: undefined,
    block,
    adaptable: [],
    joins: new Map(),
    features: ABSENT,
    side: undefined,
  };
}

/** Begins the network again in another phase; weights are shared by name. */
export function startPhase(b: Builder, phase: Phase): void {
  b.phase = phase;
  b.block = { index: -1, count: 0 };
  b.features = ABSENT;
  b.side = undefined;
}

/** May what is being built now learn? `last` keeps everything before the last blocks frozen. */
export function learns({ method, block }: Builder): boolean {
  if (method.last === undefined) return true;
  return block.index >= 0 && block.index >= block.count - method.last.blocks;
}

export interface Weight {
  name: string;
  /** Shape in the arena. */
  shape: readonly number[];
  kind: WeightKind;
  role?: Role;
  /** Absent: starts at zero. */
  source?: Source;
  /** How the arena's elements lie in the checkpoint's tensor, for writing it back. */
  layout?: Layout;
  /** May be coded while it is frozen; its source's first axis counts the output channels. */
  layer?: 'linear' | 'convolution';
}

export const flat = (shape: readonly number[]): Pick<Source, 'dims' | 'strides'> => ({
  dims: [1, 1, numel(shape)],
  strides: [numel(shape), numel(shape), 1],
});

/** The same, row by row. */
export const rowwise = (n: number, k: number): Pick<Source, 'dims' | 'strides'> => ({ dims: [n, 1, k], strides: [k, k, 1] });

/** A tensor taken from the checkpoint as it is. */
export const whole = (tensor: string, shape: readonly number[]): Source => ({ tensor, shape, start: 0, ...flat(shape) });

/** Declares a weight once; later calls with the same name return the same value. */
export function weight(b: Builder, { name, shape, kind, role: given, source, layout, layer }: Weight): number {
  const known = b.weights.get(name);
  if (known !== undefined) return known;
  const role = given ?? (learns(b) && learnsKind(b.method, kind) ? 'param' : 'frozen');
  const [o] = source?.dims ?? [1];
  const encoding = role === 'frozen' && layer && source ? encodingFor(b.precision, layer, o, numel(shape) / o, b.isLossy) : Encoding.F32;
  const id = addValue(b.graph, name, { ...f32(...shape), ...(encoding === Encoding.F32 ? {} : { encoding }) }, role, {
    kind,
    block: b.block.index,
    ...(source ? { source } : {}),
    layout: layout ?? source ?? { shape, ...flat(shape) },
  });
  b.weights.set(name, id);
  return id;
}

/** A tensor of a module: learnable, not in the checkpoint, zero or normal with the given deviation at the start. */
export function newWeight(b: Builder, w: Omit<Weight, 'role' | 'source'> & { deviation?: number }): number {
  const isNew = !b.weights.has(w.name);
  const id = weight(b, { ...w, role: 'param' });
  if (isNew && w.deviation !== undefined) {
    const a = { number: b.weights.size, scale: w.deviation };
    emit(b.graph, 'Normal', `${w.name}.init`, [b.state], a, { phase: 'init', updates: [id] });
  }
  return id;
}

export const append = (b: Builder, op: string, name: string, inputs: number[], attributes = {}): number =>
  emit(b.graph, op, b.phase === 'eval' ? `eval.${name}` : name, inputs, attributes, { phase: b.phase, block: b.block.index }).outputs[0]!;
