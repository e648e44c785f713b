/**
 * From the file's nodes to steps: every node in order, with what is known folded, reshapes and transposes as views, and each operator by its
 * rule (rules/*.ts). What no rule knows is named with its node.
 */

import { InputError, shown } from '../../base/error.ts';
import { type Call, called, callOf } from './call.ts';
import { type Constant, reshaped, storedConstant } from './constant.ts';
import { FOLDS } from './fold.ts';
import { inputLayout } from './layout.ts';
import type { OnnxFile, OnnxNode, Port } from './model.ts';
import { nameOf } from './names.ts';
import type { Param, Step } from './steps.ts';
import { channelsFirst, plainView, type View } from './view.ts';

export type Operand = Constant | View;
export type Rule = (call: Call<Operand>, l: Lowering) => Operand[];

/** What each operator becomes, and what a value in another order is, where that is known. */
export interface Rules {
  byOperator: Readonly<Record<string, Rule>>;
  windows(l: Lowering, value: number, axes: readonly number[], order: readonly number[]): number | undefined;
}

/** Largest axis: beyond it a shape is a mistake or an attack. */
const LONGEST_AXIS = 1 << 24;

export interface NewStep {
  op: string;
  inputs: readonly number[];
  shape: readonly number[];
  a?: Readonly<Record<string, number>>;
  params?: Readonly<Record<string, Param>>;
  views?: readonly View[];
  pointwise?: ReadonlyMap<number, (x: number) => number>;
  constant?: Constant;
  wants?: readonly (readonly number[])[];
  /** Of another layer than the node's own. */
  name?: string;
}

export class Lowering {
  readonly steps: Step[] = [];
  readonly values = new Map<string, Operand>();
  readonly file: OnnxFile;
  /** Does the file hold numbers of 16 bits? Those of its functions may be rounded too. */
  readonly isHalf: boolean;
  private node: OnnxNode | undefined;
  private readonly names = new Map<string, number>();
  private readonly known = new Map<string, number>();
  private readonly transposed = new Map<string, number>();
  /** Values that more than one node reads: what follows one of them must not be taken into the layer that makes it. */
  readonly shared = new Set<number>();

  private readonly rules: Rules;

  constructor(file: OnnxFile, rules: Rules) {
    this.file = file;
    this.rules = rules;
    this.isHalf = [...file.initializers.values()].some(({ element }) => element === 10 || element === 16);
  }

  /** Appends a step and returns its value; where the same was computed before, that one. */
  emit({ op, inputs, shape, a = {}, params = {}, name, ...more }: NewStep): number {
    const isPlain = Object.keys(params).length === 0 && more.constant === undefined && more.views === undefined;
    const key = isPlain ? JSON.stringify([op, inputs, shape, a]) : undefined;
    const before = key === undefined ? undefined : this.known.get(key);
    if (before !== undefined) return before;
    const { node } = this;
    const scope = node === undefined ? '' : nameOf(node);
    const id =
      this.steps.push({
        op,
        name: name ?? (scope === '' ? op : scope),
        node: node ? called(node) : '',
        scope,
        inputs,
        shape,
        a,
        params,
        ...more,
      }) - 1;
    if (key !== undefined) this.known.set(key, id);
    return id;
  }

  /** A name for the layer that the current node is, which no other has. */
  layer(wanted?: string): string {
    const name = wanted ?? (this.node ? nameOf(this.node) : 'input');
    const n = this.names.get(name) ?? 0;
    this.names.set(name, n + 1);
    return n === 0 ? name : `${name}:${n}`;
  }

  /** The value of a view with its axes in this order: itself, or a copy. */
  ordered(view: View, order: readonly number[]): number {
    if (order.every((axis, i) => axis === i)) return view.value;
    const key = JSON.stringify([view.value, view.axes, order]);
    const known = this.transposed.get(key);
    if (known !== undefined) return known;
    const shape = groupedShape(view, order);
    const windows = this.rules.windows(this, view.value, view.axes, order);
    if (windows !== undefined) {
      this.transposed.set(key, windows);
      return windows;
    }
    const id = this.emit({
      op: 'transpose',
      inputs: [view.value],
      shape,
      a: Object.fromEntries(order.map((axis, i) => [`axis${i}`, axis])),
      views: [view],
    });
    this.transposed.set(key, id);
    return id;
  }

  /** Reads the graph until `last`, or all of it. */
  run(picture: { port: Port; size: readonly [number, number] }): void {
    const { file } = this;
    this.begin(picture);
    const reads = readersOf(file);
    for (const node of file.nodes) {
      this.node = node;
      if (node.outputs.every((name) => name === '')) continue;
      const outputs = this.apply(node);
      node.outputs.forEach((name, i) => {
        const value = outputs[i];
        if (name === '' || value === undefined) return;
        if (this.values.has(name)) throw new InputError({ where: file.path, what: `${shown(name)} is made twice` });
        this.values.set(name, value);
        if (value.kind === 'view' && reads(name) > 1) this.shared.add(value.value);
      });
    }
    this.node = undefined;
  }

