/**
 * Checks a plan without trusting it: first where everything lies, then a replay of the program over addresses that asks, at every read,
 * whether the bytes there are still the value's own. Written independently of lifetimes and placement; knows values and times, no operator.
 */
import { Head } from '../../assembly/abi/head.ts';
import { ABSENT, type Graph, type Node, nodesOf, type Role } from '../graph/graph.ts';
import { PAGE, type Plan, type Range } from './memory.ts';

/** The bytes [from, to) of the arena and what lies there. */
interface Extent {
  name: string;
  from: number;
  to: number;
}
interface Owner extends Extent {
  id: number;
}

function fault(text: string): never {
  throw new Error(`plan: ${text}`);
}

const overlap = (a: Extent, b: Extent): boolean => a.from < b.to && b.from < a.to;
const inside = (a: Extent, b: Extent): boolean => a.from >= b.from && a.to <= b.to;
const extentOf = (name: string, { offset, bytes }: Range, times = 1): Extent => ({ name, from: offset, to: offset + bytes * times });

/** Throws where two of them share a byte. */
function disjoint(extents: readonly Extent[]): void {
  const sorted = extents.filter((e) => e.to > e.from).sort((a, b) => a.from - b.from);
  sorted.forEach((e, i) => {
    const next = sorted[i + 1];
    if (next && overlap(e, next)) fault(`${e.name} and ${next.name} share bytes from ${next.from} on`);
  });
}

/** Throws on the first value that lies where it may not, that is read after another has overwritten it, or that two threads touch unordered. */
export function verifyPlan(graph: Graph, plan: Plan): void {
  checkRegions(plan);
  const owners = checkValues(graph, plan);
  replay(graph, plan, owners);
  verifyBarriers(graph, plan);
}

/** Regions: whole bytes of the arena, past the head, apart from each other. */
function checkRegions(plan: Plan): void {
  const { linearBytes, maxThreads, scratch, parts } = plan;
  if (!(linearBytes > 0) || linearBytes % PAGE !== 0) fault(`${linearBytes} bytes are not whole pages`);
  const arena: Extent = { name: 'arena', from: Head.Bytes, to: linearBytes };
  const regions = (['program', 'frozen', 'region', 'batch', 'temporaries'] as const).map((name) => extentOf(name, plan[name]));
  regions.push(extentOf('scratch', scratch, maxThreads));
  for (const e of [...regions, extentOf('scratch of a thread', scratch)]) {
    if (!Number.isInteger(e.from / 16) || !(e.to >= e.from)) fault(`${e.name} is no aligned range`);
    if (!inside(e, arena)) fault(`${e.name} ends outside the arena`);
  }
  disjoint(regions);
  const sum = Object.values(parts).reduce((a, b) => a + b, 0);
  if (sum !== linearBytes) fault(`the parts sum to ${sum}, not to ${linearBytes}`);
  for (const [part, bytes] of Object.entries(parts)) if (!(bytes >= 0)) fault(`${part} is ${bytes} bytes`);
}

/** Which region a value has to lie in. */
const HOME: Record<Role, 'program' | 'frozen' | 'region' | 'batch' | 'temporaries'> = {
  table: 'program',
  frozen: 'frozen',
  state: 'region',
  param: 'region',
  grad: 'region',
  moment: 'region',
  batch: 'batch',
  temp: 'temporaries',
};

/** Values: each that a node touches has an aligned place in its region, residents apart from each other. Returns what is loaded as temporaries. */
function checkValues(graph: Graph, plan: Plan): Owner[] {
  const touched = new Set(nodesOf(graph).flatMap((n) => [...n.inputs, ...n.updates, ...n.outputs]));
  const placed = graph.values.filter((value) => touched.has(value.id) || plan.offsets[value.id] !== -1);
  for (const { id, name, bytes, role, view } of graph.values) {
    if (!view || !touched.has(id)) continue;
    const root = graph.values[view.of]!;
    if (root.view || root.role !== role || !(view.offset >= 0) || view.offset + bytes > root.bytes)
      fault(`${name} is no part of ${root.name}`);
    if (plan.offsets[id] !== plan.offsets[view.of]! + view.offset) fault(`${name} is not where its part of ${root.name} is`);
    if (plan.offsets[view.of] === -1) fault(`${root.name} has no place, but a part of it has`);
  }
  const extents = placed.map((value): Owner => {
    const e = { ...extentOf(value.name, { offset: plan.offsets[value.id]!, bytes: value.bytes }), id: value.id };
    if (!Number.isInteger(e.from / 16)) fault(`${value.name} is not aligned, or has no place: ${e.from}`);
    if (!inside(e, extentOf('', plan[HOME[value.role]]))) fault(`${value.name} lies outside the ${HOME[value.role]}`);
    return e;
  });
  const code = extentOf('code', plan.code);
  if (plan.code.offset !== plan.program.offset || !inside(code, extentOf('', plan.program))) fault('the code lies outside the program');
  disjoint([code, ...extents.filter((e) => graph.values[e.id]!.role !== 'temp' && !graph.values[e.id]!.view)]);
  const loaded = extents.filter((e) => graph.values[e.id]!.role === 'temp' && graph.values[e.id]!.source && !graph.values[e.id]!.stored);
  disjoint(loaded);
  return loaded;
}

