/** Two pictures in one by the definition, and the loss of them against its formula and finite differences. */
import { State } from '../../../assembly/abi/head.ts';
import { Stream } from '../../../assembly/abi/random.ts';
import { f32 } from '../../../src/graph/graph.ts';
import { philox } from '../../oracle/random.ts';
import { crossEntropy } from '../../oracle/simple.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, plain } from '../table.ts';
import { lossCase } from './crossentropy.ts';
import { SMOOTHING, stateBlock } from './state.ts';
import { TAILS } from './tails.ts';

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

function mix(how: How): Direct {
  const { batch, h, w, c, padding = [] } = how;
  const size = h * w * c;
  const pictures = numbers(batch * size, 40 + size, 2);
  const labels = Int32Array.from({ length: batch }, (_, b) => (padding.includes(b) ? -1 : b));
  const samples = Uint32Array.from({ length: batch }, (_, b) => b * 97 + 3);
  const state = stateBlock();
  new DataView(state.buffer).setUint32(State.Seed, SEED, true);
  return {
    op: 'Mix',
    name: `Mix [${batch},${h},${w},${c}] mixup ${how.mixup} cutmix ${how.cutmix}${padding.length > 0 ? `, ${padding.length} rows of padding` : ''}`,
    phase: 'train',
    inputs: [
      plain(pictures, [batch, h, w, c]),
      plain(labels, [batch], 'batch'),
      plain(samples, [batch], 'batch'),
      plain(state, [State.Bytes], 'state'),
    ],
    attributes: { mixup: how.mixup, cutmix: how.cutmix },
    types: [f32(batch, h, w, c), f32(batch)],
    check([y, shares]) {
      const want = Float64Array.from(pictures);
      const wanted = new Array<number>(batch).fill(1);
      for (let a = 0; a + 1 < batch; a += 2) {
        if (labels[a]! < 0 || labels[a + 1]! < 0) continue;
        const { share, cut } = drawn(samples[a]!, how);
        wanted[a] = share;
        wanted[a + 1] = share;
        const isCut = cut[2] > cut[0];
        for (let i = 0; i < size; i++) {
          const [row, column] = [Math.floor(i / (w * c)), Math.floor(i / c) % w];
          const isInside = row >= cut[0] && row < cut[2] && column >= cut[1] && column < cut[3];
          const own = isCut ? Number(!isInside) : share;
          const [u, v] = [pictures[a * size + i]!, pictures[(a + 1) * size + i]!];
          want[a * size + i] = own * u + (1 - own) * v;
          want[(a + 1) * size + i] = own * v + (1 - own) * u;
        }
      }
      close(new Float32Array(y!.buffer), want, 1e-6, 'pictures');
      close(new Float32Array(shares!.buffer), wanted, 1e-7, 'shares');
    },
  };
}

function loss(batch: number, n: number, train: boolean, spread = 3): Direct {
  const shares = Float32Array.from({ length: batch }, (_, b) => 0.15 + (0.7 * b) / batch);
  return lossCase({
    op: 'MixCrossEntropy',
    batch,
    n,
    train,
    spread,
    more: [plain(shares, [batch])],
    lossOf(row, label, b, labels) {
      const beside = labels[b ^ 1] ?? -1;
      const other = beside < 0 ? label : beside;
      return shares[b]! * crossEntropy(row, label, SMOOTHING) + (1 - shares[b]!) * crossEntropy(row, other, SMOOTHING);
    },
  });
}

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
    mix({ batch: 6, h: 3, w: 5, c: 4, ...chances, padding: [3, 5] }),
  ]),
  mix({ batch: 1, h: 4, w: 4, c: 3, mixup: 65536, cutmix: 0 }),
  mix({ batch: 4, h: 1, w: 1, c: 1, mixup: 30000, cutmix: 30000 }),
  ...TAILS.map((n) => loss(4, n, true)),
  ...TAILS.map((batch) => loss(batch, 5, batch % 2 === 0)),
  loss(2, 1000, true),
  loss(4, 9, true, 0),
  loss(4, 9, true, 300),
];
