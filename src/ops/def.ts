import type { Keep } from '../../assembly/abi/keep.ts';
import type { Op } from '../../assembly/abi/ops.ts';
import { type Attributes, type Graph, type Lists, type Node, numel, rowsOf, type Split, shapeOf, type Type } from '../graph/graph.ts';
import type { Choice, KeepClass } from './keepclasses.ts';

/** One legal way for an operator to keep what its backward needs. */
export interface Saved {
  /** What it is of each class of operator that it concerns: a plan picks by it. */
  as: Partial<Record<KeepClass, Choice>>;
  keep: Keep;
  /** Inputs (positions) that stay alive as they are. */
  inputs: readonly number[];
  /** Extra outputs that the forward kernel writes for it: codes, statistics. */
  extra: readonly Type[];
  /** Input (position) of which a quantised copy is kept; the node's attribute `codes` then names it. Of several `codes0`, `codes1`, … by position. */
  quantize?: number | readonly number[];
  /** Attributes that tell the node about it, beside `keep`. */
  attributes?: Attributes;
  /** Activation kind whose codebook the kernel reads, as its input 1. */
  codebook?: number;
}

/**
 * What a learnable input is to the operator, and so by what its rate is measured (src/passes/rates.ts): added to output 0 channel by channel; the
 * factor of a product with `input`, element i belonging to output channel i / inner, `spread` being the products of an output over the
 * channels of the input; or beside numbers of a known size.
 */
export type RateRule =
  | { rule: 'added' }
  | { rule: 'product'; input: number; inner: number; spread: number }
  | { rule: 'constant'; size: number };

/** Addresses of a node's operands; 0 where absent. */
export interface Operands {
  input(i: number): number;
  output(i: number): number;
  update(i: number): number;
}

/** Attributes of both kinds, as whoever appends a node writes them. */
export type Mixed = Readonly<Record<string, number | readonly number[]>>;

/** What an operator's `backward` can ask for and do. */
export interface Gradients {
  graph: Graph;
  /** Gradient of an output value, or ABSENT where nothing below needs it. */
  of(value: number): number;
  /** Whether a gradient of this value is wanted. */
  needs(value: number): boolean;
  /** What has been summed into this value's gradient so far, or ABSENT; an operator that can add takes it as its ACC operand. */
  soFar(value: number): number;
  /** Replaces the gradient so far by `gradient`, which already contains it. */
  set(value: number, gradient: number): void;
  /** Adds a contribution, with an Add node where there is one already. */
  add(value: number, gradient: number): void;
  /** The accumulator of a learnable value. */
  accumulator(param: number): number;
  /** Appends a backward node and returns its outputs. */
  emit(op: string, name: string, inputs: number[], attributes?: Attributes | Mixed, updates?: number[]): number[];
}

/**
 * An operator that can be cut: part of each output follows from the same part of the inputs, and what is updated takes the parts up one after
 * the other.
 */
export interface Pieces {
  /** Where: between any two rows, or between pictures alone (the first axis), because a picture's rows know of each other. */
  of: 'rows' | 'pictures';
  /** Inputs (positions) of which every piece needs all. */
  whole: readonly number[];
  /** What is kept of a piece alone is not a piece of what is kept of all: its parts lie elsewhere. */
  separatelyStored?: boolean;
}

/**
 * Nanoseconds that a kernel takes for a multiply-add and for a byte moved. Only ratios mean something: they were fitted once to measured
 * steps (x86-64, one thread; docs/bench.md) and stand here so that the same job gives the same plan everywhere.
 */
export interface CostRate {
  mac: number;
  byte: number;
}

/** Matrix products: 21 thousand million multiply-adds a second, and what packing moves. */
export const PRODUCT: CostRate = { mac: 0.048, byte: 0.15 };
/** One pass over memory that does little. */
export const MOVE: CostRate = { mac: 0, byte: 0.035 };

