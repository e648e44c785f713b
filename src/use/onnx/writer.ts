/**
 * The graph as it is being written. Values of ours lie channels last; ONNX convolves and pools maps with channels first. So a map has up to two
 * names, one for each order, and a transpose is written where a rule asks for the other one: convolutions that follow each other have none between.
 */
import { InputError } from '../../base/error.ts';
import { ABSENT, type Graph, type Node, shapeOf, valueAt } from '../../graph/graph.ts';
import type { Constant, Element, OnnxAttributes, OnnxNode } from './file.ts';

/** Channels last, as our values lie, or first. */
export type Order = 'last' | 'first';

/** Numbers of a value that does not depend on the picture; coded weights also as what they are made of. */
export interface Known {
  /** Row-major, in the value's shape. */
  floats(): Float32Array;
  /** A code for each number and a scale for each of the first axis' rows, where it is kept so. */
  int8?(): { codes: Int8Array; scales: Float32Array };
}

const LAST_TO_FIRST = [0, 3, 1, 2];
const FIRST_TO_LAST = [0, 2, 3, 1];

export class Writer {
  readonly nodes: OnnxNode[] = [];
  readonly constants: Constant[] = [];
  readonly graph: Graph;
  private readonly known: (id: number) => Known | undefined;
  private readonly names = new Map<number, Partial<Record<Order, string>>>();
  private readonly taken = new Set<string>();
  private readonly shared = new Map<string, string>();
  /** Where the node that is being written belongs: names of what is made for it begin so. */
  private at = '';

  constructor(graph: Graph, known: (id: number) => Known | undefined) {
    this.graph = graph;
    this.known = known;
  }

  /** What follows belongs to this node of ours. */
  begin(node: Node): void {
    this.at = node.name;
  }

  private unique(name: string): string {
    let own = name;
    for (let i = 1; this.taken.has(own); i++) own = `${name}_${i}`;
    this.taken.add(own);
    return own;
  }

  /** Appends a node of one output; returns that. */
  node(op: string, inputs: readonly string[], attributes: OnnxAttributes = {}, name = `${this.at}/${op}`): string {
    const output = this.unique(name);
    this.nodes.push({ op, name: output, inputs, outputs: [output], attributes });
    return output;
  }

  private add(name: string, element: Element, shape: readonly number[], data: ArrayBufferView): string {
    const own = this.unique(name);
    this.constants.push({ name: own, element, shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });
    return own;
  }

  /** f32 numbers. */
  floats(name: string, shape: readonly number[], values: ArrayLike<number>): string {
    return this.add(`${this.at}.${name}`, 'f32', shape, Float32Array.from(values));
  }

  /** One f32 number; the same one has one name. */
  number(value: number): string {
    return this.once(`number ${value}`, () => this.add(`number_${value}`, 'f32', [], Float32Array.of(value)));
  }

  /** Whole numbers, for shapes and places; the same ones have one name. */
  ints(...values: readonly number[]): string {
    return this.once(`ints ${values}`, () =>
      this.add(`ints_${values.join('_')}`, 'i64', [values.length], BigInt64Array.from(values, BigInt)),
    );
  }

  private once(key: string, make: () => string): string {
    const name = this.shared.get(key) ?? make();
    this.shared.set(key, name);
    return name;
  }

  /** Whether a value is the same for every picture. */
  isKnown(id: number): boolean {
    return id !== ABSENT && this.known(id) !== undefined;
  }

  /** Whether its numbers are kept as codes of 8 bits. */
  isCoded(id: number): boolean {
    return this.known(id)?.int8 !== undefined;
  }

  /** Numbers of a value that is the same for every picture. */
  valuesOf(id: number): Float32Array {
    return this.known(id)!.floats();
  }

