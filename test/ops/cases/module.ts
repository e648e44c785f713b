/** The operators of the prompt and side modules. */
import { adaptivePool, adaptivePoolBackward, broadcastAdd, channelPool, channelPoolBackward } from '../../oracle/module.ts';
import { type Forward, frozen, type Numbers, w, x } from '../table.ts';
import { specials, TAILS } from './tails.ts';

type Learns = readonly [boolean, boolean];

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

interface Prompt {
  /** Shape of what is added, where it is not that of a picture. */
  p?: readonly number[];
  /** What is added is a parameter itself. */
  isParameter?: boolean;
  learns?: Learns;
  special?: boolean;
}

function prompt(image: readonly number[], options: Prompt = {}): Forward {
  const { p = image.slice(1), isParameter = false, learns = [true, true], special = false } = options;
  const operands = special ? [x(image, specials(size(image), 1)), x(p, specials(size(p), 2))] : [x(image), (isParameter ? w : x)(p)];
  return {
    op: 'BroadcastAdd',
    name: `BroadcastAdd [${image}] + [${p}], learns ${learns.map(Number)}${isParameter ? ', a parameter' : ''}${special ? ', special values' : ''}`,
    inputs: operands.map((o, i) => (learns[i] ? o : frozen(o))),
    shape: image,
    f: (v) => broadcastAdd(v[0]!, v[1]!),
    kept: [0, 0],
    ...(special && {
      analytic: (_: readonly Numbers[], dy: Numbers) => [
        dy,
        Float64Array.from({ length: size(p) }, (_, i) => Array.from(dy).reduce((sum, g, j) => (j % size(p) === i ? sum + g : sum), 0)),
      ],
    }),
  };
}

/** `middle`: axes between batch and channels. */
function channelPooling(
  middle: readonly number[],
  c: number,
  k: number,
  options: { first?: number; count?: number; special?: boolean } = {},
) {
  const p = size(middle);
  const { first = 0, count = p, special = false } = options;
  const shape = { batch: 2, p, c, k, first, count };
  const image = [2, ...middle, c];
  const one: Forward = {
    op: 'ChannelPool',
    name: `ChannelPool [${image}], ${k} channels, positions ${first}…${first + count - 1}${special ? ', special values' : ''}`,
    inputs: [special ? x(image, specials(size(image), 3)) : x(image)],
    attributes: { k, first, count },
    shape: [2, ...(count === p ? middle : [count]), c / k],
    f: (v) => channelPool(shape, v[0]!),
    kept: [0, 0],
    ...(special && { analytic: (_: readonly Numbers[], dy: Numbers) => [channelPoolBackward(shape, dy)] }),
  };
  return one;
}

function adaptivePooling([h, width]: [number, number], [oh, ow]: [number, number], c: number, special = false): Forward {
  const shape = { batch: 2, h, w: width, c, oh, ow };
  const image = [2, h, width, c];
  return {
    op: 'AdaptivePool',
    name: `AdaptivePool ${h}×${width} → ${oh}×${ow}, ${c} channels${special ? ', special values' : ''}`,
    inputs: [special ? x(image, specials(size(image), 4)) : x(image)],
    attributes: { oh, ow },
    shape: [2, oh, ow, c],
    f: (v) => adaptivePool(shape, v[0]!),
    kept: [0, 0],
    ...(special && { analytic: (_: readonly Numbers[], dy: Numbers) => [adaptivePoolBackward(shape, dy)] }),
  };
}

export const moduleCases: readonly Forward[] = [
  ...TAILS.map((n) => prompt([3, n])),
  prompt([2, 3, 5, 7]),
  prompt([2, 3, 5, 7], { p: [15, 7] }),
  prompt([1, 6]),
  prompt([3, 2, 5], { isParameter: true }),
  prompt([3, 9], { learns: [true, false] }),
  prompt([3, 9], { learns: [false, true] }),
  prompt([2, 17], { special: true }),
  ...TAILS.map((k) => channelPooling([3], 2 * k, k)),
  ...TAILS.map((small) => channelPooling([2], 3 * small, 3)),
  channelPooling([5], 16, 8, { first: 1, count: 4 }),
  channelPooling([5], 12, 4, { first: 0, count: 1 }),
  channelPooling([5], 12, 6, { first: 4, count: 1 }),
  channelPooling([2, 3], 8, 8),
  channelPooling([2, 3], 8, 4, { first: 2, count: 3 }),
  channelPooling([4], 20, 5, { first: 1, count: 2, special: true }),
  ...TAILS.map((c) => adaptivePooling([5, 3], [3, 2], c)),
  adaptivePooling([7, 7], [4, 4], 6),
  adaptivePooling([14, 14], [7, 7], 3),
  adaptivePooling([14, 7], [7, 14], 5),
  adaptivePooling([3, 2], [2, 3], 4),
  adaptivePooling([9, 1], [1, 1], 7),
  adaptivePooling([13, 11], [5, 10], 2),
  adaptivePooling([4, 4], [4, 4], 5),
  adaptivePooling([5, 7], [3, 4], 7, true),
];
