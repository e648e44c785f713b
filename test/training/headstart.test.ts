/** The head before the first step: ridge regression against scikit-learn and against refitting, and runs that begin with it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Found, Want } from '../../assembly/abi/ridge.ts';
import { Run } from '../../assembly/runner/run.ts';
import { digest } from '../../src/base/digest.ts';
import { Interrupted } from '../../src/base/error.ts';
import { wordsOf } from '../../src/base/words.ts';
import type { Ridge } from '../../src/engine/engine.ts';
import { readAdapter } from '../../src/formats/adapterfile.ts';
import { chooseEvenly, type HeadFound, type NoHead } from '../../src/training/headstart.ts';
import { type JobHooks, type TrainJob, trainJob } from '../../src/training/job.ts';
import { distance } from '../support/close.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { openRig } from '../support/rig.ts';

const rig = openRig(64 << 20);
const ridge = rig.kernels as unknown as Ridge;

interface Head {
  want: number;
  w: Float32Array;
  b: Float32Array;
  gradient: Float32Array;
  found: (which: Found) => number;
}

/** The head that the engine makes of rows of features; `older`: rows that are there already. */
function start(
  x: Float32Array,
  labels: readonly number[],
  f: number,
  c: number,
  older?: { w: number[]; b: number[] },
  roomBytes = 8 << 20,
): Head {
  rig.clear();
  const n = labels.length;
  const [w, b, g] = [rig.f32(c * f), rig.f32(c), rig.f32(c * f)];
  if (older) {
    new Float32Array(rig.memory.buffer, w).set(older.w);
    new Float32Array(rig.memory.buffer, b).set(older.b);
  }
  const room = rig.u8(roomBytes);
  // What a pass has left there.
  new Uint8Array(rig.memory.buffer, room, roomBytes).fill(0xff);
  const guard = rig.u8(Array.from({ length: 64 }, () => 0x5a));
  assert.is(ridge.ridgePictures(roomBytes, n, f, c), n);
  ridge.ridgeBegin(room, n, f, c, w, b, g, older ? older.b.length : 0, roomBytes);
  const row = new Float32Array(rig.memory.buffer, ridge.ridgeRow(), f);
  let want = ridge.ridgeNext(0);
  while (want >= 0) {
    row.set(x.subarray(want * f, (want + 1) * f));
    want = ridge.ridgeNext(labels[want]!);
  }
  assert.ok(rig.readU8(guard, 64).every((byte) => byte === 0x5a));
  return { want, w: rig.readF32(w, c * f), b: rig.readF32(b, c), gradient: rig.readF32(g, c * f), found: (i) => ridge.ridgeFound(i) };
}

/** Those of tools/golden/ridge.py. */
function features(n: number, f: number, c: number): { x: Float32Array; labels: number[] } {
  const labels = Array.from({ length: n }, (_, i) => i % c);
  const x = Float32Array.from({ length: n * f }, (_, at) => {
    const [i, k] = [Math.floor(at / f), at % f];
    const noise = (i * i * 31 + k * k * 17 + i * k * 13 + i * 7 + k * 5) & 63;
    return (noise + ((k + labels[i]!) % c === 0 ? 40 : 0)) / 64;
  });
  return { x, labels };
}

const { cases } = JSON.parse(readFileSync('test/golden/ridge.json', 'utf8')) as {
  cases: { n: number; f: number; c: number; relative: number; factor: number; right: number; coef: number[]; intercept: number[] }[];
};
for (const { n, f, c, ...want } of cases)
  test(`scikit-learn's ridge of ${n} pictures, ${f} features, ${c} classes`, () => {
    const { x, labels } = features(n, f, c);
    const { w, b, gradient, found, want: rest } = start(x, labels, f, c);
    assert.is(rest, Want.Nothing);
    assert.ok(Math.abs(found(Found.Relative) / want.relative - 1) < 1e-9, `λ ${found(Found.Relative)}, ${want.relative}`);
    assert.ok(Math.abs(found(Found.Factor) / want.factor - 1) < 0.06, `factor ${found(Found.Factor)}, ${want.factor}`);
    assert.is(found(Found.LeftOut), n);
    assert.ok(Math.abs(found(Found.Right) - want.right) < 1e-9);
    const s = found(Found.Factor);
    assert.ok(
      distance(
        w,
        want.coef.map((v) => s * v),
      ) < 1e-5,
      `weights ${distance(
        w,
        want.coef.map((v) => s * v),
      )}`,
    );
    // A constant on all logits changes nothing: ours have mean 0 at the mean picture.
    assert.ok(
      distance(
        b,
        want.intercept.map((v) => s * (v - 1 / c)),
      ) < 1e-4,
    );
    assert.ok(
      gradient.every((v) => v === 0),
      'gradients are zero again',
    );
  });

