/**
 * Derivative codes: which 16 values stand for f′(x) in backward, and which x gets which.
 *
 * The best code gives each x the level nearest to f′(x), so one level may serve several intervals, and each level is the mean of
 * what it stands for: one-dimensional k-means of f′, solved exactly here by dynamic programming over the sorted values.
 * `fitLevels` fits freely; `fitTable` fits what the kernel can look up, a code for each cell of |x| (drawn in assembly/abi/codebook.ts).
 */
import { Codebook } from '../../assembly/abi/codebook.ts';
import { InputError } from '../base/error.ts';
import type { Fn } from '../ops/activations.ts';

/** What the kernel looks up; `levels` are bf16 numbers, `cells` the code of each cell of |x|. */
export interface Table {
  levels: number[];
  cells: number[];
  scale: number;
  shift: number;
  /** XORed onto the code where x < 0. */
  flip: number;
  /** Where cells divide x and not |x|: the least v. */
  origin?: number;
}

const normal = (x: number, sigma: number): number => Math.exp((-0.5 * x * x) / (sigma * sigma)) / (sigma * Math.sqrt(2 * Math.PI));
/** The weight of the shipped tables, half N(0, 1²) and half N(0, 2²): what pretrained networks feed their activations, roughly. */
export const weight: Fn = (x) => 0.5 * normal(x, 1) + 0.5 * normal(x, 2);

