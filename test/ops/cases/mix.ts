/** Two pictures in one by the definition. */
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { Stream } from '../../../assembly/abi/random.ts';
import { f32, i32 } from '../../../src/graph/graph.ts';
import { philox } from '../../oracle/random.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, plain } from '../table.ts';
import { stateBlock } from './state.ts';

const SEED = 77;

interface How {
  batch: number;
  h: number;
  w: number;
  c: number;
  mixup: number;
  cutmix: number;
  /** Rows whose label is none. */
  padding?: readonly number[];
  /** Place of the first picture in its batch. */
  from?: number;
  /** Whether the batch ends where the pass does. */
  lacks?: boolean;
}

/** What a pair is drawn: its share, and the rectangle [top, left, bottom, right). */
function drawn(counter: number, { h, w, mixup, cutmix }: How): { share: number; cut: [number, number, number, number] } {
  const [low, high] = philox(SEED, Stream.Mix, counter);
  const kind = low & 0xffff;
  const lambda = ((low >>> 16) + 0.5) / 65536;
  if (kind >= cutmix) return { share: kind < Math.min(65536, cutmix + mixup) ? Math.fround(lambda) : 1, cut: [0, 0, 0, 0] };
  const side = Math.sqrt(1 - lambda);
  const [tall, broad] = [Math.floor(side * h), Math.floor(side * w)];
  const y = Math.floor(((high & 0xffff) * h) / 65536) - (tall >> 1);
  const x = Math.floor(((high >>> 16) * w) / 65536) - (broad >> 1);
  const cut: [number, number, number, number] = [Math.max(0, y), Math.max(0, x), Math.min(h, y + tall), Math.min(w, x + broad)];
  return { share: Math.fround(1 - ((cut[2] - cut[0]) * (cut[3] - cut[1])) / (h * w)), cut };
}

/** One picture of a batch, by its place. */
interface Place {
  picture: Float32Array;
  label: number;
  sample: number;
}

function mix(how: How): Direct {
  const { batch, h, w, c, padding = [], from = 0, lacks = false } = how;
  const size = h * w * c;
  // Rows as they stand in the batch, the pass from `from` on and one to either side.
  const places = Array.from(
    { length: batch + 2 },
    (_, i): Place => ({ picture: numbers(size, 40 + size + i, 2), label: padding.includes(i - 1) ? -1 : i, sample: 1000 + from + i - 1 }),
  );
  const own = places.slice(1, -1);
  const apart: Place = from % 2 === 1 ? places[0]! : { ...places.at(-1)!, ...(lacks ? { label: -1 } : {}) };
  const state = stateBlock();
  new DataView(state.buffer).setUint32(State.Seed, SEED, true);
  const outside = [
    plain(apart.picture, [1, h, w, c]),
    plain(Int32Array.of(apart.label), [1], 'batch'),
    plain(Uint32Array.of(apart.sample), [1], 'batch'),
  ];
  const about = [
    ...(padding.length > 0 ? [`${padding.length} rows of padding`] : []),
    ...(from > 0 ? [`from ${from}`] : []),
    ...(lacks ? ['no partner'] : []),
  ];
  return {
    op: 'Mix',
    name: `Mix [${batch},${h},${w},${c}] mixup ${how.mixup} cutmix ${how.cutmix}${about.map((text) => `, ${text}`).join('')}`,
    phase: 'train',
    inputs: [
      plain(Float32Array.from(own.flatMap(({ picture }) => [...picture])), [batch, h, w, c]),
      plain(
        Int32Array.from(own, ({ label }) => label),
        [batch],
        'batch',
      ),
      plain(
        Uint32Array.from(own, ({ sample }) => sample),
        [batch],
        'batch',
      ),
      plain(state, [State.Bytes], 'state'),
      ...(batch % 2 === 1 ? outside : []),
    ],
    attributes: { mixup: how.mixup, cutmix: how.cutmix },
    types: [f32(batch, h, w, c), f32(batch), i32(batch)],
    check([y, shares, others]) {
      const got = new Float32Array(y!.buffer);
      for (const [b, place] of own.entries()) {
        const beside = ((b + from) ^ 1) - from;
        const mate = beside < 0 || beside >= batch ? apart : own[beside]!;
        const isAlone = place.label < 0 || mate.label < 0;
        const draw = isAlone ? ALONE : drawn(Math.min(place.sample, mate.sample), how);
        close(got.subarray(b * size, (b + 1) * size), mixture(place, mate, draw, how), 1e-6, `picture ${b}`);
        close([new Float32Array(shares!.buffer)[b]!], [draw.share], 1e-7, 'shares');
        assert.is(new Int32Array(others!.buffer)[b], isAlone ? -1 : mate.label);
      }
    },
  };
}
const ALONE: ReturnType<typeof drawn> = { share: 1, cut: [0, 0, 0, 0] };

/** The first of both with what is drawn of the other. */
const mixture = (own: Place, mate: Place, { share, cut }: ReturnType<typeof drawn>, { w, c }: How): Float64Array =>
  Float64Array.from(own.picture, (u, i) => {
    const [row, column] = [Math.floor(i / (w * c)), Math.floor(i / c) % w];
    const isInside = row >= cut[0] && row < cut[2] && column >= cut[1] && column < cut[3];
    const mine = cut[2] > cut[0] ? Number(!isInside) : share;
    return mine * u + (1 - mine) * mate.picture[i]!;
  });

const CASES = [
  { mixup: 65536, cutmix: 0 },
  { mixup: 0, cutmix: 65536 },
  { mixup: 20000, cutmix: 20000 },
  { mixup: 0, cutmix: 0 },
];
export const mixCases: readonly Direct[] = [
  ...CASES.flatMap((chances) => [
    mix({ batch: 12, h: 7, w: 9, c: 3, ...chances }),
    mix({ batch: 5, h: 8, w: 8, c: 1, ...chances }),
    mix({ batch: 5, h: 8, w: 8, c: 1, ...chances, from: 5 }),
    mix({ batch: 5, h: 8, w: 8, c: 1, ...chances, lacks: true }),
    mix({ batch: 3, h: 4, w: 3, c: 3, ...chances, from: 9, padding: [2] }),
    mix({ batch: 1, h: 4, w: 4, c: 3, ...chances }),
    mix({ batch: 1, h: 4, w: 4, c: 3, ...chances, from: 1 }),
    mix({ batch: 6, h: 3, w: 5, c: 4, ...chances, padding: [3, 5] }),
  ]),
  mix({ batch: 4, h: 1, w: 1, c: 1, mixup: 30000, cutmix: 30000 }),
];
