import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Codebook } from '../../assembly/abi/codebook.ts';
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../../src/base/error.ts';
import { smoothActivations } from '../../src/ops/activations.ts';
import { bf16, cellOf, codebookBytes, codeOf, fitLevels, fitTable, nearest, slopeOf, tableError } from '../../src/passes/codebook.ts';
import { tables } from '../../src/passes/codebooktables.ts';
import { functions } from '../oracle/activation.ts';

const smooth = smoothActivations().map((row) => row.kind as Kind);

test('the free fit reaches the known optima', () => {
  const within = (got: number, want: number, part: number) => assert.ok(Math.abs(got / want - 1) < part, `error ${got}, expected ${want}`);
  const uniform = { density: () => 1 };
  within(fitLevels(functions[Kind.Gelu].df, uniform).error, 0.00212, 0.02);
  within(fitLevels(functions[Kind.Silu].df, uniform).error, 0.00316, 0.02);
  within(fitLevels(functions[Kind.HardSwish].df, uniform).error, 0.008, 0.02);
  within(fitLevels(functions[Kind.Sigmoid].df, uniform).error, 0.00021, 0.02);
  within(fitLevels(functions[Kind.Gelu].df).error, 4.02e-4, 0.01);
  within(fitLevels(functions[Kind.Silu].df).error, 4.35e-4, 0.01);
});

test('no small change of any level is better', () => {
  const df = functions[Kind.Gelu].df;
  const { levels } = fitLevels(df, { bits: 3 });
  const error = (l: number[]) => {
    let sum = 0;
    for (let x = -10; x < 10; x += 1 / 256) sum += Math.exp(-x * x * 0.125) * (df(x) - l[nearest(l, df(x))]!) ** 2;
    return sum;
  };
  // A different quadrature and a slightly different density: so a clear worsening is asked of a clear change only.
  levels.forEach((_, i) => {
    for (const step of [-0.03, 0.03])
      assert.ok(error(levels.map((v, j) => (i === j ? v + step : v))) > error(levels), `level ${i} ${step}`);
  });
});

test('fewer bits, more error; one bit too', () => {
  let last = 0;
  for (const bits of [4, 3, 2, 1]) {
    const { levels, error } = fitLevels(functions[Kind.Silu].df, { bits });
    assert.is(levels.length, 2 ** bits);
    assert.ok(error > last);
    last = error;
  }
  assert.throws(
    () => fitLevels(Math.cos, { bits: 5 }),
    (e: Error) => e instanceof InputError && /bits, got 5/.test(e.message),
  );
});

test('a step is coded without error', () => {
  const step = (x: number) => (x > 1 ? 1 : x < -2 ? 0.25 : 0);
  const { levels, error } = fitLevels(step, { bits: 2 });
  assert.ok(error < 1e-20);
  for (const v of [0, 0.25, 1]) assert.ok(levels.some((l) => Math.abs(l - v) < 1e-12));
});

test('shipped tables: what the fitter makes, close to the weighted optimum, bf16 and grid included', () => {
  for (const kind of smooth) {
    const df = functions[kind].df;
    const table = tables[kind]!;
    // Without symmetry the 32 cells serve both sides of 0.
    const worse = table.origin === undefined ? 1.1 : 1.4;
    assert.ok(tableError(table, df) < worse * fitLevels(df).error, `kind ${kind}: ${tableError(table, df)} against ${fitLevels(df).error}`);
    if (kind === Kind.Gelu || kind === Kind.Tanh) assert.ok(Math.abs(tableError(fitTable(df), df) / tableError(table, df) - 1) < 0.01);
    assert.is(table.levels.length, 16);
    assert.ok(table.levels.every((l) => l === bf16(l)));
  }
});

test('shipped tables: symmetric, exact in the far tails, also unweighted', () => {
  for (const kind of [Kind.Gelu, Kind.GeluTanh, Kind.Silu, Kind.HardSwish]) {
    const table = tables[kind]!;
    assert.equal(
      [Number.NEGATIVE_INFINITY, -1e30, -20, 20, 1e30, Infinity].map((x) => slopeOf(table, x)),
      [0, 0, 0, 1, 1, 1],
      `kind ${kind}`,
    );
    for (let x = 1 / 128; x < 9; x += 1 / 64) assert.is(codeOf(table, -x), 15 - codeOf(table, x));
    table.levels.forEach((l, i) => {
      assert.ok(Math.abs(l + table.levels[15 - i]! - 1) < 1 / 128);
    });
  }
  for (const kind of [Kind.Sigmoid, Kind.Tanh]) {
    assert.ok(slopeOf(tables[kind]!, -Infinity) <= functions[kind].df(0) / 60);
    for (const x of [0.3, 1, 2, 4, 20]) assert.is(codeOf(tables[kind]!, -x), codeOf(tables[kind]!, x));
  }
  assert.ok(tableError(tables[Kind.Gelu]!, functions[Kind.Gelu].df, { density: () => 1 }) < 0.00246);
  assert.ok(tableError(tables[Kind.Silu]!, functions[Kind.Silu].df, { density: () => 1 }) < 0.00646);
});

test('cells: the last has no end and takes NaN, bounds lie right', () => {
  const table = { scale: 1, shift: 1 };
  assert.equal(
    [Number.NaN, 0, -0, 1 / 16, Math.fround(1 / 16 - 1e-7), 1, 3, 1e30, Infinity, -Infinity].map((x) => cellOf(table, x)),
    [31, 0, 0, 1, 0, 16, 31, 31, 31, 31],
  );
});

test('the record', () => {
  const table = tables[Kind.Gelu]!;
  const bytes = codebookBytes(table);
  assert.is(bytes.length, Codebook.Bytes);
  assert.equal([...bytes.slice(Codebook.Cells, Codebook.CellCount)], table.cells);
  const view = new DataView(bytes.buffer);
  assert.is(view.getFloat32(Codebook.Scale, true), Math.fround(table.scale));
  assert.is(view.getFloat32(Codebook.Shift, true), Math.fround(table.shift));
  assert.is(view.getInt32(Codebook.Flip, true), 15);
  const scratch = new DataView(new ArrayBuffer(4));
  table.levels.forEach((level, i) => {
    scratch.setUint32(0, (bytes[Codebook.LevelHigh + i]! << 24) | (bytes[Codebook.LevelLow + i]! << 16));
    assert.is(scratch.getFloat32(0), level);
  });
});

test('a derivative without symmetry has cells over x itself, and both of its limits', () => {
  for (const kind of [Kind.Elu, Kind.Selu, Kind.Mish]) {
    const table = tables[kind]!;
    const { df } = functions[kind];
    assert.is(table.flip, 0);
    // 0 is the least that f′ of ELU and SELU comes to: a sixty-fourth of the peak stands for it. Mish's goes below.
    for (const x of [-Infinity, -1e30, -40])
      assert.ok(Math.abs(slopeOf(table, x)) <= (kind === Kind.Mish ? 0 : 1.76 / 60), `kind ${kind} at ${x}`);
    for (const x of [40, 1e30, Infinity]) assert.is(slopeOf(table, x), bf16(df(1e6)), `kind ${kind} at ${x}`);
  }
  // Whichever side is the steep one; and a quick fit loses little.
  const elu = functions[Kind.Elu].df;
  for (const df of [elu, (x: number) => elu(-x), functions[Kind.Selu].df, functions[Kind.Mish].df]) {
    const table = fitTable(df, { quick: true });
    assert.ok(tableError(table, df) < 1.4 * fitLevels(df).error);
  }
});

test.run();
