/** Parts of an axis, first, middle and last: of one and of many, at the begin, within and at the end. */
import { concat, slice } from '../../oracle/shapes.ts';
import { type Forward, frozen, type Numbers, x } from '../table.ts';
import { specials, TAILS } from './tails.ts';

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function joined(lead: readonly number[], counts: readonly number[], rest: readonly number[], learns?: readonly boolean[]): Forward {
  const axis = lead.length;
  const shapes = counts.map((n) => [...lead, n, ...rest]);
  const shape = [...lead, counts.reduce((a, b) => a + b, 0), ...rest];
  return {
    op: 'Concat',
    name: `Concat [${lead}] ${counts.join('+')} [${rest}]${learns ? `, learns ${learns.map(Number)}` : ''}`,
    inputs: shapes.map((s, i) => (learns && !learns[i] ? frozen(x(s)) : x(s))),
    attributes: { axis },
    shape,
    f: (v) => concat(v, shapes, axis),
    analytic: (_v, dy) =>
      counts.map((n, i) =>
        slice(
          dy,
          shape,
          axis,
          counts.slice(0, i).reduce((a, b) => a + b, 0),
          n,
        ),
      ),
    kept: [0, 0],
  };
}

function sliced(shape: readonly number[], axis: number, from: number, count: number, special = false): Forward {
  const y = shape.map((n, i) => (i === axis ? count : n));
  const before = shape.map((n, i) => (i === axis ? from : n));
  const after = shape.map((n, i) => (i === axis ? n - from - count : n));
  return {
    op: 'Slice',
    name: `Slice [${shape}] axis ${axis}, ${count} from ${from}${special ? ', special values' : ''}`,
    inputs: [x(shape, special ? specials(size(shape), 2) : undefined)],
    attributes: { axis, from, count },
    shape: y,
    f: (v) => slice(v[0]!, shape, axis, from, count),
    analytic: (_v: readonly Numbers[], dy: Numbers) => [
      concat([new Float64Array(size(before)), dy, new Float64Array(size(after))], [before, y, after], axis),
    ],
    kept: [0, 0],
  };
}

function reshaped(from: readonly number[], to: readonly number[]): Forward {
  return {
    op: 'Reshape',
    name: `Reshape [${from}] to [${to}]`,
    inputs: [x(from)],
    attributes: { shape: to },
    shape: to,
    f: (v) => Float64Array.from(v[0]!),
    analytic: (_v, dy) => [dy],
    kept: [0, 0],
  };
}

export const joinCases: readonly Forward[] = [
  ...TAILS.map((n) => joined([3], [n, 5], [])),
  joined([2, 3, 2], [4, 8, 1, 3], []),
  joined([2], [1, 5], [7]),
  joined([2], [3, 1, 2], [2, 5]),
  joined([], [2, 3], [4, 3]),
  joined([5], [6], []),
  joined([2, 2], [1, 2, 3, 4, 5, 6, 7, 8], []),
  joined([2, 3], [4, 4], [], [true, false]),
  joined([2, 3], [5, 2], [], [false, true]),
  ...TAILS.map((n) => sliced([3, n + 2], 1, 1, n)),
  sliced([2, 5, 6], 1, 0, 1),
  sliced([2, 5, 6], 1, 1, 4),
  sliced([2, 5, 6], 2, 4, 2),
  sliced([4, 3, 2], 0, 1, 2),
  sliced([2, 3, 4, 6], 3, 0, 6),
  sliced([2, 9], 1, 3, 4, true),
  // Views.
  sliced([4, 4, 2], 0, 1, 2),
  sliced([1, 6, 4], 1, 2, 3),
  sliced([1, 1, 40], 2, 8, 9),
  sliced([4, 3, 4], 0, 0, 4),
  reshaped([2, 3, 4], [6, 4]),
  reshaped([2, 3, 4], [24]),
  reshaped([5], [1, 5, 1]),
];
