/**
 * The operator table: what a case says, and everything that is asked of it.
 *
 * A forward case becomes a small graph. Operands that are activations come out of a node and their gradient is read where it arrives,
 * so that planner and in-place rules see what they see in a network:
 *
 *     p ─► x = ½(p + p) ─► op ─► ½(y + y) ─► loss Σ z·r          twice:  x ─► op ─► y ──────────────┬─► y + y′ ─► Σ z·r
 *     weights ─────────────┘                                             └──► op ─► y₂ ─► y′ = 3·y₂ ┘
 */
import * as assert from 'uvu/assert';
import { Encoding } from '../../assembly/abi/weights.ts';
import {
  ABSENT,
  type Attributes,
  addValue,
  byteLength,
  createGraph,
  type Graph,
  type Node,
  type Phase,
  type Role,
  shapeOf,
  type Type,
  typeOf,
} from '../../src/graph/graph.ts';
import type { Mixed } from '../../src/ops/def.ts';
import { definition, emit } from '../../src/ops/index.ts';
import { addBackward } from '../../src/passes/backward.ts';
import { keepOf } from '../../src/passes/keeppolicy.ts';
import { chooseSaved, gradientNeeds } from '../../src/passes/saved.ts';
import { decodeWeight, encodeWeight } from '../oracle/weights.ts';
import { close, distance, numbers } from '../support/close.ts';
import { planGraph, type Result, runGraph } from './run.ts';

export type Numbers = ArrayLike<number>;

export interface Operand {
  type: Type;
  data: Numbers;
  /** Learnable (an activation: computed from something learnable). */
  learns: boolean;
  /** Comes out of a node; else a weight, or what the host wrote. */
  activation: boolean;
  /** What lies in memory, where not the f32 numbers of `data`. */
  bytes?: Uint8Array;
}

const operand = (shape: readonly number[], data: Numbers, learns: boolean, activation: boolean): Operand => ({
  type: { dtype: 'f32', shape },
  data,
  learns,
  activation,
});
const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
/** What is no number to differentiate by: counters, the state. */
export const constant = (type: Type, bytes: Uint8Array): Operand => ({ type, data: [], bytes, learns: false, activation: false });
/** An activation of seeded numbers, or of given ones. */
export const x = (shape: readonly number[], data: Numbers = numbers(size(shape), size(shape) + 1)): Operand =>
  operand(shape, data, true, true);
/** A learnable tensor. */
export const w = (shape: readonly number[], data: Numbers = numbers(size(shape), size(shape) + 2)): Operand =>
  operand(shape, data, true, false);
export const frozen = (o: Operand): Operand => ({ ...o, learns: false });
/** How far products over coded weights may be from f64: rows are rounded to 14 bits, weights of 4 bits to parts of their row's largest scale. */
export const roundedTo = (encoding: Encoding): readonly [number, number] => (encoding === Encoding.Int4 ? [1.2e-3, 1.2e-3] : [5e-4, 5e-4]);
/** A frozen weight in fewer bits; its data becomes what it decodes to. The first channel is zero. */
export function coded({ type, data }: Operand, encoding: Encoding): Operand {
  const o = type.shape[0]!;
  const k = data.length / o;
  const bytes = encodeWeight(
    encoding,
    o,
    k,
    Float32Array.from(data, (v, i) => (i < k && o > 1 ? 0 : v)),
  );
  return { type: { ...type, encoding }, data: decodeWeight(encoding, o, k, bytes), learns: false, activation: false, bytes };
}

export interface Forward {
  op: string;
  name: string;
  /** null: absent. */
  inputs: readonly (Operand | null)[];
  attributes?: Attributes | Mixed;
  /** Shape of y. */
  shape: readonly number[];
  /** y by the f64 oracle. */
  f(inputs: readonly Numbers[]): Float64Array;
  /** Bytes that the operator keeps, exact and s2a. */
  kept: readonly [number, number];
  /**
   * Where the policies may differ: gradients by operand from the bytes that s2a kept (undefined: the same bits as exact), and how far from
   * exact they may be (relative).
   */
  decoded?: Decoded;
  /** The same under further plans. */
  plans?: Readonly<Record<string, Decoded & { kept: number }>>;
  /** Where differences of f say nothing (kinks, infinite slopes, rounding): gradients by operand. */
  analytic?(inputs: readonly Numbers[], dy: Numbers): Numbers[];
  /** Of y and of gradients, relative; default 2e-6 and 2e-5. */
  tolerance?: readonly [number, number];
}

interface Decoded {
  gradients(kept: Uint8Array[], inputs: readonly Numbers[], dy: Numbers): (Numbers | undefined)[];
  bound?: number;
}