/** Solves a small system by elimination. */
function solve(a: number[][], y: number[]): number[] {
  const n = y.length;
  const m = a.map((row, i) => [...row, y[i]!]);
  for (let k = 0; k < n; k++) {
    const pivot = m.slice(k).reduce((best, row, i) => (Math.abs(row[k]!) > Math.abs(m[best]![k]!) ? k + i : best), k);
    [m[k], m[pivot]] = [m[pivot]!, m[k]!];
    for (let i = k + 1; i < n; i++) for (let j = n, q = m[i]![k]! / m[k]![k]!; j >= k; j--) m[i]![j]! -= q * m[k]![j]!;
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = k + 1; j < n; j++) m[k]![n]! -= m[k]![j]! * m[j]![n]!;
    m[k]![n]! /= m[k]![k]!;
  }
  return m.map((row) => row[n]!);
}

/** Ridge with an unpenalised constant, by its normal equations: predictions of `at`. */
function refit(rows: number[][], y: number[], lambda: number, at: number[]): number {
  const f = at.length + 1;
  const one = rows.map((r) => [...r, 1]);
  const a = Array.from({ length: f }, (_, i) =>
    Array.from({ length: f }, (_, j) => one.reduce((s, r) => s + r[i]! * r[j]!, 0) + (i === j && i < f - 1 ? lambda : 0)),
  );
  const w = solve(
    a,
    Array.from({ length: f }, (_, i) => one.reduce((s, r, k) => s + r[i]! * y[k]!, 0)),
  );
  return [...at, 1].reduce((s, v, i) => s + v * w[i]!, 0);
}

test('what is said of a picture that is left out is what refitting without it says', () => {
  for (const [n, f, c] of [
    [13, 20, 2],
    [21, 6, 3],
  ] as const) {
    const { x, labels } = features(n, f, c);
    const rows = Array.from({ length: n }, (_, i) => [...x.subarray(i * f, (i + 1) * f)]);
    const { found } = start(x, labels, f, c);
    const lambda = found(Found.Lambda);
    let right = 0;
    const said: number[][] = [];
    for (let i = 0; i < n; i++) {
      const others = rows.filter((_, j) => j !== i);
      const targets = (k: number): number[] => labels.filter((_, j) => j !== i).map((label) => Number(label === k));
      const z = Array.from({ length: c }, (_, k) => refit(others, targets(k), lambda, rows[i]!));
      right += Number(z.indexOf(Math.max(...z)) === labels[i]) / n;
      said.push(z);
    }
    // Of factors √2 apart the best, with one picture more that is of any class.
    const losses = Array.from({ length: 25 }, (_, k) => {
      const s = 2 ** (k / 2 - 2);
      const each = said.map((z, i) => {
        const scale = Math.log(z.reduce((sum, v) => sum + Math.exp(s * v), 0));
        const own = scale - s * z[labels[i]!]!;
        return { own, any: scale - z.reduce((sum, v) => sum + (s * v) / c, 0) - own };
      });
      return { loss: each.reduce((sum, e) => sum + e.own, 0) / n, judged: each.reduce((sum, e) => sum + e.own + e.any / (n + 1), 0) };
    });
    const { loss } = losses.reduce((best, one) => (one.judged < best.judged ? one : best));
    assert.ok(Math.abs(right - found(Found.Right)) < 1e-9, `${right}, ${found(Found.Right)}`);
    assert.ok(Math.abs(loss - found(Found.Loss)) < 1e-6, `${loss}, ${found(Found.Loss)}`);
  }
});