  /**
   * A known value under another shape and order of axes: axis i is axis perm[i] of `dims`, then seen as `shape`. `rows`: the axis of `shape` along which
   * the first axis of the value lies; a coded weight is written as codes, and made numbers by a node.
   */
  constant(
    id: number,
    { dims, perm, shape, rows }: { dims: readonly number[]; perm: readonly number[]; shape: readonly number[]; rows: number },
  ): string {
    const { name } = valueAt(this.graph, id);
    return this.once(`constant ${id} ${perm} ${shape}`, () => {
      const known = this.known(id)!;
      const coded = known.int8?.();
      if (coded === undefined) return this.add(name, 'f32', shape, permuted(known.floats(), dims, perm, Float32Array));
      const codes = this.add(`${name}.codes`, 'i8', shape, permuted(coded.codes, dims, perm, Int8Array));
      const scales = this.add(`${name}.scales`, 'f32', [coded.scales.length], coded.scales);
      return this.node('DequantizeLinear', [codes, scales], { axis: rows }, name);
    });
  }

  /** A value whose numbers lie in its own order, maps in `order`. */
  value(id: number, order: Order = 'last'): string {
    const names = this.names.get(id) ?? {};
    const own = names[order];
    if (own !== undefined) return own;
    const shape = shapeOf(this.graph, id);
    if (this.isKnown(id) && order === 'last') {
      const axes = [...shape.keys()];
      return this.constant(id, { dims: shape, perm: axes, shape, rows: 0 });
    }
    const other = names[order === 'last' ? 'first' : 'last'] ?? (this.isKnown(id) ? this.value(id) : undefined);
    if (other === undefined || shape.length !== 4) throw new RangeError(`onnx: ${valueAt(this.graph, id).name} has not been written`);
    const made = this.node('Transpose', [other], { perm: order === 'last' ? FIRST_TO_LAST : LAST_TO_FIRST });
    this.put(id, made, order);
    return made;
  }

  /** Names a value's numbers. */
  put(id: number, name: string, order: Order = 'last'): void {
    this.names.set(id, { ...this.names.get(id), [order]: name });
  }

  /** Whether a map is there channels first. */
  isFirst(id: number): boolean {
    return this.names.get(id)?.first !== undefined;
  }

  /** The order to write an element-wise node in: the one that its first operand is there in. */
  orderOf(id: number): Order {
    return this.isFirst(id) && this.names.get(id)?.last === undefined ? 'first' : 'last';
  }

  /** A reshape; the first axis is left open, for it counts pictures, or parts of them. */
  reshape(x: string, shape: readonly number[]): string {
    return this.node('Reshape', [x, this.ints(-1, ...shape.slice(1))]);
  }

  transpose(x: string, perm: readonly number[]): string {
    return this.node('Transpose', [x], { perm });
  }

  /** Places [from, to) along an axis. */
  slice(x: string, axis: number, from: number, to: number): string {
    return this.node('Slice', [x, this.ints(from), this.ints(to), this.ints(axis)]);
  }

  /** What has no counterpart, by name. */
  refusal(node: Node, what: string): InputError {
    return new InputError({ where: node.name, what: `${what} has no counterpart in an ONNX file`, got: node.op });
  }
}

/** Row-major numbers of shape `dims` with axis i taken from axis perm[i]. */
function permuted<T extends Float32Array | Int8Array>(
  values: T,
  dims: readonly number[],
  perm: readonly number[],
  make: new (n: number) => T,
): T {
  if (perm.every((axis, i) => axis === i)) return values;
  const steps = dims.map((_, i) => dims.slice(i + 1).reduce((n, d) => n * d, 1));
  const out = new make(values.length);
  const index = perm.map(() => 0);
  let from = 0;
  for (let at = 0; at < out.length; at++) {
    out[at] = values[from]!;
    for (let i = perm.length - 1; i >= 0; i--) {
      const step = steps[perm[i]!]!;
      from += step;
      if (++index[i]! < dims[perm[i]!]!) break;
      from -= step * dims[perm[i]!]!;
      index[i] = 0;
    }
  }
  return out;
}