/** An operator without a derivative: inputs and updates as they are before, and what must come out. */
export interface Direct {
  op: string;
  name: string;
  phase: Phase;
  inputs: readonly (Plain | null)[];
  updates?: readonly Plain[];
  attributes?: Attributes | Mixed;
  /** Types of the outputs. */
  types?: readonly Type[];
  check(outputs: Uint8Array[], updates: Uint8Array[]): void;
}
export interface Plain {
  type: Type;
  role: Role;
  bytes: Uint8Array;
}
const viewOf = (a: Float32Array | Int32Array | Uint32Array | Uint8Array): Uint8Array =>
  new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
export const plain = (
  data: Float32Array | Int32Array | Uint32Array | Uint8Array,
  shape: readonly number[],
  role: Role = 'frozen',
): Plain => ({
  type: {
    dtype: data instanceof Float32Array ? 'f32' : data instanceof Int32Array ? 'i32' : data instanceof Uint32Array ? 'u32' : 'u8',
    shape,
  },
  role,
  bytes: viewOf(data.slice()),
});

/** What asks the host and computes nothing: test/passes/streaming.test.ts. */
export const ASKING: readonly string[] = ['PlaceWeight', 'StoreWeight', 'FetchWeight', 'AwaitWeight'];

/** What the table saw: operators run by a case, and pairs of operands that shared memory. */
export const seen = { ops: new Set<string>(), inPlace: new Set<string>() };

interface Variant {
  /** A keep plan. */
  policy: string;
  /** Keeps every value alive to the end, so that none can share memory. */
  apart?: boolean;
  /** Two uses of x, so that gradients add up. */
  twice?: boolean;
  /** Nothing learns. */
  still?: boolean;
  threads?: number;
}

interface Outcome {
  result: Result;
  graph: Graph;
  y: Float32Array;
  /** By operand; undefined where it does not learn. */
  gradients: (Float32Array | undefined)[];
  /** Further outputs and the int8 copy of an input. */
  kept: Uint8Array[];
}

const floats = (a: Numbers): Uint8Array => viewOf(Float32Array.from(a));
/** What an accumulator holds before: a kernel must add to it. */
const BEFORE = 0.25;

/** Notes what ran as part of the operator under test: it and its backward nodes are named `op…`. */
function note(graph: Graph, nodes: readonly Node[], result: Result): void {
  const { offsets } = result.plan;
  for (const node of nodes) {
    if (!/^op\d?(\.d\w+)?$/.test(node.name)) continue;
    seen.ops.add(node.op);
    for (const [i, o] of node.inPlace) {
      const [from, to] = [node.inputs[i], node.outputs[o]];
      if (from === undefined || from === ABSENT || to === undefined || graph.values[from]!.role !== 'temp') continue;
      if (offsets[from] === offsets[to]) seen.inPlace.add(`${node.op} ${i}→${o}`);
    }
  }
}

/** The graph of a case, what its values hold, its operands and the accumulators of those that are parameters. */
function graphOf(c: Forward, r: Float32Array, { policy, apart, twice, still }: Variant) {
  const graph = createGraph();
  const contents = new Map<number, Uint8Array>();
  const append = (op: string, name: string, inputs: number[], attributes: Attributes | Mixed = {}): Node =>
    emit(graph, op, name, inputs, attributes, { phase: 'train' });
  const given = (name: string, type: Type, role: Role, data: Numbers, bytes = floats(data)): number => {
    const id = addValue(graph, name, type, role);
    contents.set(id, bytes);
    return id;
  };

  const inputs = c.inputs.map((o, i) => {
    if (o === null) return ABSENT;
    const learns = o.learns && !still;
    if (!o.activation) return given(`in${i}`, o.type, learns ? 'param' : 'frozen', o.data, o.bytes);
    if (!learns) return given(`in${i}`, o.type, 'batch', o.data);
    const p = given(`in${i}`, o.type, 'param', o.data);
    return append('Add', `x${i}`, [p, p], { scale: 0.5 }).outputs[0]!;
  });
  const op = append(c.op, 'op', [...inputs], c.attributes);
  const y = op.outputs[0]!;
  assert.equal(shapeOf(graph, y), c.shape, `${c.name}: inferred shape`);
  let out: number;
  if (twice) {
    const second = append(c.op, 'op2', [...inputs], c.attributes).outputs[0]!;
    const triple = append('Add', 'triple', [second, second], { scale: 1.5 }).outputs[0]!;
    out = append('Add', 'sum', [y, triple], { scale: 1 }).outputs[0]!;
  } else out = append('Add', 'out', [y, y], { scale: 0.5 }).outputs[0]!;
  const upstream = given('r', typeOf(graph, out), 'batch', r);

  const needs = gradientNeeds(graph);
  chooseSaved(graph, needs, keepOf(policy));
  const accumulators = addBackward(graph, out, upstream, needs);
  for (const [param, grad] of accumulators) contents.set(grad, floats(new Float32Array(size(shapeOf(graph, param))).fill(BEFORE)));
  if (apart)
    for (const value of [...graph.values])
      if (value.role === 'temp' && value.type.dtype === 'f32')
        emit(graph, 'Add', 'hold', [value.id, value.id], { scale: 1 }, { phase: 'train', isBackward: true });

  return { graph, contents, inputs, op, accumulators };
}

