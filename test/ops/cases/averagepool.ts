/** Means of windows: padding that counts and that does not, windows that end past the picture, steps that differ by axis. */
import { averagePool, averagePoolBackward, type Means } from '../../oracle/shapes.ts';
import { type Forward, x } from '../table.ts';
import { specials, TAILS } from './tails.ts';

function pooled(a: Omit<Means, 'c'>, c: number, special = false): Forward {
  const shape = { ...a, c };
  const image = [a.batch, a.h, a.width, c];
  const { batch: _, h: _h, width: _w, ...attributes } = a;
  return {
    op: 'AveragePool',
    name: `AveragePool ${JSON.stringify(a)}, ${c} channels${special ? ', special values' : ''}`,
    inputs: [x(image, special ? specials(a.batch * a.h * a.width * c, 3) : undefined)],
    attributes: { ...attributes },
    shape: [a.batch, a.oh, a.ow, c],
    f: (v) => averagePool(shape, v[0]!),
    analytic: (_v, dy) => [averagePoolBackward(shape, dy)],
    kept: [0, 0],
  };
}

const none = { top: 0, left: 0, bottom: 0, right: 0, padded: 0 };
const around = { top: 1, left: 1, bottom: 1, right: 1 };
const three = { batch: 2, h: 5, width: 4, r: 3, s: 3, stepY: 1, stepX: 1, oh: 5, ow: 4, ...around };
/** PyTorch's ceil_mode: the last window begins in the picture and ends past its padding. */
const ceiled = { batch: 1, h: 5, width: 7, r: 2, s: 2, stepY: 2, stepX: 2, oh: 3, ow: 4, ...none };

export const averagePoolCases: readonly Forward[] = [
  ...TAILS.map((c) => pooled({ batch: 2, h: 4, width: 6, r: 2, s: 2, stepY: 2, stepX: 2, oh: 2, ow: 3, ...none }, c)),
  pooled({ ...three, padded: 0 }, 6),
  pooled({ ...three, padded: 1 }, 33),
  pooled(ceiled, 5),
  pooled({ ...ceiled, padded: 1 }, 5),
  pooled({ ...ceiled, r: 3, s: 3, top: 1, left: 1, bottom: 1, right: 1, padded: 1 }, 8),
  pooled({ batch: 3, h: 6, width: 5, r: 4, s: 1, stepY: 1, stepX: 3, oh: 3, ow: 2, ...none }, 17),
  pooled({ batch: 1, h: 2, width: 2, r: 5, s: 5, stepY: 1, stepX: 1, oh: 2, ow: 2, top: 2, left: 2, bottom: 2, right: 2, padded: 0 }, 7),
  pooled({ batch: 1, h: 3, width: 3, r: 1, s: 1, stepY: 2, stepX: 2, oh: 2, ow: 2, ...none }, 4),
  pooled({ ...three, padded: 1 }, 9, true),
];
