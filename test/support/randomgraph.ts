/** Random graphs, and a simulation of a plan byte by byte that says whether anything goes wrong: written without the planner or the verifier. */
import { Head } from '../../assembly/abi/head.ts';
import {
  ABSENT,
  addValue,
  createGraph,
  type Graph,
  type Node,
  nodesOf,
  PHASES,
  type Phase,
  type Role,
  rangeOf,
  rootOf,
  u8,
} from '../../src/graph/graph.ts';
import type { Plan } from '../../src/plan/memory.ts';

export type Random = (below: number) => number;

/** Whole numbers below a limit, from a seed (mulberry32). */
export function random(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

const OPERANDS: Record<Phase, readonly Role[]> = {
  init: ['frozen', 'param'],
  train: ['frozen', 'param', 'batch', 'table', 'state'],
  update: ['state', 'grad'],
  eval: ['frozen', 'param', 'batch', 'table'],
  rates: ['state', 'grad'],
};
const UPDATED: Record<Phase, readonly Role[]> = {
  init: ['frozen', 'param'],
  train: ['grad', 'state'],
  update: ['param', 'grad', 'moment', 'state'],
  eval: ['state', 'grad', 'moment'],
  rates: ['grad', 'moment'],
};

/** A graph of all phases whose nodes read earlier values and may or may not work in place. */
export function randomGraph(next: Random): Graph {
  const graph = createGraph();
  const size = (): number => 1 + next(next(4) === 0 ? 600 : 100);
  const many = (n: number, role: Role, more = {}): number[] =>
    Array.from({ length: n }, (_, i) => addValue(graph, `${role}${i}`, u8(size()), role, more));
  const residents: Partial<Record<Role, number[]>> = {};
  for (const role of ['state', 'param', 'grad', 'moment', 'frozen', 'batch', 'table'] as const) residents[role] = many(1 + next(3), role);
  const source = { tensor: 't', shape: [1], start: 0, dims: [1, 1, 1], strides: [0, 0, 1] } as const;
  const loaded = many(next(4), 'temp', { source });
  const resident = (roles: readonly Role[]): number => {
    const all = roles.flatMap((role) => residents[role]!);
    return all[next(all.length)]!;
  };

  for (const phase of PHASES) {
    const made: number[] = phase === 'init' ? [...loaded] : [];
    const count = phase === 'train' ? 2 + next(20) : next(8);
    for (let i = 0; i < count; i++) {
      const operand = (): number => {
        if (next(8) === 0) return ABSENT;
        if (made.length === 0 || next(4) === 0) return resident(OPERANDS[phase]);
        // Mostly what was made last: chains, with long-lived values between.
        return made[next(3) === 0 ? next(made.length) : made.length - 1 - next(Math.min(3, made.length))]!;
      };
      const inputs = Array.from({ length: next(4) }, operand);
      const same = inputs.find((id) => id !== ABSENT);
      const outputs = Array.from({ length: next(4) }, (_, o) => {
        const bytes = same !== undefined && next(2) === 0 ? graph.values[same]!.bytes : size();
        return addValue(graph, `${phase}${i}:${o}`, u8(bytes), next(12) === 0 ? 'batch' : 'temp');
      });
      const pairs = inputs.flatMap((_, a) => outputs.map((_, o) => [a, o] as const));
      const node: Node = {
        op: 'Any',
        name: `${phase}${i}`,
        phase,
        inputs,
        outputs,
        updates: Array.from({ length: next(3) }, () => resident(UPDATED[phase])),
        attributes: {},
        inPlace: pairs.filter(() => next(3) === 0),
        scratchBytes: next(3) * 40,
        block: -1,
        isBackward: phase === 'train' && 2 * i > count,
      };
      graph.phases[phase].push(node);
      made.push(...outputs.filter((id) => graph.values[id]!.role === 'temp'));
    }
    graph.phases[phase] = withViews(graph, inParts(graph, graph.phases[phase], next), next);
  }
  return graph;
}

/** The same nodes, some of whose outputs are written in two parts, by the node and by another after it; later nodes read a part or the whole. */
function inParts(graph: Graph, nodes: readonly Node[], next: Random): Node[] {
  const result: Node[] = [];
  const parts = new Map<number, [number, number]>();
  const some = (id: number): number => (parts.has(id) && next(2) === 0 ? parts.get(id)![next(2)]! : id);
  for (const node of nodes) {
    result.push(node);
    node.inputs = node.inputs.map(some);
    for (const [o, id] of node.outputs.entries()) {
      const { name, bytes, role } = graph.values[id]!;
      if (role !== 'temp' || bytes < 48 || next(3) > 0) continue;
      const at = 16 * (1 + next(bytes / 16 - 2));
      const part = (offset: number, size: number) => addValue(graph, `${name}/${offset}`, u8(size), 'temp', { view: { of: id, offset } });
      const both: [number, number] = [part(0, at), part(at, bytes - at)];
      parts.set(id, both);
      node.outputs[o] = both[0];
      result.push({ ...node, name: `${node.name}/${o}`, inputs: [...node.inputs], outputs: [both[1]], updates: [] });
      result.at(-1)!.inPlace = node.inputs.flatMap((_, i) => (next(3) === 0 ? [[i, 0] as const] : []));
    }
  }
  return result;
}

/** The same nodes, some of which read a view of an operand, of all of it or a part, that a node before them makes. */
function withViews(graph: Graph, nodes: readonly Node[], next: Random): Node[] {
  const result: Node[] = [];
  for (const node of nodes) {
    node.inputs = node.inputs.map((id, i) => {
      if (id === ABSENT || graph.values[id]!.role !== 'temp' || graph.values[id]!.source || next(4) > 0) return id;
      const { name, bytes } = graph.values[id]!;
      const from = 16 * next(Math.ceil(bytes / 16));
      const size = 1 + next(bytes - from);
      const view = { of: rootOf(graph, id), offset: rangeOf(graph, id).from + from };
      const made = addValue(graph, `${name}~${node.name}${i}`, u8(next(2) === 0 ? size : bytes - from), 'temp', { view });
      result.push({
        ...{ op: 'Any', name: `${name}~`, phase: node.phase, inputs: [id], outputs: [made], updates: [], attributes: {} },
        ...{ inPlace: [], scratchBytes: 0, block: -1, isBackward: node.isBackward, isView: true as const },
      });
      return made;
    });
    result.push(node);
  }
  return result;
}

const memory = new Int32Array(1 << 20);

/** What goes wrong when the graph runs by this plan, each byte of the arena marked with what was written there last; undefined: nothing. */
export function hazard(graph: Graph, plan: Plan, codeBytes: number): string | undefined {
  try {
    simulate(graph, plan, codeBytes);
  } catch (error) {
    if (error instanceof Hazard) return error.message;
    throw error;
  }
  return undefined;
}

class Hazard extends Error {}

function simulate(graph: Graph, plan: Plan, codeBytes: number): void {
  const CODE = -1;
  const SCRATCH = -2;
  const marks = memory.subarray(0, plan.linearBytes).fill(0);
  const nodes = nodesOf(graph);
  const operands = (node: Node): number[] => [...node.inputs, ...node.updates].filter((id) => id !== ABSENT);
  const used = new Set(nodes.flatMap((n) => [...operands(n), ...n.outputs]));
  const values = graph.values.map(({ name, bytes, role }, id) => ({
    name,
    bytes,
    role,
    at: plan.offsets[id]!,
    mark: rootOf(graph, id) + 1,
  }));
  const placed = (id: number) => values[id]!;
  const note = (text: string): never => {
    throw new Hazard(text);
  };
  const write = (mark: number, at: number, bytes: number, what: string): void => {
    if (!(at >= Head.Bytes) || at + bytes > marks.length) note(`${what} is written outside the arena`);
    else marks.fill(mark, at, at + bytes);
  };
  const holds = (mark: number, at: number, bytes: number): boolean => {
    for (let i = at; i < at + bytes; i++) if (marks[i] !== mark) return false;
    return true;
  };
  const check = (id: number, when: string): void => {
    const { name, at, bytes, mark } = placed(id);
    if (!holds(mark, at, bytes)) note(`${when}: ${name} is not what was written`);
  };
  const put = (id: number): void => write(placed(id).mark, placed(id).at, placed(id).bytes, placed(id).name);

  write(CODE, plan.program.offset, codeBytes, 'code');
  const resident = [...used].filter((id) => graph.values[id]!.role !== 'temp');
  resident.forEach(put);
  const loaded = [...used].filter((id) => graph.values[id]!.role === 'temp' && graph.values[id]!.source);
  loaded.forEach(put);
  for (const id of resident) {
    // What a checkpoint has to hold, and what travels with the code.
    const { role, at, bytes, name } = placed(id);
    const home = role === 'table' ? plan.program : ['state', 'param', 'grad', 'moment'].includes(role) ? plan.region : undefined;
    if (home && !(at >= home.offset && at + bytes <= home.offset + home.bytes)) note(`${name} is not in its region`);
  }

  for (const phase of PHASES) {
    for (const node of graph.phases[phase]) {
      if (!holds(CODE, plan.program.offset, codeBytes)) note(`${node.name}: the code is overwritten`);
      const scratch = (): void => {
        for (let t = 0; t < plan.maxThreads; t++)
          write(SCRATCH - t, plan.scratch.offset + t * plan.scratch.bytes, node.scratchBytes, `${node.name}: scratch`);
        for (let t = 0; t < plan.maxThreads; t++)
          if (!holds(SCRATCH - t, plan.scratch.offset + t * plan.scratch.bytes, node.scratchBytes))
            note(`${node.name}: two threads share scratch`);
      };
      scratch();
      const all = operands(node);
      for (const id of all) check(id, node.name);
      if (node.isView) {
        for (const id of node.outputs) check(id, node.name);
        continue;
      }
      for (const [o, id] of node.outputs.entries()) {
        const y = placed(id);
        for (const other of all) {
          const x = placed(other);
          if (x.at + x.bytes <= y.at || y.at + y.bytes <= x.at) continue;
          const once = all.filter((v) => v === other).length === 1;
          const allowed = node.inPlace.some(([a, b]) => b === o && node.inputs[a] === other);
          if (!once || !allowed || x.at !== y.at) note(`${node.name} writes ${y.name} while it reads ${x.name}`);
        }
      }
      node.outputs.forEach(put);
      scratch();
      for (const id of node.outputs) check(id, node.name);
    }
    // Between phases the host reads, and every phase may run again.
    for (const id of resident) check(id, `after ${phase}`);
    if (!holds(CODE, plan.program.offset, codeBytes)) note(`after ${phase}: the code is overwritten`);
  }
}
