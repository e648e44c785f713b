/** Maps of another size, larger and smaller, by every rule of where a pixel lies. */
import { Resizing } from '../../../assembly/abi/ops/resize.ts';
import { type Forward, type Numbers, x } from '../table.ts';
import { specials, TAILS } from './tails.ts';

/** The pixels, with their weights, that pixel i of `out` is made of, of `size`. */
function taps(i: number, size: number, out: number, mode: Resizing): [number, number][] {
  const last = size - 1;
  if (mode === Resizing.Nearest) return [[Math.floor((i * size) / out), 1]];
  if (mode === Resizing.NearestCentre) return [[Math.floor(((2 * i + 1) * size) / (2 * out)), 1]];
  const corner = out > 1 ? (i * last) / (out - 1) : 0;
  const at = mode === Resizing.Centre ? Math.max(((i + 0.5) * size) / out - 0.5, 0) : mode === Resizing.Corners ? corner : (i * size) / out;
  const low = Math.min(Math.floor(at), last);
  return low === last
    ? [[last, 1]]
    : [
        [low, 1 - (at - low)],
        [low + 1, at - low],
      ];
}

function resized([h, width]: [number, number], [oh, ow]: [number, number], c: number, mode: Resizing, special = false): Forward {
  const [batch, image] = [2, [2, h, width, c]];
  const each = (visit: (x: number, y: number, weight: number) => void): void => {
    for (let b = 0; b < batch; b++)
      for (let i = 0; i < oh; i++)
        for (let j = 0; j < ow; j++)
          for (const [r, a] of taps(i, h, oh, mode))
            for (const [s, v] of taps(j, width, ow, mode))
              for (let k = 0; k < c; k++) visit(((b * h + r) * width + s) * c + k, ((b * oh + i) * ow + j) * c + k, a * v);
  };
  return {
    op: 'Resize',
    name: `Resize ${h}×${width} → ${oh}×${ow}, ${c} channels, mode ${mode}${special ? ', special values' : ''}`,
    inputs: [x(image, special ? specials(batch * h * width * c, 1) : undefined)],
    attributes: { oh, ow, mode },
    shape: [batch, oh, ow, c],
    f(v) {
      const y = new Float64Array(batch * oh * ow * c);
      each((i, k, weight) => {
        y[k]! += v[0]![i]! * weight;
      });
      return y;
    },
    analytic(_v: readonly Numbers[], dy: Numbers) {
      const dx = new Float64Array(batch * h * width * c);
      each((i, k, weight) => {
        dx[i]! += dy[k]! * weight;
      });
      return [dx];
    },
    kept: [0, 0],
  };
}

const MODES = [Resizing.Nearest, Resizing.NearestCentre, Resizing.Centre, Resizing.Corners, Resizing.Edge];

export const resizeCases: readonly Forward[] = [
  ...TAILS.map((c) => resized([3, 4], [6, 8], c, Resizing.Centre)),
  ...MODES.flatMap((mode) => [
    resized([3, 5], [6, 10], 4, mode),
    resized([4, 3], [7, 11], 5, mode),
    resized([7, 9], [3, 4], 6, mode),
    resized([5, 4], [5, 4], 3, mode),
    resized([1, 6], [4, 1], 8, mode),
    resized([3, 4], [5, 7], 9, mode, true),
  ]),
];