test('uneven classes, few pictures, many classes: finite, and the own class stands out', () => {
  const shapes: [string, number[], number][] = [
    ['one each', [0, 1, 2, 3], 16],
    ['two pictures', [0, 1], 3],
    ['two each of many', Array.from({ length: 120 }, (_, i) => i % 60), 64],
    ['forty and two', Array.from({ length: 42 }, (_, i) => Number(i >= 40)), 24],
    ['forty and two, few features', Array.from({ length: 42 }, (_, i) => Number(i >= 40)), 5],
  ];
  for (const [what, labels, f] of shapes) {
    const c = Math.max(...labels) + 1;
    const x = features(labels.length, f, c).x;
    for (const [i, label] of labels.entries()) x[i * f + (label % f)]! += 2;
    const { w, b, want } = start(x, labels, f, c);
    assert.is(want, Want.Nothing, what);
    assert.ok(w.every(Number.isFinite) && b.every(Number.isFinite), what);
    const logits = labels.map((_, i) =>
      Array.from({ length: c }, (_, k) => b[k]! + w.subarray(k * f, (k + 1) * f).reduce((s, v, j) => s + v * x[i * f + j]!, 0)),
    );
    const right = logits.filter((z, i) => z.indexOf(Math.max(...z)) === labels[i]).length / labels.length;
    assert.ok(right > 0.9, `${what}: ${right}`);
  }
});

test('constant features, one class, NaN: the head stays as it was', () => {
  const same = new Float32Array(12).fill(0.1);
  for (const labels of [
    [0, 1, 0],
    [1, 1, 1],
  ]) {
    const { want, w, b, gradient } = start(labels[0] === 1 ? features(3, 4, 2).x : same, labels, 4, 2);
    assert.is(want, Want.Constant);
    assert.ok([...w, ...b, ...gradient].every((v) => v === 0));
  }
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const x = features(3, 4, 2).x;
    x[7] = bad;
    const { want, w } = start(x, [0, 1, 0], 4, 2);
    assert.is(want, Want.NotFinite);
    assert.ok(w.every((v) => v === 0));
  }
});

test('rows that join others have their size and their level', () => {
  const { x, labels } = features(30, 10, 3);
  const older = { w: Array.from({ length: 20 }, (_, i) => Math.sin(i)), b: [0.3, -0.2] };
  const { w, b } = start(x, labels, 10, 3, older);
  assert.ok(distance(w.subarray(0, 20), older.w) < 1e-7);
  const mean = Array.from({ length: 10 }, (_, k) => labels.reduce((s, _, i) => s + x[i * 10 + k]!, 0) / 30);
  const at = (row: number): number => mean.reduce((s, v, k) => s + v * w[row * 10 + k]!, b[row]!);
  assert.ok(Math.abs(at(2) - (at(0) + at(1)) / 2) < 1e-4, `${at(2)}, ${at(0)}, ${at(1)}`);
  const middle = mean.map((_, k) => (older.w[k]! + older.w[10 + k]!) / 2);
  const size = (row: ArrayLike<number>, about: number[]): number => Math.hypot(...about.map((v, k) => row[k]! - v));
  const before = (size(older.w.slice(0, 10), middle) + size(older.w.slice(10), middle)) / 2;
  assert.ok(
    Math.abs(
      size(
        w.subarray(20),
        mean.map(() => 0),
      ) /
        before -
        1,
    ) < 1e-5,
  );
});

