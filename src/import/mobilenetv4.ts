/** MobileNetV4 (arXiv 2404.10518): the stages of each size. */
import type { Run } from './chainrun.ts';

/** MobileNetV4's universal blocks: [repeats, first kernel, middle kernel, stride, expansion] each, of so many channels. */
const universal = (channels: number, ...runs: readonly (readonly [number, number, number, number, number])[]): Run[] =>
  runs.map(([repeats, start, kernel, stride, expansion]) => ['universal', repeats, kernel, stride, expansion, channels, { start }]);
const attention = (heads: number, channels: number, width: number, fewer = 1): Run => [
  'attention',
  1,
  3,
  1,
  heads,
  channels,
  { width, fewer },
];
/** Runs of universal blocks, each but the last followed by attention. */
const between = (attends: Run, channels: number, ...runs: Parameters<typeof universal>[1][]): Run[] =>
  runs.flatMap((run, i) => [...universal(channels, run), ...(i < runs.length - 1 ? [attends] : [])]);
/** Stages by size: of convolutions alone, and (hybrid) with attention between them. */
export const V4: Readonly<Record<string, Run[][]>> = {
  small: [
    [
      ['conv', 1, 3, 2, 1, 32],
      ['conv', 1, 1, 1, 1, 32],
    ],
    [
      ['conv', 1, 3, 2, 1, 96],
      ['conv', 1, 1, 1, 1, 64],
    ],
    universal(96, [1, 5, 5, 2, 3], [4, 0, 3, 1, 2], [1, 3, 0, 1, 4]),
    universal(128, [1, 3, 3, 2, 6], [1, 5, 5, 1, 4], [1, 0, 5, 1, 4], [1, 0, 5, 1, 3], [2, 0, 3, 1, 4]),
    [['conv', 1, 1, 1, 1, 960]],
  ],
  medium: [
    [['fused', 1, 3, 2, 4, 48]],
    universal(80, [1, 3, 5, 2, 4], [1, 3, 3, 1, 2]),
    // biome-ignore format: a line a stage
    universal(160, [1, 3, 5, 2, 6], [2, 3, 3, 1, 4], [1, 3, 5, 1, 4], [1, 3, 3, 1, 4], [1, 3, 0, 1, 4], [1, 0, 0, 1, 2], [1, 3, 0, 1, 4]),
    // biome-ignore format: a line a stage
    universal(256, [1, 5, 5, 2, 6], [1, 5, 5, 1, 4], [2, 3, 5, 1, 4], [1, 0, 0, 1, 4], [1, 3, 0, 1, 4], [1, 3, 5, 1, 2], [1, 5, 5, 1, 4], [2, 0, 0, 1, 4], [1, 5, 0, 1, 2]),
    [['conv', 1, 1, 1, 1, 960]],
  ],
  large: [
    [['fused', 1, 3, 2, 4, 48]],
    universal(96, [1, 3, 5, 2, 4], [1, 3, 3, 1, 4]),
    universal(192, [1, 3, 5, 2, 4], [3, 3, 3, 1, 4], [1, 3, 5, 1, 4], [5, 5, 3, 1, 4], [1, 3, 0, 1, 4]),
    // biome-ignore format: a line a stage
    universal(512, [4, 5, 5, 2, 4], [1, 5, 0, 1, 4], [1, 5, 3, 1, 4], [2, 5, 0, 1, 4], [1, 5, 3, 1, 4], [1, 5, 5, 1, 4], [3, 5, 0, 1, 4]),
    [['conv', 1, 1, 1, 1, 960]],
  ],
  hybrid_medium: [
    [['fused', 1, 3, 2, 4, 48]],
    universal(80, [1, 3, 5, 2, 4], [1, 3, 3, 1, 2]),
    [
      ...universal(160, [1, 3, 5, 2, 6], [1, 0, 0, 1, 2], [1, 3, 3, 1, 4]),
      ...between(attention(4, 160, 64, 2), 160, [1, 3, 5, 1, 4], [1, 3, 3, 1, 4], [1, 3, 0, 1, 4], [1, 3, 3, 1, 4], [1, 3, 0, 1, 4]),
    ],
    [
      // biome-ignore format: a line a stage
      ...universal(256, [1, 5, 5, 2, 6], [1, 5, 5, 1, 4], [2, 3, 5, 1, 4], [1, 0, 0, 1, 2], [1, 3, 5, 1, 2], [1, 0, 0, 1, 2]),
      ...between(attention(4, 256, 64), 256, [1, 0, 0, 1, 4], [1, 3, 0, 1, 4], [1, 5, 5, 1, 4], [1, 5, 0, 1, 4], [1, 5, 0, 1, 4]),
    ],
    [['conv', 1, 1, 1, 1, 960]],
  ],
  hybrid_large: [
    [['fused', 1, 3, 2, 4, 48]],
    universal(96, [1, 3, 5, 2, 4], [1, 3, 3, 1, 4]),
    [
      ...universal(192, [1, 3, 5, 2, 4], [3, 3, 3, 1, 4], [1, 3, 5, 1, 4], [1, 5, 3, 1, 4]),
      ...between(attention(8, 192, 48, 2), 192, [1, 5, 3, 1, 4], [1, 5, 3, 1, 4], [1, 5, 3, 1, 4], [1, 5, 3, 1, 4], [1, 3, 0, 1, 4]),
    ],
    [
      ...universal(512, [4, 5, 5, 2, 4], [1, 5, 0, 1, 4], [1, 5, 3, 1, 4], [2, 5, 0, 1, 4], [1, 5, 3, 1, 4]),
      ...between(attention(8, 512, 64), 512, [1, 5, 5, 1, 4], [1, 5, 0, 1, 4], [1, 5, 0, 1, 4], [1, 5, 0, 1, 4], [1, 5, 0, 1, 4]),
    ],
    [['conv', 1, 1, 1, 1, 960]],
  ],
};