/** A case with its derivative, planned and linked. */
export function planCase(c: Forward, policy: string): ReturnType<typeof planGraph> {
  return planGraph(graphOf(c, numbers(size(c.shape), 77), { policy }).graph);
}

function runForward(c: Forward, r: Float32Array, variant: Variant): Outcome {
  const { graph, contents, inputs, op, accumulators } = graphOf(c, r, variant);
  const { still, threads } = variant;
  const result = runGraph(graph, contents, threads);
  note(graph, graph.phases.train, result);
  const gradients = c.inputs.map((o, i) => {
    if (!o?.learns || still) return undefined;
    // Half of what arrived at x, for each of the two operands of x = ½(p + p).
    if (o.activation) return result.floats(graph.phases.train.find((n) => n.name === `x${i}.dx`)!.outputs[0]!).map((v) => 2 * v);
    return result.floats(accumulators.get(inputs[i]!)!).map((v) => v - BEFORE);
  });
  const codes = ['codes', ...c.inputs.map((_, i) => `codes${i}`)].flatMap((name) => op.attributes[name] ?? []);
  const kept = [...op.outputs.slice(1), ...codes];
  return { result, graph, y: result.floats(op.outputs[0]!), gradients, kept: kept.map((id) => result.bytes(id)) };
}

/** A case with everything kept as it is, and this gradient of y. */
export const runCase = (c: Forward, dy: Numbers): Pick<Outcome, 'y' | 'gradients'> =>
  runForward(c, Float32Array.from(dy), { policy: 'exact' });

const dot = (a: Numbers, b: Numbers): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/**
 * `gradient` of Σ f·r along every probe: a few single elements (first and last among them) and directions of all ±1, in which
 * one wrong element anywhere shows.
 */
function checkDifferences(c: Forward, i: number, r: Numbers, gradient: Numbers, tolerance: number): void {
  const inputs = c.inputs.map((o) => Float64Array.from(o?.data ?? []));
  const at = inputs[i]!;
  const point = at.slice();
  const n = at.length;
  const slope = (move: (j: number) => number, h: number): number => {
    const loss = (sign: number): number => {
      for (let j = 0; j < n; j++) at[j] = point[j]! + sign * h * move(j);
      return dot(c.f(inputs), r);
    };
    const [up, down] = [loss(1), loss(-1)];
    at.set(point);
    return (up - down) / (2 * h);
  };
  const norm = Math.sqrt(dot(gradient, gradient));
  for (const at of new Set([0, n >> 1, n - 1])) {
    const want = slope((j) => (j === at ? 1 : 0), 1e-4);
    const error = Math.abs(gradient[at]! - want);
    assert.ok(
      error <= tolerance * Math.max(norm, Math.abs(want)),
      `${c.name}: d input ${i} [${at}] is ${gradient[at]}, differences ${want}`,
    );
  }
  for (const seed of [11, 12]) {
    const direction = numbers(n, seed).map(Math.sign);
    const want = slope((j) => direction[j]!, 1e-5);
    const got = dot(gradient, direction);
    assert.ok(
      Math.abs(got - want) <= tolerance * Math.max(norm, Math.abs(want)) * 4,
      `${c.name}: d input ${i} along direction ${seed} is ${got}, differences ${want}`,
    );
  }
}

const same = (got: Float32Array | undefined, want: Float32Array | undefined, what: string): void => {
  const bits = (a: Float32Array | undefined): Uint8Array => (a ? viewOf(a) : new Uint8Array());
  assert.ok(Buffer.compare(bits(got), bits(want)) === 0, `${what}: not the same bits`);
};