/** Follows the nodes and keeps, for every byte of the temporaries that means something, whose it is: the value's own, or of a view its root's. */
function replay(graph: Graph, plan: Plan, loaded: Owner[]): void {
  const extent = (id: number): Owner => {
    const { name, bytes, view } = graph.values[id]!;
    return { ...extentOf(name, { offset: plan.offsets[id]!, bytes }), id: view?.of ?? id };
  };
  const isTemp = (id: number): boolean => graph.values[id]!.role === 'temp';
  let owned = [...loaded].sort((a, b) => a.from - b.from);
  let phase = '';
  for (const node of nodesOf(graph)) {
    // Nothing but residents outlives a phase; what is loaded is there for the first.
    if (node.phase !== phase && phase !== '') owned = [];
    phase = node.phase;
    if (!(node.scratchBytes <= plan.scratch.bytes))
      fault(`${node.name} needs ${node.scratchBytes} bytes of scratch, the plan has ${plan.scratch.bytes}`);
    const operands = [...node.inputs, ...node.updates].filter((id) => id !== ABSENT);
    for (const id of operands)
      if (isTemp(id) && !holds(owned, extent(id)))
        fault(`${node.name} reads ${graph.values[id]!.name}, whose bytes are not its own any more`);
    if (node.isView) {
      checkView(graph, node);
      continue;
    }
    const outputs = node.outputs.map(extent);
    disjoint(outputs);
    outputs.forEach((y, o) => {
      for (const id of operands)
        if (overlap(extent(id), y) && !mayReplace(node, operands, id, o, extent(id).from === y.from))
          fault(`${node.name} writes ${y.name} over its own operand ${extent(id).name}`);
    });
    for (const [o, y] of outputs.entries()) take(owned, y, isTemp(node.outputs[o]!));
  }
}

/** A view moves nothing: what it makes are bytes of what it reads, whose owner stays. */
function checkView(graph: Graph, { name, inputs, outputs, updates }: Node): void {
  const [x, y] = [graph.values[inputs[0]!]!, graph.values[outputs[0]!]!];
  const [from, to] = [x.view?.offset ?? 0, y.view?.offset ?? 0];
  const isPart = y.view !== undefined && y.view.of === (x.view?.of ?? x.id) && to >= from && to + y.bytes <= from + x.bytes;
  if (!isPart || inputs.length !== 1 || outputs.length !== 1 || updates.length > 0) fault(`${name} is no view of its operand`);
}

/** Position in the sorted, disjoint list of the first one that ends past `at`. */
function firstPast(owned: readonly Owner[], at: number): number {
  let [low, high] = [0, owned.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (owned[middle]!.to > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whether every byte is the value's. */
function holds(owned: readonly Owner[], { id, from, to }: Owner): boolean {
  let at = from;
  for (let i = firstPast(owned, from); at < to; i++) {
    const o = owned[i];
    if (o === undefined || o.id !== id || o.from > at) return false;
    at = o.to;
  }
  return true;
}

/** The bytes change hands, for good where `keeps` is false. What is written in parts is written once in each. */
function take(owned: Owner[], y: Owner, keeps: boolean): void {
  const first = firstPast(owned, y.from);
  let end = first;
  const left: Owner[] = [];
  for (; end < owned.length && owned[end]!.from < y.to; end++) {
    const o = owned[end]!;
    if (o.id === y.id) fault(`${y.name} is written over a part of itself`);
    if (o.from < y.from) left.push({ ...o, to: y.from });
  }
  if (keeps) left.push(y);
  const over = owned[end - 1];
  if (end > first && over!.to > y.to) left.push({ ...over!, from: y.to });
  owned.splice(first, end - first, ...left);
}

/** An operand may be overwritten where the kernel allows it, exactly on top of it, and if it is no other operand too. */
function mayReplace(node: Node, operands: readonly number[], id: number, output: number, onTop: boolean): boolean {
  const allowed = node.inPlace.some(([i, o]) => o === output && node.inputs[i] === id);
  return allowed && onTop && operands.filter((other) => other === id).length === 1;
}

/** An operand as threads share it. */
interface Shared extends Extent {
  node: string;
  writes: boolean;
  units: number;
  /** Bytes of a unit; 0: any thread touches any of it. */
  unit: number;
}

/**
 * Between two barriers threads may be at any node: there no byte that one thread writes at one node may be touched by another thread at
 * another, whatever the number of threads.
 */
export function verifyBarriers(graph: Graph, plan: Plan): void {
  const nodes = nodesOf(graph);
  if (plan.barriers.length !== nodes.length) fault(`${plan.barriers.length} barriers for ${nodes.length} nodes`);
  let phase = '';
  let together: Shared[] = [];
  nodes.forEach((node, time) => {
    if (node.isView && plan.barriers[time]) fault(`${node.name} is a view, at which no thread can wait`);
    if (node.phase !== phase || plan.barriers[time]) together = [];
    phase = node.phase;
    const operands = sharedOperands(graph, plan, node);
    for (const a of together)
      for (const b of operands)
        if ((a.writes || b.writes) && overlap(a, b) && !sameThread(a, b))
          fault(`no barrier between ${a.node} and ${node.name}: two threads touch ${b.name}`);
    for (const one of operands) together.push(one);
  });
}

function sharedOperands(graph: Graph, plan: Plan, node: Node): Shared[] {
  if (node.isView) return [];
  const units = node.split?.units ?? 0;
  const list: Shared[] = [];
  for (const kind of ['inputs', 'outputs', 'updates'] as const)
    node[kind].forEach((id, i) => {
      if (id === ABSENT) return;
      const { name, bytes } = graph.values[id]!;
      const from = plan.offsets[id]!;
      list.push({ name, from, to: from + bytes, node: node.name, writes: kind !== 'inputs', units, unit: node.split?.[kind]?.[i] ?? 0 });
    });
  return list;
}

/** Whether what a thread touches in `a` no other touches in `b`: both are one thread's, or cut at the same bytes by the same count. */
function sameThread(a: Shared, b: Shared): boolean {
  const isCut = a.unit > 0 && b.unit > 0 && a.units === b.units;
  return isCut && (a.units < 2 || (a.from === b.from && a.unit === b.unit));
}
