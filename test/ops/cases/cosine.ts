/** Biases by distance and factors of heads, as Swin V2's authors define them. */
import { close, numbers } from '../../support/close.ts';
import { type Direct, plain } from '../table.ts';

function table(hidden: number, heads: number, [wh, ww]: readonly [number, number], [tall, wide]: readonly [number, number]): Direct {
  const [w1, b1, w2] = [numbers(2 * hidden, 3, 1), numbers(hidden, 4, 1), numbers(heads * hidden, 5, 1)];
  const shape = [(2 * wh - 1) * (2 * ww - 1), heads];
  const counted = (d: number, n: number): number => Math.sign(d) * Math.log2(1 + (8 * Math.abs(d)) / Math.max(1, n - 1)) * (1 / 3);
  return {
    op: 'PositionTable',
    name: `PositionTable ${wh}×${ww} of ${tall}×${wide}, ${hidden} units, ${heads} heads`,
    phase: 'init',
    inputs: [plain(w1, [hidden, 2], 'frozen'), plain(b1, [hidden], 'frozen'), plain(w2, [heads, hidden], 'frozen')],
    updates: [plain(new Float32Array(shape[0]! * heads), shape, 'frozen')],
    attributes: { wh, ww, tall, wide },
    check(_outputs, [bytes]) {
      const want = Float64Array.from({ length: shape[0]! * heads }, (_, at) => {
        const [row, h] = [Math.floor(at / heads), at % heads];
        const [dy, dx] = [counted(Math.floor(row / (2 * ww - 1)) - wh + 1, tall), counted((row % (2 * ww - 1)) - ww + 1, wide)];
        let sum = 0;
        for (let i = 0; i < hidden; i++) sum += Math.max(0, w1[2 * i]! * dy + w1[2 * i + 1]! * dx + b1[i]!) * w2[h * hidden + i]!;
        return 16 / (1 + Math.exp(-sum));
      });
      close(new Float32Array(bytes!.slice().buffer), want, 1e-6, 'table');
    },
  };
}

function factors(logarithms: readonly number[], d: number): Direct {
  const heads = logarithms.length;
  return {
    op: 'HeadFactors',
    name: `HeadFactors of ${heads} heads, ${d} channels`,
    phase: 'init',
    inputs: [plain(Float32Array.from(logarithms), [heads], 'frozen')],
    updates: [plain(new Float32Array(heads * d), [heads * d], 'frozen')],
    check(_outputs, [bytes]) {
      const want = Float64Array.from({ length: heads * d }, (_, i) => Math.exp(Math.min(logarithms[Math.floor(i / d)]!, Math.log(100))));
      close(new Float32Array(bytes!.slice().buffer), want, 1e-6, 'factors');
    },
  };
}

export const cosineCases: readonly Direct[] = [
  table(7, 3, [4, 3], [4, 3]),
  table(5, 2, [4, 6], [3, 8]),
  table(4, 1, [1, 2], [1, 2]),
  factors([-1, 0, 2.5, 4.7, 50], 3),
  factors([1], 32),
];