  private begin({ port, size: [h, w] }: { port: Port; size: readonly [number, number] }): void {
    const { channels, isFirst } = inputLayout(port.shape)!;
    const id = this.emit({ op: 'picture', inputs: [], shape: [h, w, channels], name: 'picture' });
    const plain = plainView(id, [1, h, w, channels]);
    this.values.set(port.name, isFirst ? channelsFirst(id, [h, w, channels]) : plain);
  }

  private find(name: string): Operand | undefined {
    const value = this.values.get(name);
    if (value) return value;
    const tensor = this.file.initializers.get(name);
    return tensor && storedConstant(this.file, tensor);
  }

  private apply(node: OnnxNode): Operand[] {
    const { file } = this;
    const call = callOf<Operand>(
      file.path,
      node,
      file.opset,
      (name) => this.find(name),
      (value) => (value.kind === 'constant' ? value : undefined),
      (n, name) => {
        const tensor = n.attributes.get(name)?.tensor;
        return tensor && storedConstant(file, tensor);
      },
    );
    for (const [name, { isGraph }] of node.attributes)
      if (isGraph) throw call.fault(`has a graph of its own (${shown(name)}): branches and loops are not supported`);
    if (node.domain !== '') throw call.fault('is an operator of another domain, which is not supported', shown(node.domain));
    if (node.op === 'Constant') return [constantNode(call)];
    const isKnown = node.inputs.every((name, i) => name === '' || call.at(i).kind === 'constant');
    const fold = FOLDS[node.op];
    if (isKnown && fold) return checked(fold(call as Call<Constant>), call);
    if (isKnown && this.rules.byOperator[node.op] === undefined) throw call.fault('is not supported');
    const rule = this.rules.byOperator[node.op];
    if (rule === undefined) throw call.fault('is not supported');
    return checked(rule(call, this), call);
  }
}

/** Operators whose output is the same value in another form, or says nothing of its numbers. */
const FORMS: ReadonlySet<string> = new Set([
  'Identity',
  'Dropout',
  'Cast',
  'Reshape',
  'Transpose',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
  'Expand',
]);

/** How many nodes compute with a value, whatever forms it takes on the way; an output of the file reads it too. */
function readersOf({ nodes, outputs }: OnnxFile): (name: string) => number {
  const counts = new Map<string, number>();
  const add = (name: string, n: number): unknown => counts.set(name, (counts.get(name) ?? 0) + n);
  for (const { name } of outputs) add(name, 1);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const { op, inputs, outputs: made } = nodes[i]!;
    if (op === 'Shape') continue;
    const isForm = FORMS.has(op);
    for (const [k, name] of inputs.entries()) add(name, isForm ? (k === 0 ? (counts.get(made[0]!) ?? 0) : 0) : 1);
  }
  return (name) => counts.get(name) ?? 0;
}

/** The shape of a copy: axes that stay neighbours within an axis of the file are one. */
function groupedShape({ axes, dims }: View, order: readonly number[]): number[] {
  const after = new Map(dims.flatMap((dim) => dim.slice(1).map((axis, i) => [axis, dim[i]!] as const)));
  const shape: number[] = [];
  order.forEach((axis, i) => {
    if (i > 0 && after.get(axis) === order[i - 1]) shape[shape.length - 1]! *= axes[axis]!;
    else shape.push(axes[axis]!);
  });
  return shape;
}

function checked<T extends Operand>(values: T[], call: Call<Operand>): T[] {
  for (const value of values)
    if (value.kind === 'constant' && value.shape.some((d) => !(Number.isInteger(d) && d >= 0 && d <= LONGEST_AXIS)))
      throw call.fault('makes an impossible shape', `[${value.shape}]`);
  return values;
}

function constantNode(call: Call<Operand>): Constant {
  const tensor = call.tensor('value');
  if (tensor) return tensor;
  const { attributes } = call.node;
  const list = (values: readonly number[], shape: readonly number[], integer: boolean): Constant =>
    reshaped({ kind: 'constant', shape: [values.length], integer, numbers: () => Float64Array.from(values) }, shape);
  for (const [name, integer] of [
    ['value_int', true],
    ['value_float', false],
  ] as const) {
    const a = attributes.get(name);
    if (a) return list([(integer ? a.i : a.f) ?? 0], [], integer);
  }
  for (const [name, integer] of [
    ['value_ints', true],
    ['value_floats', false],
  ] as const) {
    const a = attributes.get(name);
    const values = a && ((integer ? a.ints : a.floats) ?? []);
    if (values) return list(values, [values.length], integer);
  }
  throw call.fault('is a constant of a kind that is not supported');
}
