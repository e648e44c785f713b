/**
 * The graph: flat lists of values and nodes. Values are written once (SSA) except where a node says that it updates one.
 * Nodes stand in execution order within their phase, and the phases follow each other, so a node's place in `nodes(graph)` is also a
 * time and a lifetime is two integers.
 */
import { codedBytes } from '../../assembly/abi/sizes.ts';
import { Encoding } from '../../assembly/abi/weights.ts';

export type DType = 'f32' | 'i32' | 'u32' | 'u8';

/** Shape (row-major) and element type of a value. */
export interface Type {
  dtype: DType;
  shape: readonly number[];
  /** How a frozen weight is stored, where not as it is (`assembly/abi/weights.ts`). */
  encoding?: Encoding;
}

/**
 * Where a value lives, and for how long.
 * `frozen` weights as they are after `init` · `param` learnable · `grad` its accumulator · `moment` optimizer state · `state` the state block ·
 * `batch` what the host writes or reads around a micro-batch · `table` constants beside the program · `temp` from its first to its last use.
 */
export type Role = 'frozen' | 'param' | 'grad' | 'moment' | 'state' | 'batch' | 'table' | 'temp';

/** What a tensor is to its layer; methods choose what learns by it. */
export type Kind = 'weight' | 'bias' | 'scale' | 'embedding';

/**
 * Where a loaded value comes from: elements [start, start + n) of the named tensor, seen as a row-major [n0, n1, n2] block whose element
 * (i0, i1, i2) goes to i0·s0 + i1·s1 + i2·s2 of the value.
 */
export interface Source {
  tensor: string;
  /** Shape that the whole tensor must have in the file. */
  shape: readonly number[];
  /** First element of the tensor that belongs to this value. */
  start: number;
  dims: readonly [number, number, number];
  strides: readonly [number, number, number];
}

export type Layout = Pick<Source, 'shape' | 'dims' | 'strides'>;

export interface Value {
  id: number;
  name: string;
  readonly type: Type;
  role: Role;
  bytes: number;
  source?: Source;
  /** How the elements lie in the checkpoint's tensor, whether they come from there or not: an adapter is written that way. */
  layout?: Layout;
  kind?: Kind;
  /** Block of the network that a parameter belongs to: -1 before the first, their count after the last. */
  block?: number;
  /** Contents of a `table` value. */
  data?: Uint8Array;
  /** It is no memory of its own but the bytes from `offset` on of value `of`, which is no view itself. Written in parts, a value is whole when each is. */
  view?: { of: number; offset: number };
  /**
   * Its home is a file (src/passes/streaming.ts): `placed` in init, where its source is read when a node asks for it; `read` back later, a copy that
   * the host writes at any time between the nodes that ask for it and wait for it.
   */
  stored?: 'placed' | 'read';
}

/** `rates` sets relative learning rates from what `eval` observed (src/passes/rates.ts); empty where rates are absolute. */
export type Phase = 'init' | 'train' | 'update' | 'eval' | 'rates';
export const PHASES: readonly Phase[] = ['init', 'train', 'update', 'eval', 'rates'];

/** Named integers (floats as themselves; `lower` knows which are which). */
export type Attributes = Record<string, number>;
/** Named lists of integers: axes, sizes, permutations. A definition says which it takes (`lists`). */
export type Lists = Readonly<Record<string, readonly number[]>>;

/**
 * How threads share a node's work: `units` pieces, thread t taking those from `first` to `last` (assembly/engine/team.ts); 0: the first thread does
 * it all. By operand, the bytes of a unit where a thread touches nothing but its own units, which lie one after the other from the
 * operand's start (the last may be short); 0 or absent: any thread may touch any of it.
 */
export interface Split {
  units: number;
  inputs?: readonly number[];
  outputs?: readonly number[];
  updates?: readonly number[];
}

export interface Node {
  op: string;
  name: string;
  phase: Phase;
  /** Which block of the network it is part of, counted from 0; -1 before the first, and where that means nothing. */
  block: number;
  /** Value ids; -1 is an absent operand. */
  inputs: number[];
  outputs: number[];
  /** Values that are read and written: accumulators, parameters in `update`, weights in `init`. */
  updates: number[];
  attributes: Attributes;
  /** Absent: none. */
  lists?: Lists;
  /** Pairs [input, output] (positions) that may share memory. */
  inPlace: readonly (readonly [number, number])[];
  /** Scratch bytes a thread needs while this node runs. */
  scratchBytes: number;
  /** Absent: any thread may touch any of its operands. */
  split?: Split;
  /** True from the loss on: what such a node reads of an earlier one was kept for backward. */
  isBackward: boolean;
  /** It moves nothing: its output is its input, or a part of it, under another shape (a view). No instruction is made of it, no thread waits for it. */
  isView?: true;
  /** It makes the first gradient: what it reads is no longer the forward pass, and was not kept for backward either. */
  isLoss?: true;
}

export interface Graph {
  values: Value[];
  phases: Record<Phase, Node[]>;
}

export const ABSENT = -1;

export function createGraph(): Graph {
  return { values: [], phases: { init: [], train: [], update: [], eval: [], rates: [] } };
}

/** Every node in execution order. */
export function nodesOf(graph: Graph): Node[] {
  return PHASES.flatMap((phase) => graph.phases[phase]);
}

const WIDTH: Record<DType, number> = { f32: 4, i32: 4, u32: 4, u8: 1 };

export const numel = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
export function byteLength({ dtype, shape, encoding }: Type): number {
  if (!encoding) return numel(shape) * WIDTH[dtype];
  const channels = shape[0]!;
  return codedBytes(encoding, channels, numel(shape) / channels);
}
export const f32 = (...shape: number[]): Type => ({ dtype: 'f32', shape });
export const u8 = (...shape: number[]): Type => ({ dtype: 'u8', shape });
export const i32 = (...shape: number[]): Type => ({ dtype: 'i32', shape });

/** Appends a value and returns its id. */
export function addValue(graph: Graph, name: string, type: Type, role: Role, more: Partial<Value> = {}): number {
  const id = graph.values.length;
  graph.values.push({ id, name, type, role, bytes: byteLength(type), ...more });
  return id;
}

export const valueAt = (graph: Graph, id: number): Value => {
  const value = graph.values[id];
  if (value === undefined) throw new RangeError(`graph: no value ${id}`);
  return value;
};
/** The value whose memory this one is: itself, or what it is a view of. */
export const rootOf = (graph: Graph, id: number): number => valueAt(graph, id).view?.of ?? id;
/** Gives a value another role, and with it whatever shares its memory. */
export function setRole(graph: Graph, id: number, role: Role): void {
  const root = rootOf(graph, id);
  for (const value of graph.values) if (value.id === root || value.view?.of === root) value.role = role;
}
/** The bytes of its root that a value is. */
export function rangeOf(graph: Graph, id: number): { from: number; to: number } {
  const { view, bytes } = valueAt(graph, id);
  const from = view?.offset ?? 0;
  return { from, to: from + bytes };
}
export const typeOf = (graph: Graph, id: number): Type => valueAt(graph, id).type;
export const encodingOf = (graph: Graph, id: number): Encoding => valueAt(graph, id).type.encoding ?? Encoding.F32;
export const shapeOf = (graph: Graph, id: number): readonly number[] => valueAt(graph, id).type.shape;
/** Size of the last axis: channels. */
export const lastDim = (graph: Graph, id: number): number => shapeOf(graph, id).at(-1) as number;
/** Product of all axes but the last: rows. */
export const rowsOf = (graph: Graph, id: number): number => numel(shapeOf(graph, id).slice(0, -1));