/** The nearest bf16 number (ties to even). */
export function bf16(x: number): number {
  view.setFloat32(0, x);
  const bits = view.getUint32(0);
  view.setUint32(0, (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
  return view.getFloat32(0);
}
const view = new DataView(new ArrayBuffer(4));

/** Points of a density: values, their weights, and how much each varies inside (0 for a single x). Weight 0 is allowed. */
interface Points {
  value: Float64Array;
  weight: Float64Array;
}

/** Costs of runs of `n` points in ascending order, each from sums before and behind it. */
interface Runs {
  n: number;
  mean(i: number, j: number): number;
  /** Σ weight·(value - mean)² of points i … j-1 around their own mean. */
  free(i: number, j: number): number;
  /** The same around a value that is given. */
  fixed(pin: number): (i: number, j: number) => number;
}

function runsOf({ value, weight }: Points): Runs {
  const order = Array.from(value.keys()).filter((i) => weight[i]! > 0);
  order.sort((a, b) => value[a]! - value[b]!);
  const n = order.length;
  const w = new Float64Array(n + 1);
  const wv = new Float64Array(n + 1);
  const wvv = new Float64Array(n + 1);
  order.forEach((at, i) => {
    const [v, mass] = [value[at]!, weight[at]!];
    w[i + 1] = w[i]! + mass;
    wv[i + 1] = wv[i]! + mass * v;
    wvv[i + 1] = wvv[i]! + mass * v * v;
  });
  const mean = (i: number, j: number) => (wv[j]! - wv[i]!) / (w[j]! - w[i]!);
  return {
    n,
    mean,
    free: (i, j) => (i < j ? wvv[j]! - wvv[i]! - (wv[j]! - wv[i]!) * mean(i, j) : 0),
    fixed: (pin) => (i, j) => wvv[j]! - wvv[i]! - 2 * pin * (wv[j]! - wv[i]!) + pin ** 2 * (w[j]! - w[i]!),
  };
}

/** By j: the least cost of the first j points, where the last run of it begins, and whether that run's level is a pin. */
interface Row {
  cost: Float64Array;
  from: Int32Array;
  fixed: Uint8Array;
}

/** One level more: `to` from `from`, by what the last run costs. Divide and conquer, since the best start of it only moves right with j. */
function addLevel(from: Row, to: Row, cost: Runs['free'], isFixed: number): void {
  const solve = (low: number, high: number, left: number, right: number): void => {
    if (low > high) return;
    const j = (low + high) >> 1;
    let at = left;
    let least = Infinity;
    for (let i = left; i <= Math.min(j, right); i++) {
      const c = from.cost[i]! + cost(i, j);
      if (c < least) [least, at] = [c, i];
    }
    if (least < to.cost[j]!) {
      to.cost[j] = least;
      to.from[j] = at;
      to.fixed[j] = isFixed;
    }
    solve(low, j - 1, left, at);
    solve(j + 1, high, at, right);
  };
  const n = from.cost.length - 1;
  solve(0, n, 0, n);
}

/**
 * The k values that minimise Σ weight·(value - nearest)², ascending: exact, by dynamic programming over the sorted points.
 * The `pins`, ascending, are among the k, whatever it costs.
 */
function kMeans(points: Points, k: number, ...pins: number[]): number[] {
  const { n, mean, free, fixed } = runsOf(points);
  const row = (): Row => ({ cost: new Float64Array(n + 1).fill(Infinity), from: new Int32Array(n + 1), fixed: new Uint8Array(n + 1) });
  const rowsOf = (): Row[] => Array.from({ length: pins.length + 1 }, row);
  // best[level][used]: of `level` values, the first `used` pins among them.
  const best: Row[][] = [rowsOf()];
  best[0]![0]!.cost[0] = 0;
  for (let level = 1; level <= k; level++) {
    const [before, next] = [best[level - 1]!, rowsOf()];
    for (let used = 0; used <= pins.length; used++) {
      addLevel(before[used]!, next[used]!, free, 0);
      if (used > 0) addLevel(before[used - 1]!, next[used]!, fixed(pins[used - 1]!), 1);
    }
    best.push(next);
  }
  const levels: number[] = [];
  let used = pins.length;
  for (let level = k, j = n; level > 0; level--) {
    const r = best[level]![used]!;
    const i = r.from[j]!;
    if (r.fixed[j]) levels.push(pins[--used]!);
    else levels.push(i < j ? mean(i, j) : (levels.at(-1) ?? pins[0] ?? 0));
    j = i;
  }
  return levels.sort((a, b) => a - b);
}

/** Index of the level nearest to v (the lower one of two as near). */
export function nearest(levels: ArrayLike<number>, v: number): number {
  let best = 0;
  for (let i = 1; i < levels.length; i++) if (Math.abs(levels[i]! - v) < Math.abs(levels[best]! - v)) best = i;
  return best;
}

export interface Fit {
  bits?: number;
  /** How often each x comes: a density, or a layer's own measured histogram. */
  density?: Fn;
  from?: number;
  to?: number;
  /** Search a third of the ways to divide |x|: for tables that are fitted while somebody waits. */
  quick?: boolean;
}

function checked(where: string, { bits = 4, density = weight, from = -10, to = 10 }: Fit) {
  if (!Number.isInteger(bits) || bits < 1 || bits > 4) throw new InputError({ where, what: 'bits', got: bits, expected: '1 to 4' });
  if (!(from < to)) throw new InputError({ where, what: 'range', got: `${from} to ${to}`, expected: 'an increasing one' });
  return { bits, density, from, to };
}

const samples = 8000;

/** The density and f′ at the midpoints of `samples` equal steps. */
function sample(df: Fn, density: Fn, from: number, to: number): Points & { x: Float64Array } {
  const step = (to - from) / samples;
  const x = Float64Array.from({ length: samples }, (_, i) => from + step * (i + 0.5));
  return { x, value: x.map(df), weight: x.map((v) => density(v) * step) };
}

/** The best levels for f′, free of any grid: x takes the level nearest to f′(x). `error` is ∫ density·(f′ - level)². */
export function fitLevels(df: Fn, fit: Fit = {}): { levels: number[]; error: number } {
  const { bits, density, from, to } = checked('fitLevels', fit);
  const points = sample(df, density, from, to);
  const levels = kMeans(points, 2 ** bits);
  let error = 0;
  points.value.forEach((v, i) => {
    error += points.weight[i]! * (v - levels[nearest(levels, v)]!) ** 2;
  });
  return { levels, error };
}

/** The cell of x, by the kernel's own arithmetic. */
export function cellOf({ scale, shift, origin }: Pick<Table, 'scale' | 'shift' | 'origin'>, x: number): number {
  const least = Math.fround(origin ?? shift);
  const v = Math.fround(Math.fround((origin === undefined ? Math.abs(x) : x) * Math.fround(scale)) + Math.fround(shift));
  return Number.isNaN(v)
    ? Codebook.CellCount - 1
    : Math.min((bitsOf(Math.max(v, least)) >> Codebook.CellBits) - (bitsOf(least) >> Codebook.CellBits), Codebook.CellCount - 1);
}

function bitsOf(x: number): number {
  view.setFloat32(0, x);
  return view.getInt32(0);
}

function floatOf(bits: number): number {
  view.setInt32(0, bits);
  return view.getFloat32(0);
}

/** The code of x, as the forward kernel writes it. */
export const codeOf = (table: Table, x: number): number => table.cells[cellOf(table, x)]! ^ (x < 0 ? table.flip : 0);

/** What the backward kernel multiplies dy by, where the forward saw x. */
export const slopeOf = (table: Table, x: number): number => table.levels[codeOf(table, x)]!;

/** ∫ density·(f′ - slope)² of a table, as the kernel computes it. */
export function tableError(table: Table, df: Fn, fit: Fit = {}): number {
  const { density, from, to } = checked('tableError', fit);
  const { x, value, weight } = sample(df, density, from, to);
  return x.reduce((sum, v, i) => sum + weight[i]! * (value[i]! - slopeOf(table, v)) ** 2, 0);
}

/** Sums of weight·f over the first i samples. */
function runningSum({ value, weight }: Points, f: (v: number) => number): Float64Array {
  const sums = new Float64Array(value.length + 1);
  value.forEach((v, i) => {
    sums[i + 1] = sums[i]! + weight[i]! * f(v);
  });
  return sums;
}

/** v at the start of cell c, where the first cell starts at `origin`. */
const startOf = (c: number, origin: number): number => floatOf(((bitsOf(origin) >> Codebook.CellBits) + c) << Codebook.CellBits);

/** Where in its octave v starts: the larger, the fewer narrow cells, until they are all equal. */
const STARTS = [1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 8, 16];

interface Candidate {
  table: Table;
  error: number;
}

/**
 * The best table that the kernel can look up. Cells, code by cell and levels are fitted together: for each way to divide |x| (or x, where f′ is
 * not symmetric) the codes are exact k-means of the cells' means. The outermost levels are pinned to the limits of f′ (or near them, see
 * below), so that far tails, which no density counts, are right.
 */
export function fitTable(df: Fn, fit: Fit = {}): Table {
  const { bits, density, from, to } = checked('fitTable', fit);
  const reach = Math.max(-from, to);
  const probes = Array.from({ length: 64 }, (_, i) => ((i + 1) * reach) / 64);
  const even = probes.every((x) => Math.abs(df(x) - df(-x)) < 1e-9);
  const mirrored = probes.every((x) => Math.abs(df(x) + df(-x) - 1) < 1e-9);
  return even || mirrored
    ? fitSymmetric(df, { bits, density, from, to, quick: fit.quick ?? false }, even)
    : fitSigned(df, { bits, density, from, to, quick: fit.quick ?? false });
}

function fitSymmetric(df: Fn, { bits, density, from, to, quick }: Required<Fit>, even: boolean): Table {
  const reach = Math.max(-from, to);
  // Folded onto x >= 0, where a mirrored f′ stays above 1/2 and so uses the upper half of the codes.
  const folded = sample(df, (x) => (x <= to ? density(x) : 0) + (-x >= from ? density(-x) : 0), 0, reach);
  const count = 2 ** bits / (even ? 1 : 2);
  // An even f′ decays for long before it is 0: a pin at 0 itself would cost a tenth of the error, 1/64 of the peak does not. So too where a
  // mirrored one climbs to its limit and never passes it.
  const [top, end] = [Math.max(...folded.value), df(1e6)];
  const limit = even ? df(0) / 64 : top > end ? end : end - end / 64;

  const step = reach / samples;
  const moments = [runningSum(folded, () => 1), runningSum(folded, (v) => v), runningSum(folded, (v) => v * v)];

  const tableAt = (scale: number, shift: number): Candidate => {
    // Weight, first and second moment of f′ in each cell, from running sums.
    const ends = Array.from({ length: Codebook.CellCount + 1 }, (_, c) => {
      const x = (startOf(c, shift) - shift) / scale;
      return c === Codebook.CellCount ? samples : Math.min(Math.max(Math.round(x / step), 0), samples);
    });
    const [weight, sum, squares] = moments.map((m) =>
      Float64Array.from({ length: Codebook.CellCount }, (_, c) => m[ends[c + 1]!]! - m[ends[c]!]!),
    ) as [Float64Array, Float64Array, Float64Array];
    const value = sum.map((s, i) => (weight[i]! > 0 ? s / weight[i]! : limit));
    const half = kMeans({ value, weight }, count, limit);
    const levels = (even ? half : [...half.map((v) => 1 - v).reverse(), ...half]).map(bf16);
    const upper = levels.slice(-count);
    const cells = Array.from(value, (v) => levels.length - count + nearest(upper, v));
    cells[Codebook.CellCount - 1] = levels.length - count + nearest(upper, limit);
    let error = 0;
    cells.forEach((code, i) => {
      error += squares[i]! - 2 * sum[i]! * levels[code]! + weight[i]! * levels[code]! ** 2;
    });
    return { table: { levels, cells, scale, shift, flip: even ? 0 : levels.length - 1 }, error };
  };

  let best = tableAt(1, 1);
  const consider = (scale: number, shift: number) => {
    const found = tableAt(Math.fround(scale), Math.fround(shift));
    if (found.error < best.error) best = found;
  };
  const scales = quick ? 16 : 48;
  for (const shift of STARTS) for (let i = 0; i < scales; i++) consider(0.25 * 32 ** (i / scales), shift);
  for (let width = quick ? 0.09 : 0.04; width > (quick ? 0.01 : 0.002); width /= quick ? 3 : 1.5) {
    const { scale, shift } = best.table;
    for (let i = -3; i <= 3; i++) for (let j = -3; j <= 3; j++) consider(scale * (1 + (width * i) / 3), shift * (1 + (width * j) / 3));
  }
  return best.table;
}

/**
 * Cells over x itself, to the right or to the left of where the first one begins, at `start`: v = origin + scale·(x - start). What lies on
 * the other side of it is the first cell, so both ends of the line have a cell of their own, and both limits of f′ are levels.
 */
function fitSigned(df: Fn, { bits, density, from, to, quick }: Required<Fit>): Table {
  const points = sample(df, density, from, to);
  const step = (to - from) / samples;
  const moments = [runningSum(points, () => 1), runningSum(points, (v) => v), runningSum(points, (v) => v * v)];
  const [least, most] = [Math.min(...points.value), Math.max(...points.value)];
  // As with an even f′: where 0 is the least that f′ comes to, a sixty-fourth of the peak stands for it.
  const limits = [df(-1e6), df(1e6)].map((v) => bf16(v === 0 && least >= 0 ? most / 64 : v)) as [number, number];
  const pins = [...new Set(limits)].sort((a, b) => a - b);

  const tableAt = (scale: number, start: number, origin: number): Candidate => {
    const isRight = scale > 0;
    // Samples before each cell's start, counted the way that the cells run.
    const ends = Array.from({ length: Codebook.CellCount + 1 }, (_, c) => {
      if (c === 0) return isRight ? 0 : samples;
      if (c === Codebook.CellCount) return isRight ? samples : 0;
      const x = start + (startOf(c, origin) - origin) / scale;
      return Math.min(Math.max(Math.round((x - from) / step), 0), samples);
    });
    const [weight, sum, squares] = moments.map((m) =>
      Float64Array.from({ length: Codebook.CellCount }, (_, c) => (isRight ? 1 : -1) * (m[ends[c + 1]!]! - m[ends[c]!]!)),
    ) as [Float64Array, Float64Array, Float64Array];
    const [first, last] = isRight ? limits : [limits[1], limits[0]];
    const value = sum.map((s, i) => (weight[i]! > 0 ? s / weight[i]! : i === 0 ? first : last));
    const levels = kMeans({ value, weight }, 2 ** bits, ...pins).map(bf16);
    const cells = Array.from(value, (v) => nearest(levels, v));
    cells[0] = nearest(levels, first);
    cells[Codebook.CellCount - 1] = nearest(levels, last);
    let error = 0;
    cells.forEach((code, i) => {
      error += squares[i]! - 2 * sum[i]! * levels[code]! + weight[i]! * levels[code]! ** 2;
    });
    return { table: { levels, cells, scale, shift: Math.fround(origin - scale * start), flip: 0, origin }, error };
  };

  let best: (Candidate & { start: number }) | undefined;
  const consider = (scale: number, start: number, origin: number) => {
    const found = tableAt(Math.fround(scale), start, Math.fround(origin));
    if (best === undefined || found.error < best.error) best = { ...found, start };
  };
  const [scales, starts] = quick ? [8, 16] : [32, 120];
  for (const origin of quick ? STARTS.filter((_, i) => i % 3 === 0) : STARTS)
    for (let i = 0; i < scales; i++)
      for (let j = 0; j <= starts; j++)
        for (const way of [1, -1]) consider(way * 0.25 * 64 ** (i / scales), -6 + (12 * j) / starts, origin);
  for (let width = quick ? 0.09 : 0.08; width > (quick ? 0.01 : 0.002); width /= quick ? 3 : 1.5) {
    const { table, start } = best!;
    for (let i = -2; i <= 2; i++)
      for (let j = -2; j <= 2; j++)
        for (let k = -2; k <= 2; k++)
          consider(table.scale * (1 + (width * i) / 2), start + width * j, table.origin! * (1 + (width * k) / 2));
  }
  return best!.table;
}

/** The record of a table, as assembly/abi/codebook.ts draws it. */
export function codebookBytes(table: Table): Uint8Array {
  const { levels, cells, scale, shift, flip, origin } = table;
  if (levels.length > 16 || cells.length !== Codebook.CellCount)
    throw new InputError({
      where: 'codebook',
      what: 'size',
      got: `${levels.length} levels, ${cells.length} cells`,
      expected: `at most 16 and exactly ${Codebook.CellCount}`,
    });
  const bytes = new Uint8Array(Codebook.Bytes);
  const data = new DataView(bytes.buffer);
  bytes.set(cells, Codebook.Cells);
  levels.forEach((level, i) => {
    const bits = bitsOf(bf16(level)) >>> 16;
    bytes[Codebook.LevelLow + i] = bits & 255;
    bytes[Codebook.LevelHigh + i] = bits >>> 8;
  });
  data.setFloat32(Codebook.Scale, scale, true);
  data.setFloat32(Codebook.Shift, shift, true);
  data.setInt32(Codebook.Flip, flip, true);
  data.setFloat32(Codebook.Origin, origin ?? 0, true);
  return bytes;
}