test('room decides how many pictures are taken; of the classes as many each as can be', () => {
  assert.is(ridge.ridgePictures(64 << 20, 5000, 96, 10), 4096);
  assert.is(ridge.ridgePictures(64 << 20, 5000, 1280, 10), 1024);
  const few = ridge.ridgePictures(2 << 20, 5000, 1280, 10);
  assert.ok(few > 200 && few < 512, String(few));
  assert.is(ridge.ridgePictures(1000, 50, 96, 10), 0);
  const labels = Int32Array.from([0, 0, 0, 0, 1, 0, 1, 2, 0, 1]);
  const counting = (): Run => {
    const table = new DataView(new ArrayBuffer(16 * 3));
    return Object.assign(new Run(), { counts: wordsOf(() => table), classes: 3, train: labels.length });
  };
  assert.equal(chooseEvenly(counting(), labels, 20), [...labels.keys()]);
  assert.equal(chooseEvenly(counting(), labels, 5), [0, 1, 4, 6, 7]);
});

const DATA = pictureFolder({ classes: 4, train: 5, val: 3 });
const CACHE = newFolder();
const job = (out: string, more: Partial<TrainJob> = {}): TrainJob => ({
  ...{ model: 'test/golden/vit-timm-gap', data: DATA, out, cacheFolder: CACHE, epochs: 1, batchSize: 4, rate: 1e-12, head: 'ridge' },
  ...more,
});
async function run(out: string, more: Partial<TrainJob> = {}, hooks: JobHooks = {}): Promise<HeadFound | NoHead | null> {
  const { head } = await trainJob(job(out, more), hooks);
  return head;
}
const adapter = (out: string): string => digest(readFileSync(join(out, 'adapter_model.safetensors')));

test('without a step the pictures are told apart, with any threads and micro-batch alike, and nothing stays in the folder', async () => {
  const out = newFolder();
  const method = 'bias+prompt:rank=2+side:ratio=4';
  const { accuracy, head } = await trainJob(job(out, { method }));
  assert.ok(accuracy! > 0.7, `accuracy ${accuracy}`);
  assert.ok(head !== null && 'factor' in head && head.pictures === 20);
  assert.not.ok(readdirSync(join(out, 'run')).some((name) => name.includes('head')));
  const [shared, cut] = [newFolder(), newFolder()];
  await run(shared, { method, threads: 2 });
  assert.is(adapter(shared), adapter(out));
  // In passes of two gradients are summed otherwise; the head starts alike.
  assert.equal(await run(cut, { method, microBatch: 2 }), head);
  const zero = newFolder();
  assert.is(await run(zero, { method, head: 'zero' }), null);
  assert.is.not(adapter(zero), adapter(out));
});

test('it resumes; and another start is another run', async () => {
  const [whole, cut] = [newFolder(), newFolder()];
  const steps = { rate: 1e-2, epochs: 2 };
  await run(whole, steps);
  let asked = 0;
  await run(cut, steps, { stopping: () => ++asked === 4 }).then(
    () => assert.unreachable('not interrupted'),
    (error) => assert.instance(error, Interrupted),
  );
  await run(cut, { ...steps, head: 'zero', resume: true }).then(
    () => assert.unreachable('not refused'),
    (error) => assert.match((error as Error).message, /another head/),
  );
  assert.is(await run(cut, { ...steps, resume: true }), null);
  assert.is(adapter(cut), adapter(whole));
});

test('classes that join an adapter: older rows stay', async () => {
  const [first, second] = [newFolder(), newFolder()];
  await run(first, { data: pictureFolder({ classes: 2, train: 5, val: 3 }), rate: 1e-2 });
  const head = await run(second, { from: first });
  assert.ok(head !== null && 'factor' in head);
  const rows = (path: string): Float32Array => {
    const { weights, head: names } = readAdapter(path);
    const tensor = weights.tensor(names.find((name) => name.endsWith('weight'))!);
    const bytes = new Uint8Array(tensor.bytes);
    weights.read(tensor, bytes);
    weights.close();
    return new Float32Array(bytes.buffer);
  };
  const [before, after] = [rows(first), rows(second)];
  assert.is(after.length, 2 * before.length);
  assert.ok(distance(after.subarray(0, before.length), before) < 1e-6);
  assert.ok(after.subarray(before.length).some((v) => v !== 0));
  assert.is(await run(newFolder(), { from: second }), null);
});

test.run();
