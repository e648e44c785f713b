import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gemmScratch } from '../../../assembly/abi/ops/dense.ts';
import { product } from '../../oracle/linear.ts';
import { close, numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

type Which = 'NT' | 'NN' | 'TN';
const PRODUCTS: Which[] = ['NT', 'NN', 'TN'];
/** Equal to, multiples of, less and more than the blocks (64 rows, 128 columns, depth 256) and the tile (2×16, 4×4 when packing). */
const SIZES = [
  [1, 1, 1],
  [2, 16, 4],
  [3, 17, 5],
  [1, 15, 256],
  [5, 33, 257],
  [64, 128, 256],
  [65, 129, 7],
  [66, 130, 300],
  [128, 20, 64],
  [63, 127, 31],
  [197, 197, 64],
  [130, 5, 513],
  [7, 8, 9],
  [6, 24, 40],
] as const;

const rig = openRig(16 << 20, 1 << 20);
const f32 = new Float32Array(rig.memory.buffer);

/** Lays matrices with padded rows into the arena; the padding is NaN, so a read of it that matters shows. */
function matrix(rows: number, columns: number, pad: number, data: ArrayLike<number>): { at: number; ld: number } {
  const ld = columns + pad;
  const at = rig.f32(rows * ld);
  f32.fill(Number.NaN, at / 4, at / 4 + rows * ld);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) f32[at / 4 + i * ld + j] = data[i * columns + j]!;
  return { at, ld: ld * 4 };
}

function multiply(which: Which, m: number, n: number, k: number, pad: number, bias: Float32Array | null, before: Float32Array | null) {
  rig.clear();
  const a = numbers(m * k, 1);
  const b = numbers(n * k, 2);
  const A = which === 'TN' ? matrix(k, m, pad, a) : matrix(m, k, pad, a);
  const B = which === 'NT' ? matrix(n, k, pad, b) : matrix(k, n, pad, b);
  const C = matrix(m, n, pad, before ?? new Float32Array(m * n).fill(Number.NaN));
  const rest = [C.at, C.ld];
  const accumulate = before ? 1 : 0;
  if (which === 'NT') {
    const at = bias ? rig.f32(bias) : 0;
    rig.kernels.gemmNT(m, n, k, A.at, A.ld, B.at, B.ld, C.at, C.ld, at, accumulate, rig.scratch);
  } else if (which === 'NN') rig.kernels.gemmNN(m, n, k, A.at, A.ld, B.at, B.ld, C.at, C.ld, accumulate, rig.scratch);
  else rig.kernels.gemmTN(m, n, k, A.at, A.ld, B.at, B.ld, C.at, C.ld, accumulate, rig.scratch);
  const out = new Float32Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n + pad; j++) {
      const v = f32[rest[0]! / 4 + (i * rest[1]!) / 4 + j]!;
      if (j < n) out[i * n + j] = v;
      else assert.ok(Number.isNaN(v), `${which} ${m}×${n}×${k} wrote past row ${i}`);
    }
  return { a, b, out };
}

for (const which of PRODUCTS) {
  test(`gemm${which} agrees with f64 at every tail, and writes nothing beside c`, () => {
    for (const [m, n, k] of SIZES)
      for (const pad of [0, 3]) {
        const { a, b, out } = multiply(which, m, n, k, pad, null, null);
        close(out, product(m, n, k, a, b, which === 'TN', which === 'NT'), 3e-6, `${m}×${n}×${k} pad ${pad}`);
      }
  });

  test(`gemm${which} accumulates`, () => {
    for (const [m, n, k] of SIZES) {
      const before = numbers(m * n, 9);
      const { a, b, out } = multiply(which, m, n, k, 1, null, before);
      const want = product(m, n, k, a, b, which === 'TN', which === 'NT').map((v, i) => v + before[i]!);
      close(out, want, 3e-6, `${m}×${n}×${k}`);
    }
  });

  test(`gemm${which} sums over k in index order, whatever the tiling`, () => {
    for (const [m, n, k] of [
      [3, 18, 300],
      [66, 5, 9],
    ] as const) {
      const { a, b, out } = multiply(which, m, n, k, 0, null, null);
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let l = 0; l < k; l++) {
            const x = which === 'TN' ? a[l * m + i]! : a[i * k + l]!;
            const y = which === 'NT' ? b[j * k + l]! : b[l * n + j]!;
            sum = Math.fround(sum + Math.fround(x * y));
          }
          assert.is(out[i * n + j], sum, `${m}×${n}×${k} at ${i},${j}`);
        }
    }
  });

  test(`gemm${which} with K = 0 is zero, or nothing to add`, () => {
    assert.equal(multiply(which, 3, 5, 0, 1, null, null).out, new Float32Array(15));
    const before = numbers(15, 4);
    assert.equal(multiply(which, 3, 5, 0, 1, null, before).out, before);
  });

  test(`gemm${which} reads nothing outside its operands`, () => {
    // Both operands in turn end where the memory ends: a read past them traps.
    const end = rig.memory.buffer.byteLength;
    for (const [m, n, k] of SIZES) {
      const other = 4 << 20;
      const c = 8 << 20;
      const lda = (which === 'TN' ? m : k) * 4;
      const ldb = (which === 'NT' ? k : n) * 4;
      for (const [a, b] of [
        [end - m * k * 4, other],
        [other, end - n * k * 4],
      ] as const)
        if (which === 'NT') rig.kernels.gemmNT(m, n, k, a, lda, b, ldb, c, n * 4, end - n * 4, 0, rig.scratch);
        else rig.kernels[`gemm${which}`](m, n, k, a, lda, b, ldb, c, n * 4, 0, rig.scratch);
    }
  });
}

test('gemmNT adds the bias once', () => {
  for (const [m, n, k] of [...SIZES, [3, 21, 0] as const])
    for (const before of [null, numbers(m * n, 5)]) {
      const bias = numbers(n, 6);
      const { a, b, out } = multiply('NT', m, n, k, 2, bias, before);
      const want = product(m, n, k, a, b, false, true).map((v, i) => v + bias[i % n]! + (before ? before[i]! : 0));
      close(out, want, 3e-6, `${m}×${n}×${k}`);
    }
});

test('not-a-number and infinity reach their own row or column and no other', () => {
  rig.clear();
  const [m, n, k] = [5, 21, 9];
  const a = numbers(m * k, 1);
  const b = numbers(n * k, 2);
  a[2 * k + 3] = Number.NaN;
  b[20 * k + 1] = Number.POSITIVE_INFINITY;
  const c = rig.f32(m * n);
  rig.kernels.gemmNT(m, n, k, rig.f32(a), k * 4, rig.f32(b), k * 4, c, n * 4, 0, 0, rig.scratch);
  const out = rig.readF32(c, m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) assert.is(Number.isFinite(out[i * n + j]!), i !== 2 && j !== 20, `at ${i},${j}`);
});

test('the scratch stays within gemmScratch()', () => {
  const end = rig.scratch + gemmScratch();
  for (const which of PRODUCTS) {
    new Uint8Array(rig.memory.buffer, end, 4096).fill(0xa5);
    multiply(which, 66, 143, 300, 0, null, null);
    assert.ok(
      new Uint8Array(rig.memory.buffer, end, 4096).every((v) => v === 0xa5),
      which,
    );
  }
});

test.run();
