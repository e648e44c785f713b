/**
 * Runs a graph on the real engine, node by node, and watches every byte: a node may change its outputs, its updates and the scratch that
 * its definition asked for, and nothing else. Whatever no one has written yet is NaN.
 */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { Head } from '../../assembly/abi/head.ts';
import { Instruction } from '../../assembly/abi/ops.ts';
import { ABSENT, type Graph, type Node, nodesOf } from '../../src/graph/graph.ts';
import { checkGraph } from '../../src/graph/wellformed.ts';
import { shareOut } from '../../src/ops/index.ts';
import { type Plan, planMemory, type Range } from '../../src/plan/memory.ts';
import { verifyPlan } from '../../src/plan/verify.ts';
import { codeBytes } from '../../src/program/encode.ts';
import { link } from '../../src/program/link.ts';
import type { Program } from '../../src/program/program.ts';

interface Exports {
  setup(arena: number, scratchOffset: number, scratchBytes: number, thread: number, threads: number): void;
  walk(code: number, end: number): number;
}

const wasm = new WebAssembly.Module(readFileSync('build/engine.wasm'));
const about = {
  model: '',
  image: [0, 0],
  classes: 0,
  method: '',
  keep: '',
  weights: 'f32',
  optimizer: '',
  microBatch: 0,
  purpose: 'train',
  recompute: 'none',
} as const;

export interface Result {
  plan: Plan;
  /** What a value holds right after the last node that wrote it. */
  bytes(id: number): Uint8Array;
  floats(id: number): Float32Array;
}

/** The bytes of a node's operands that its split gives to other threads. */
function elsewhere(graph: Graph, plan: Plan, { split, ...node }: Node, thread: number, threads: number): (Range & { name: string })[] {
  const found: (Range & { name: string })[] = [];
  for (const kind of ['inputs', 'outputs', 'updates'] as const)
    node[kind].forEach((id, i) => {
      const unit = split?.[kind]?.[i] ?? 0;
      if (id === ABSENT || unit === 0) return;
      const { name, bytes } = graph.values[id]!;
      const { units } = split!;
      const until = (t: number): number => (units === 0 ? (t > 0 ? bytes : 0) : Math.min(bytes, unit * Math.floor((units * t) / threads)));
      const offset = plan.offsets[id]!;
      found.push({ name, offset, bytes: until(thread) }, { name, offset: offset + until(thread + 1), bytes: bytes - until(thread + 1) });
    });
  // An operand in place is named twice: each byte once.
  const unique = new Map(found.filter((r) => r.bytes > 0).map((r) => [r.offset, r]));
  return [...unique.values()];
}

/** Plans, verifies and links. */
export function planGraph(graph: Graph, threads = 1): { graph: Graph; plan: Plan; program: Program } {
  checkGraph(graph);
  shareOut(graph);
  const plan = planMemory(graph, { codeBytes: codeBytes(graph), maxThreads: threads });
  verifyPlan(graph, plan);
  return { graph, plan, program: link(graph, plan, new Map(), new Map(), about) };
}

/** Plans, verifies, links and runs; `contents` by value id. `threads` run one after the other at each node. */
export function runGraph(graph: Graph, contents: ReadonlyMap<number, Uint8Array>, threads = 1): Result {
  const { plan, program } = planGraph(graph, threads);

  const pages = program.linearBytes / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const engine = new WebAssembly.Instance(wasm, { env: { memory } }).exports as unknown as Exports;
  const arena = Buffer.from(memory.buffer);
  arena.fill(0xff, Head.Bytes);
  arena.set(program.image, program.programOffset);
  for (const [id, bytes] of contents) if (plan.offsets[id]! >= 0) arena.set(bytes, plan.offsets[id]);
  const { scratch } = program;
  engine.setup(0, scratch.offset, scratch.bytes, 0, threads);

  const written = new Map<number, Uint8Array>();
  const before = Buffer.from(arena);
  const code = new Int32Array(memory.buffer);
  let at = program.programOffset;
  const note = (id: number): void => {
    written.set(id, Uint8Array.from(arena.subarray(plan.offsets[id]!, plan.offsets[id]! + graph.values[id]!.bytes)));
  };
  for (const node of nodesOf(graph)) {
    if (node.isView) {
      node.outputs.forEach(note);
      continue;
    }
    const end = at + 4 * code[at / 4 + Instruction.Words]!;
    // The last thread first: what one writes must not matter to another, whichever is faster.
    for (let thread = threads - 1; thread >= 0; thread--) {
      if (threads > 1) engine.setup(0, scratch.offset, scratch.bytes, thread, threads);
      const foreign = elsewhere(graph, plan, node, thread, threads);
      // What the definition says to be another thread's is hidden from this one, and must come back as it was.
      const held = foreign.map(({ offset, bytes }) => Buffer.from(arena.subarray(offset, offset + bytes)));
      for (const { offset, bytes } of foreign) arena.fill(0xff, offset, offset + bytes);
      assert.is(engine.walk(at, end), 0, `${node.name}: status`);
      foreign.forEach(({ offset, bytes, name }, i) => {
        assert.ok(
          arena.subarray(offset, offset + bytes).every((byte) => byte === 0xff),
          `${node.name} (${node.op}): thread ${thread} of ${threads} writes ${name} outside its share`,
        );
        held[i]!.copy(arena, offset);
      });
    }
    at = end;

    const targets = [...node.outputs, ...node.updates].filter((id) => id !== ABSENT);
    const allowed: Range[] = targets.map((id) => ({ offset: plan.offsets[id]!, bytes: graph.values[id]!.bytes }));
    for (let thread = 0; thread < threads; thread++)
      allowed.push({ offset: scratch.offset + thread * scratch.bytes, bytes: node.scratchBytes });
    for (const { offset, bytes } of allowed) arena.copy(before, offset, offset, offset + bytes);
    if (!arena.equals(before)) {
      const stray = arena.findIndex((byte, i) => byte !== before[i]);
      const from = plan.offsets.map((o, id) => `${graph.values[id]!.name} at ${o}+${graph.values[id]!.bytes}`);
      assert.unreachable(`${node.name} (${node.op}) changed byte ${stray}, scratch at ${scratch.offset}+${node.scratchBytes}; ${from}`);
    }
    targets.forEach(note);
  }
  const bytes = (id: number): Uint8Array => {
    const found = written.get(id);
    if (found === undefined) throw new RangeError(`no node wrote ${graph.values[id]!.name}`);
    return found;
  };
  return { plan, bytes, floats: (id) => new Float32Array(bytes(id).buffer) };
}
