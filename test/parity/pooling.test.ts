/** The adaptive pooling oracle against torch.nn.functional.adaptive_avg_pool2d (torch's numbers, six decimals). */
import { test } from 'uvu';
import { adaptivePool, adaptivePoolBackward } from '../oracle/module.ts';
import { close } from '../support/close.ts';

/** Pixel i of the picture is i² mod 17; the loss is Σ (j+1)·y_j. */
const check = (h: number, w: number, oh: number, ow: number, y: number[], dx: number[]): void => {
  const shape = { batch: 1, h, w, c: 1, oh, ow };
  const x = Float64Array.from({ length: h * w }, (_, i) => i ** 2 % 17);
  close(adaptivePool(shape, x), y, 1e-6, 'y');
  close(
    adaptivePoolBackward(
      shape,
      y.map((_, j) => j + 1),
    ),
    dx,
    1e-6,
    'dx',
  );
};

test('7×5 → 4×3: windows overlap both ways', () => {
  const y = [2.75, 7.333333, 12.75, 5.333333, 6.444445, 9.333333, 9.333333, 6.444445, 5.333333, 12.75, 7.333333, 2.75];
  const dx = [
    [0.25, 0.583333, 0.333333, 1.083333, 0.75],
    [0.916667, 1.805556, 0.888889, 2.638889, 1.75],
    [0.666667, 1.222222, 0.555556, 1.555556, 1],
    [1.833333, 3.277778, 1.444444, 3.944444, 2.5],
    [1.166667, 2.055556, 0.888889, 2.388889, 1.5],
    [3.666667, 6.388889, 2.722222, 7.222222, 4.5],
    [2.5, 4.333333, 1.833333, 4.833333, 3],
  ];
  check(7, 5, 4, 3, y, dx.flat());
});

test('3×14 → 2×7: rows overlap, columns do not', () => {
  const y = [3.5, 3.5, 7.25, 10.5, 9, 11.25, 13, 5.75, 6.5, 2.5, 6.5, 5.75, 13, 11.25];
  const dx = [0, 1, 2].flatMap((row) =>
    Array.from({ length: 14 }, (_, column) => {
      const j = column >> 1;
      return [j + 1, 2 * j + 9, j + 8][row]! / 4;
    }),
  );
  check(3, 14, 2, 7, y, dx);
});

test.run();