/** Everything the host knows of one operator, as data. */
export interface OpDef {
  opcode: Op;
  /** Types of the outputs, kept extras excluded. Throws where operands do not fit. */
  infer(inputs: readonly (Type | undefined)[], attributes: Attributes, lists: Lists): Type[];
  /**
   * Where output 0, as inferred, is nothing but bytes of input 0: from which of them on. The node then is a view: the two share memory, and no
   * instruction is made. Undefined: the kernel copies.
   */
  view?(inputs: readonly (Type | undefined)[], attributes: Attributes): number | undefined;
  /** The lists among its attributes, each with the most numbers that it may have; all of them must be there. */
  lists?: Readonly<Record<string, number>>;
  /** Legal choices, the exact one first, which also stands in for one that is not there; absent or empty: nothing is needed. `needs[i]`: is a gradient of input i wanted? */
  saves?(node: Node, graph: Graph, needs: readonly boolean[]): Saved[];
  /** What an f32 autograd (PyTorch eager) keeps for the same gradients: values by id, and further bytes. */
  autograd?(node: Node, graph: Graph, needs: readonly boolean[]): { values: number[]; bytes: number };
  /**
   * PyTorch's storage behind output 0, where it is not its own: a `view` of input 0, or `rows`: input 0 is a view here but the whole there
   * (checkpoints' own code takes the class token after the last norm, this project before it).
   */
  storage?(node: Node, graph: Graph): 'own' | 'view' | 'rows';
  /** Appends the nodes that turn gradients of the outputs into gradients of the inputs. */
  backward?(node: Node, gradients: Gradients): void;
  /** What input `i` is, where it may be learnable. */
  rates?(node: Node, graph: Graph, i: number): RateRule;
  /** Pairs [input, output] that the kernel allows to share memory. */
  inPlace?: readonly (readonly [number, number])[];
  /** How it can be cut into pieces; absent: it cannot. */
  pieces?(node: Node, graph: Graph): Pieces | undefined;
  /** The attribute that says how much the kernel works on at a time, where it has a choice: it changes scratch and time, never a byte. */
  tile?: 'queries' | 'pixels';
  /** The input (position) that may be a coded weight; others may not. */
  coded?: number;
  /** How the kernel shares its work out, the choice of what is kept being made; absent: any thread may touch any operand. */
  split?(node: Node, graph: Graph): Split;
  /** Scratch bytes a thread. */
  scratch?(inputs: readonly (Type | undefined)[], attributes: Attributes): number;
  /** The instruction's arguments. */
  lower(node: Node, at: Operands, graph: Graph): number[];
  /** Multiply-adds and bytes moved, for the planner's predictions; and what each of them takes. */
  cost(node: Node, graph: Graph): { macs: number; bytes: number };
  costRate: CostRate;
  /** It draws from a stream of random numbers: run again, it may make something else of the same inputs. */
  draws?(node: Node): boolean;
  /** The class of which it keeps eight bits an element where a plan says `s2a`, and may keep four. */
  eightBits?: KeepClass;
}

const bits = new DataView(new ArrayBuffer(4));
/** The bits of an f32 argument. */
export function float(x: number): number {
  bits.setFloat32(0, x);
  return bits.getInt32(0);
}

/** `{[Arg.X]: 1, …}` as a dense list of words; a hole is an error of the definition. */
export function words(named: Record<number, number>): number[] {
  const count = Object.keys(named).length;
  const list = Array.from({ length: count }, (_, i) => named[i]);
  if (list.some((w) => w === undefined)) throw new RangeError('lower: an argument is missing');
  return list as number[];
}

/** The shape of an operand that must be there. */
export function shape(inputs: readonly (Type | undefined)[], i: number): readonly number[] {
  const type = inputs[i];
  if (type === undefined) throw new RangeError(`infer: operand ${i} is absent`);
  return type.shape;
}

/** Throws unless two shapes agree; `what` names the operand in the message. */
export function same(what: string, got: readonly number[], expected: readonly number[]): void {
  if (got.length !== expected.length || got.some((d, i) => d !== expected[i]))
    throw new RangeError(`${what}: shape [${got}], expected [${expected}]`);
}

/** Bytes that a node's operands add up to: the default memory cost. */
export function traffic(node: Node, graph: Graph): number {
  let bytes = 0;
  for (const id of [...node.inputs, ...node.outputs, ...node.updates]) if (id >= 0) bytes += graph.values[id]?.bytes ?? 0;
  return bytes;
}

/** Cost of an operator that only moves its operands. */
export const moves = (node: Node, graph: Graph): { macs: number; bytes: number } => ({ macs: 0, bytes: traffic(node, graph) });

/** Most axes of a value. */
export const MOST_AXES = 8;

/** Elements that the element-wise kernels share out at a time, so that neighbours in a chain of them take the same shares. */
const BLOCK = 32;

/** Bytes of a block of f32. */
export const BLOCK_BYTES = 4 * BLOCK;

/** Blocks of 32 elements of value `id`. */
export const blocksOf = (graph: Graph, id: number): number => Math.ceil(numel(shapeOf(graph, id)) / BLOCK);

/** The rows of value `id` and the bytes of one, f32. */
export const rowSplit = (graph: Graph, id: number): { units: number; row: number } => {
  const units = rowsOf(graph, id);
  return { units, row: (4 * numel(shapeOf(graph, id))) / units };
};

/** The first thread does it all. */
export function alone({ inputs, outputs, updates }: Node, graph: Graph): Split {
  const whole = (ids: readonly number[]): number[] => ids.map((id) => graph.values[id]?.bytes ?? 0);
  return { units: 0, inputs: whole(inputs), outputs: whole(outputs), updates: whole(updates) };
}
