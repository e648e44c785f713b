/** Small random networks of every operator that a network may have between its ends: maps and tokens, blocks with residuals, everything learns or not. */
import { Resizing } from '../../assembly/abi/ops/resize.ts';
import { Kind } from '../../assembly/generated/kinds.ts';
import { ABSENT, addValue, createGraph, f32, type Graph, numel, type Role, shapeOf, type Type } from '../../src/graph/graph.ts';
import type { Mixed } from '../../src/ops/def.ts';
import { emit } from '../../src/ops/index.ts';
import { numbers } from './close.ts';
import type { Random } from './randomgraph.ts';

type Four = [number, number, number, number];

export interface RandomNetwork {
  graph: Graph;
  /** What values hold before. */
  contents: Map<number, Uint8Array>;
  out: number;
  /** The gradient of `out`. */
  upstream: number;
  blocks: number;
}

class Maker {
  graph = createGraph();
  contents = new Map<number, Uint8Array>();
  block = -1;
  private count = 0;
  constructor(readonly next: Random) {}

  give(name: string, type: Type, role: Role, scale = 1, shift = 0): number {
    const id = addValue(this.graph, `${name}${this.count}`, type, role);
    const data = numbers(numel(type.shape), ++this.count, scale).map((v) => v + shift);
    this.contents.set(id, new Uint8Array(data.buffer));
    return id;
  }
  /** A weight, learnable three times of four. */
  weight(shape: readonly number[], scale = 0.5, shift = 0): number {
    return this.give('w', f32(...shape), this.next(4) === 0 ? 'frozen' : 'param', scale, shift);
  }
  op(op: string, inputs: number[], attributes: Mixed = {}): number {
    return emit(this.graph, op, `${op}${this.count++}`, inputs, attributes, { phase: 'train', block: this.block }).outputs[0]!;
  }
  shape(x: number): Four {
    return [...shapeOf(this.graph, x)] as Four;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.next(list.length)]!;
  }
}

/** What can become of a map x[B,H,W,C]. */
const MAPS: Record<string, (m: Maker, x: number) => number> = {
  groupConv(m, x) {
    const [, h, w, c] = m.shape(x);
    const groups = m.pick([1, 2, c].filter((n) => c % n === 0));
    const [down, step] = [1 + m.next(2), h > 2 ? 1 + m.next(2) : 1];
    const o = groups * (1 + m.next(4));
    const out = (n: number): number => Math.floor((n - 1) / step) + 1;
    const a = { r: 3, s: 3, stepY: step, stepX: step, down, across: down, top: down, left: down, groups, oh: out(h), ow: out(w) };
    return m.op('GroupConv', [x, m.weight([o, 3, 3, c / groups]), m.next(3) === 0 ? ABSENT : m.weight([o])], a);
  },
  affine(m, x) {
    const c = m.shape(x)[3];
    return m.op('Affine', [x, m.next(3) === 0 ? ABSENT : m.weight([c], 0.3, 1), m.next(3) === 0 ? ABSENT : m.weight([c])]);
  },
  averagePool(m, x) {
    const [, h, w] = m.shape(x);
    const padded = m.next(2);
    const around = { r: 3, s: 3, top: 1, left: 1, bottom: 1, right: 1, padded };
    return m.op('AveragePool', [x], { ...around, stepY: 1, stepX: 2, oh: h, ow: Math.ceil(w / 2) });
  },
  resize(m, x) {
    const mode = m.pick([Resizing.Nearest, Resizing.NearestCentre, Resizing.Centre, Resizing.Corners, Resizing.Edge]);
    return m.op('Resize', [x], { oh: 2 + m.next(4), ow: 2 + m.next(4), mode });
  },
  response(m, x) {
    const c = m.shape(x)[3];
    return m.op('ResponseNorm', [x, m.op('ResponseStats', [x]), m.weight([c]), m.next(2) ? m.weight([c]) : ABSENT], { eps: 1e-6 });
  },
  rms: (m, x) => m.op('RmsNorm', [x, m.weight([m.shape(x)[3]], 0.3, 1)], { eps: 1e-5, unit: 0 }),
  gate: (m, x) => m.op('Multiply', [m.op('Activation', [x, ABSENT], { kind: Kind.Silu }), x]),
  activation: (m, x) => m.op('Activation', [x, ABSENT], { kind: m.pick([Kind.Relu, Kind.Gelu]) }),
  parts(m, x) {
    const c = m.shape(x)[3];
    if (c < 2) return x;
    const from = 1 + m.next(c - 1);
    const [a, b] = [m.op('Slice', [x], { axis: 3, from: 0, count: from }), m.op('Slice', [x], { axis: 3, from, count: c - from })];
    return m.op('Concat', [b, a, b], { axis: 3 });
  },
  shuffle(m, x) {
    const [batch, h, w, c] = m.shape(x);
    return m.op('Rearrange', [x], { dims: [batch, h, w, c], perm: [0, 2, 1, 3], shape: [batch, w, h, c] });
  },
  first(m, x) {
    const [batch, h] = m.shape(x);
    if (batch > 1 || h < 2) return x;
    // One picture: rows of it are a view.
    return m.op('Slice', [x], { axis: 1, from: 1, count: h - 1 });
  },
  tokens(m, x) {
    const [batch, h, w, c] = m.shape(x);
    const t = h * w;
    const wide = m.op('Linear', [m.op('Reshape', [x], { shape: [batch, t, c] }), m.weight([24, c]), m.weight([24])]);
    const part = (from: number): number => m.op('Slice', [wide], { axis: 2, from, count: 8 });
    const [q, k, v] = [part(0), part(8), part(16)];
    const table = m.give('table', f32(t - 1, 4), 'frozen');
    const turned = m.op('Rotary', [q, table], { heads: 2, first: 1, neighbours: m.next(2) });
    const unit = m.op('RmsNorm', [m.op('Reshape', [k], { shape: [batch, t, 2, 4] }), ABSENT], { eps: 1e-6, unit: 1 });
    const bias = m.pick([ABSENT, m.weight([1, 2, t, t]), m.op('Affine', [m.weight([1, 1, t, t]), ABSENT, ABSENT])]);
    const inputs = [turned, m.op('Reshape', [unit], { shape: [batch, t, 8] }), v, ...(bias === ABSENT ? [] : [bias])];
    const mixed = m.op('CrossAttention', inputs, { heads: 2, pairs: 2, scale: 0.5 });
    return m.op('Reshape', [m.op('Linear', [mixed, m.weight([c, 8]), m.weight([c])])], { shape: [batch, h, w, c] });
  },
};
export const RANDOM_PARTS = Object.keys(MAPS);

export function randomNetwork(next: Random): RandomNetwork {
  const m = new Maker(next);
  const batch = 1 + next(4);
  const start = m.give('p', f32(batch, 3 + next(4), 3 + next(4), m.pick([4, 6, 8, 33])), 'param');
  let x = m.op('Add', [start, start], { scale: 0.5 });
  const blocks = 1 + next(3);
  for (m.block = 0; m.block < blocks; m.block++) {
    const before = x;
    for (let n = 1 + next(4); n > 0; n--) x = MAPS[m.pick(RANDOM_PARTS)]!(m, x);
    if (`${m.shape(x)}` === `${m.shape(before)}` && x !== before) x = m.op('Add', [x, before], { scale: 1 });
  }
  m.block = blocks;
  const out = m.op('Add', [x, x], { scale: 0.5 });
  return { graph: m.graph, contents: m.contents, out, upstream: m.give('r', f32(...m.shape(out)), 'batch'), blocks };
}
