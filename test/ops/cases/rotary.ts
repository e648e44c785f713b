/** Rotary positions: neighbours and halves, rows that stay, channels that stay; tables of grids. */
import { close, numbers } from '../../support/close.ts';
import { type Direct, type Forward, frozen, type Numbers, plain, w, x } from '../table.ts';
import { specials, TAILS } from './tails.ts';

interface Turn {
  batch: number;
  t: number;
  heads: number;
  d: number;
  turned: number;
  first: number;
  neighbours: 0 | 1;
}

function turned({ batch, t, heads, d, turned: r, first, neighbours }: Turn, values: Numbers, table: Numbers, sign: 1 | -1): Float64Array {
  const y = Float64Array.from(values);
  for (let b = 0; b < batch; b++)
    for (let row = first; row < t; row++)
      for (let h = 0; h < heads; h++)
        for (let i = 0; i < r / 2; i++) {
          const at = ((b * t + row) * heads + h) * d;
          const [u, v] = neighbours ? [at + 2 * i, at + 2 * i + 1] : [at + i, at + i + r / 2];
          const [cos, sin] = [table[(row - first) * r + i]!, sign * table[(row - first) * r + r / 2 + i]!];
          y[u] = values[u]! * cos - values[v]! * sin;
          y[v] = values[v]! * cos + values[u]! * sin;
        }
  return y;
}

function rotated(a: Turn, special = false): Forward {
  const { batch, t, heads, d, turned: r, first, neighbours } = a;
  const shape = [batch, t, heads * d];
  const angles = numbers((t - first) * (r / 2), 7, 2);
  const table = Float32Array.from({ length: (t - first) * r }, (_, i) => {
    const [row, k] = [Math.floor(i / r), i % r];
    return k < r / 2 ? Math.cos(angles[row * (r / 2) + k]!) : Math.sin(angles[row * (r / 2) + k - r / 2]!);
  });
  return {
    op: 'Rotary',
    name: `Rotary ${JSON.stringify(a)}${special ? ', special values' : ''}`,
    inputs: [x(shape, special ? specials(batch * t * heads * d, 1) : undefined), frozen(w([t - first, r], table))],
    attributes: { heads, first, neighbours },
    shape,
    f: (v) => turned(a, v[0]!, v[1]!, 1),
    analytic: (v, dy) => [turned(a, dy, v[1]!, -1)],
    kept: [0, 0],
  };
}

/** `place` of the i-th of n. */
function tabled(h: number, width: number, bands: number, theta: number, scale: number, centred: 0 | 1): Direct {
  const place = (i: number, n: number): number => (centred ? scale * ((2 * i + 1) / n - 1) : scale * i);
  return {
    op: 'RotaryTable',
    name: `RotaryTable ${h}×${width}, ${bands} bands, theta ${theta}${centred ? ', centred' : ''}`,
    phase: 'init',
    inputs: [],
    updates: [plain(new Float32Array(h * width * 4 * bands), [h * width, 4 * bands], 'frozen')],
    attributes: { h, w: width, theta, scale, centred },
    check(_outputs, [bytes]) {
      const want = Array.from({ length: h * width }, (_, at) => {
        const angles = Array.from({ length: 2 * bands }, (_, k) => {
          const where = k < bands ? place(Math.floor(at / width), h) : place(at % width, width);
          return where * theta ** (-(k % bands) / bands);
        });
        return [...angles.map(Math.cos), ...angles.map(Math.sin)];
      }).flat();
      close(new Float32Array(bytes!.slice().buffer), want, 1e-6, 'table');
    },
  };
}

/** Sine and cosine beside each other; place i of n is scale·(i+1)/n. */
function waves(h: number, width: number, bands: number, theta: number, scale: number): Direct {
  return {
    op: 'WaveTable',
    name: `WaveTable ${h}×${width}, ${bands} bands, theta ${theta}`,
    phase: 'init',
    inputs: [],
    updates: [plain(new Float32Array(h * width * 4 * bands), [h * width, 4 * bands], 'frozen')],
    attributes: { h, w: width, theta, scale },
    check(_outputs, [bytes]) {
      const want = Array.from({ length: h * width }, (_, at) =>
        [(Math.floor(at / width) + 1) / h, ((at % width) + 1) / width].flatMap((place) =>
          Array.from({ length: bands }, (__, k) => scale * place * theta ** (-k / bands)).flatMap((angle) => [
            Math.sin(angle),
            Math.cos(angle),
          ]),
        ),
      ).flat();
      close(new Float32Array(bytes!.slice().buffer), want, 1e-6, 'table');
    },
  };
}

const ONE: Turn = { batch: 2, t: 5, heads: 2, d: 8, turned: 8, first: 1, neighbours: 0 };

export const rotaryCases: readonly Forward[] = [
  ...TAILS.flatMap((n) => ([0, 1] as const).map((neighbours) => rotated({ ...ONE, t: 3, d: 2 * n, turned: 2 * n, neighbours }))),
  rotated({ ...ONE, first: 0 }),
  rotated({ ...ONE, first: 4, neighbours: 1 }),
  rotated({ ...ONE, d: 11, turned: 6 }),
  rotated({ ...ONE, d: 11, turned: 6, neighbours: 1 }),
  rotated({ ...ONE, heads: 3 }, true),
];

export const rotaryTableCases: readonly Direct[] = [
  tabled(3, 4, 5, 10000, 1, 0),
  tabled(4, 2, 16, 100, Math.fround(2 * Math.PI), 1),
  tabled(1, 1, 1, 100, Math.fround(2 * Math.PI), 1),
  waves(3, 4, 5, 10000, Math.fround(2 * Math.PI)),
  waves(7, 2, 16, 10000, Math.fround(2 * Math.PI)),
  waves(1, 1, 1, 100, 1),
];