export function checkForward(c: Forward): void {
  const inputs = c.inputs.map((o) => Float64Array.from(Float32Array.from(o?.data ?? [])));
  const r = numbers(size(c.shape), 77);
  const [forTable, forGradient] = c.tolerance ?? [2e-6, 2e-5];

  const exact = runForward(c, r, { policy: 'exact' });
  close(exact.y, c.f(inputs), forTable, `${c.name}: y`);
  const want = c.analytic?.(inputs, r);
  exact.gradients.forEach((g, i) => {
    if (!g) return;
    assert.ok(g.every(Number.isFinite), `${c.name}: d input ${i} is finite`);
    if (want) close(g, want[i]!, forGradient, `${c.name}: d input ${i}`);
    else checkDifferences(c, i, r, g, forGradient);
  });

  const keeps = (outcome: Outcome, policy: string, bytes: number): void =>
    assert.is(outcome.result.plan.keptBytes, bytes, `${c.name}: bytes kept under ${policy}`);
  const coded = (policy: string, bytes: number, how: Decoded | undefined): Outcome => {
    const outcome = runForward(c, r, { policy });
    same(outcome.y, exact.y, `${c.name}: y under ${policy}`);
    const decoded = how?.gradients(outcome.kept, inputs, r);
    outcome.gradients.forEach((g, i) => {
      const what = `${c.name}: d input ${i} under ${policy}`;
      const want = decoded?.[i];
      if (!want) same(g, exact.gradients[i], what);
      else if (g) {
        close(g, want, forGradient, `${what}, decoded`);
        const { bound = Number.POSITIVE_INFINITY } = how!;
        const d = distance(g, exact.gradients[i]!);
        assert.ok(d <= bound, `${what}: ${d} from exact, expected at most ${bound}`);
      }
    });
    keeps(outcome, policy, bytes);
    return outcome;
  };
  keeps(exact, 'exact', c.kept[0]);
  const s2a = coded('s2a', c.kept[1], c.decoded);
  const further = Object.entries(c.plans ?? {}).map(([policy, how]) => [policy, coded(policy, how.kept, how)] as const);

  // Where both policies keep the same bytes they made the same program.
  const outcomes = [['exact', exact], ...(c.kept[0] === c.kept[1] ? [] : [['s2a', s2a] as const]), ...further] as const;
  for (const [policy, base] of outcomes)
    for (const variant of policy === 'exact' || policy === 's2a'
      ? [
          { policy, apart: true },
          { policy, threads: 3 },
        ]
      : [{ policy, apart: true, threads: 3 }]) {
      const other = runForward(c, r, variant);
      const what = `${c.name}, ${JSON.stringify(variant)}`;
      same(other.y, base.y, `${what}: y`);
      base.gradients.forEach((g, i) => {
        same(other.gradients[i], g, `${what}: d input ${i}`);
      });
    }

  const still = runForward(c, r, { policy: 's2a', still: true });
  same(still.y, exact.y, `${c.name}: y where nothing learns`);
  assert.is(still.result.plan.keptBytes, 0, `${c.name}: nothing is kept where nothing learns`);

  const twice = runForward(c, r, { policy: 'exact', twice: true });
  same(twice.y, exact.y, `${c.name}: y of the first use`);
  exact.gradients.forEach((g, i) => {
    if (g)
      close(
        twice.gradients[i]!,
        g.map((v) => 4 * v),
        forGradient,
        `${c.name}: d input ${i} of two uses`,
      );
  });
  const apart = runForward(c, r, { policy: 'exact', twice: true, apart: true });
  exact.gradients.forEach((_, i) => {
    same(apart.gradients[i], twice.gradients[i], `${c.name}: d input ${i} of two uses, apart`);
  });
}

/** The graph of a case: its one node, and what values hold. */
function directGraph(c: Direct) {
  const graph = createGraph();
  const contents = new Map<number, Uint8Array>();
  const given = (name: string, p: Plain): number => {
    assert.is(p.bytes.length, byteLength(p.type), `${c.name}: ${name}`);
    const id = addValue(graph, name, p.type, p.role);
    contents.set(id, p.bytes);
    return id;
  };
  const inputs = c.inputs.map((p, i) => (p === null ? ABSENT : given(`in${i}`, p)));
  const updates = (c.updates ?? []).map((p, i) => given(`update${i}`, p));
  const node = emit(graph, c.op, 'op', inputs, c.attributes ?? {}, { phase: c.phase, updates });
  return { graph, contents, node, updates };
}

/** Such a case, planned and linked. */
export const planDirect = (c: Direct): ReturnType<typeof planGraph> => planGraph(directGraph(c).graph);

export function checkDirect(c: Direct): void {
  const outcomes = [1, 3].map((threads) => {
    const { graph, contents, node, updates } = directGraph(c);
    assert.equal(
      node.outputs.map((id) => typeOf(graph, id)),
      c.types ?? [],
      `${c.name}: inferred types`,
    );
    assert.is(definition(c.op).backward, undefined, `${c.op} has a derivative: give it a forward case`);
    const result = runGraph(graph, contents, threads);
    note(graph, [node], result);
    return [node.outputs.map((id) => result.bytes(id)), updates.map((id) => result.bytes(id))] as const;
  });
  const [one, three] = outcomes as [(typeof outcomes)[0], (typeof outcomes)[0]];
  assert.equal(three, one, `${c.name}: on three threads`);
  c.check(...one);
}
