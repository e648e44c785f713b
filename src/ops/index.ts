/** Every operator by name, and the one function that appends a node. */
import {
  ABSENT,
  type Attributes,
  addValue,
  byteLength,
  type Graph,
  type Lists,
  type Node,
  nodesOf,
  type Phase,
  rangeOf,
  rootOf,
  typeOf,
  type Value,
  valueAt,
} from '../graph/graph.ts';
import { affine } from './affine.ts';
import { attention } from './attention.ts';
import { averagePool } from './averagepool.ts';
import { cosine } from './cosine.ts';
import { crossAttention } from './crossattention.ts';
import type { Mixed, OpDef } from './def.ts';
import { dense } from './dense.ts';
import { distance } from './distance.ts';
import { distort } from './distort.ts';
import { drop } from './drop.ts';
import { elementwise } from './elementwise.ts';
import { gate } from './gate.ts';
import { groupConv } from './groupconv.ts';
import { groupNorm } from './groupnorm.ts';
import { init } from './init.ts';
import { join } from './join.ts';
import { losses } from './losses.ts';
import { mix } from './mix.ts';
import { module } from './module.ts';
import { norm } from './norm.ts';
import { pixels } from './pixels.ts';
import { product } from './product.ts';
import { quantize } from './quantize.ts';
import { rate } from './rate.ts';
import { rearrange } from './rearrange.ts';
import { resize } from './resize.ts';
import { response } from './response.ts';
import { rmsNorm } from './rmsnorm.ts';
import { rotary } from './rotary.ts';
import { spatial } from './spatial.ts';
import { stored } from './stored.ts';
import { tokens } from './tokens.ts';
import { update } from './update.ts';
import { window } from './window.ts';

export const OPS: Readonly<Record<string, OpDef>> = {
  ...dense,
  ...spatial,
  ...elementwise,
  ...norm,
  ...attention,
  ...tokens,
  ...pixels,
  ...update,
  ...init,
  ...module,
  ...quantize,
  ...window,
  ...distance,
  ...distort,
  ...mix,
  ...gate,
  ...drop,
  ...groupNorm,
  ...rate,
  ...losses,
  ...affine,
  ...groupConv,
  ...averagePool,
  ...join,
  ...product,
  ...rearrange,
  ...rmsNorm,
  ...response,
  ...crossAttention,
  ...cosine,
  ...resize,
  ...rotary,
  ...stored,
};

export function definition(op: string): OpDef {
  const def = OPS[op];
  if (def === undefined) throw new RangeError(`ops: no definition of ${op}`);
  return def;
}

export interface Emit {
  phase: Phase;
  isBackward?: boolean;
  updates?: number[];
  block?: number;
  isLoss?: boolean;
}

/** Appends a node, with values for its outputs; returns the node. Absent operands are ABSENT. */
export function emit(graph: Graph, op: string, name: string, inputs: number[], given: Attributes | Mixed, how: Emit): Node {
  const def = definition(op);
  const { attributes, lists } = sorted(op, given);
  const types = typesOf(graph, inputs);
  // From the end: a piece of rows has two axes, whatever the whole has.
  if (attributes.axis !== undefined && attributes.axis >= 0) attributes.axis -= types[0]!.shape.length;
  types.forEach((type, i) => {
    if (type?.encoding && i !== def.coded) throw new RangeError(`${op}: operand ${i} of ${name} may not be coded`);
  });
  const inferred = def.infer(types, attributes, lists);
  const view = viewOf(graph, inputs[0], def.view?.(types, attributes));
  const outputs = inferred.map((type, i) => addValue(graph, i === 0 ? name : `${name}:${i}`, type, 'temp', view));
  const node: Node = {
    op,
    name,
    phase: how.phase,
    block: how.block ?? -1,
    inputs,
    outputs,
    updates: how.updates ?? [],
    attributes,
    ...(def.lists ? { lists } : {}),
    ...(view.view ? { isView: true as const } : {}),
    inPlace: def.inPlace ?? [],
    scratchBytes: def.scratch?.(types, attributes) ?? 0,
    isBackward: how.isBackward ?? false,
    ...(how.isLoss ? { isLoss: true as const } : {}),
  };
  graph.phases[how.phase].push(node);
  return node;
}

/** The view of a value from byte `from` of it on: only of what is a temporary itself, from an aligned byte on. */
function viewOf(graph: Graph, x: number | undefined, from: number | undefined): Partial<Pick<Value, 'view'>> {
  if (x === undefined || x === ABSENT || from === undefined || valueAt(graph, x).role !== 'temp') return {};
  const offset = rangeOf(graph, x).from + from;
  return offset % 16 === 0 ? { view: { of: rootOf(graph, x), offset } } : {};
}

/** Attributes by kind. Throws where a list is not one that the operator takes, or no list of so many integers. */
function sorted(op: string, given: Attributes | Mixed): { attributes: Attributes; lists: Lists } {
  const attributes: Attributes = {};
  const lists: Record<string, readonly number[]> = {};
  const { lists: taken = {} } = definition(op);
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'number') {
      if (taken[name] !== undefined) throw new RangeError(`${op}: ${name} is ${value}, expected a list`);
      attributes[name] = value;
      continue;
    }
    const most = taken[name];
    if (most === undefined) throw new RangeError(`${op}: takes no list ${name}`);
    if (value.length > most || !value.every(Number.isSafeInteger))
      throw new RangeError(`${op}: ${name} is [${value}], expected at most ${most} integers`);
    lists[name] = [...value];
  }
  for (const name of Object.keys(taken)) if (lists[name] === undefined) throw new RangeError(`${op}: no list ${name}`);
  return { attributes, lists };
}

/** Notes at every node how threads share it; once the graph is whole, and what is kept is chosen. */
export function shareOut(graph: Graph): void {
  for (const node of nodesOf(graph)) {
    const split = definition(node.op).split?.(node, graph);
    if (split) node.split = split;
  }
}

/** Scratch bytes a thread of a node as it stands. */
export const scratchOf = (graph: Graph, { op, inputs, attributes }: Node): number =>
  definition(op).scratch?.(typesOf(graph, inputs), attributes) ?? 0;

const typesOf = (graph: Graph, inputs: readonly number[]) => inputs.map((id) => (id === ABSENT ? undefined : typeOf(graph, id)));

/** Adds kept outputs to a forward node that was appended before the policy was known. */
export function keepOutputs(
  graph: Graph,
  node: Node,
  types: readonly { dtype: 'f32' | 'i32' | 'u32' | 'u8'; shape: readonly number[] }[],
): void {
  types.forEach((type, i) => {
    const id = addValue(graph, `${node.name}.kept${i}`, type, 'temp');
    graph.values[id]!.bytes = byteLength(type);
    node.outputs.push(id);
  });
}
