/** int8 copies: rows, channels of every tail size, groups of one and of several, and what no int8 can hold. */
import * as assert from 'uvu/assert';
import { f32, u8 } from '../../../src/graph.ts';
import { group8Bytes } from '../../../src/groups.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { numbers } from '../../close.ts';
import { decodeGroup8 } from '../../oracle/groups.ts';
import { type Direct, plain } from '../table.ts';
import { specials, TAILS } from './tails.ts';

const LARGE = 3e38;
/** A group of each kind: ordinary, zeros, too small, as large as f32 goes, mixed signs of zero, one value alone. */
const extremes = (c: number): Float32Array =>
  Float32Array.from(
    [
      numbers(c, 1),
      new Float32Array(c),
      numbers(c, 2, 1e-32),
      numbers(c, 3).map((v) => LARGE * Math.sign(v)),
      specials(c, 1),
      numbers(c, 4).map((v, i) => (i === c - 1 ? v : 0)),
    ].flatMap((row) => [...row]),
  );

function quantize(lead: readonly number[], c: number, data?: Float32Array): Direct {
  const rows = lead.reduce((a, b) => a * b, 1);
  const groups = groupsOf(c);
  const x = data ?? numbers(rows * c, rows + c, 3);
  return {
    op: 'Quantize',
    name: `Quantize [${lead}]×${c}${data ? ', special values' : ''}`,
    phase: 'train',
    inputs: [plain(x, [...lead, c], 'batch')],
    types: [u8(group8Bytes(rows, c, groups))],
    check([bytes]) {
      const { values, scale } = decodeGroup8(bytes!, rows, c, groups);
      const n = c / groups;
      for (let g = 0; g < rows * groups; g++) {
        const group = x.subarray(g * n, (g + 1) * n);
        const top = group.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
        for (let i = 0; i < n; i++) {
          const at = g * n + i;
          const [got, s] = [values[at]!, scale[at]!];
          if (!Number.isFinite(top)) {
            assert.ok(Number.isNaN(got), `a value that is no number makes its group so, got ${got}`);
            continue;
          }
          const want = top < 1e-30 ? 0 : top / 127;
          assert.ok(s >= want * (1 - 3e-7) && s <= want * (1 + 1 / 128), `scale ${s}, expected ${want} in bf16, rounded up`);
          assert.ok(Math.abs(got - (want && group[i]!)) <= 0.5001 * s, `${got} for ${group[i]} in steps of ${s}`);
        }
      }
    },
  };
}

function dequantize(rows: number, c: number): Direct {
  const groups = groupsOf(c);
  const codes = Int8Array.from({ length: rows * c }, (_, i) => ((i * 37) % 255) - 127);
  const scales = numbers(rows * groups, 9).map((v, i) => [Math.abs(v), 0, 1e-32, 2e36][i % 4]!);
  const bytes = new Uint8Array(group8Bytes(rows, c, groups));
  bytes.set(new Uint8Array(codes.buffer));
  const bf16 = Uint16Array.from(new Uint32Array(scales.buffer), (bits) => bits >>> 16);
  bytes.set(new Uint8Array(bf16.buffer), bytes.length - 2 * scales.length);
  return {
    op: 'Dequantize',
    name: `Dequantize [${rows}]×${c}`,
    phase: 'train',
    inputs: [plain(bytes, [bytes.length], 'batch')],
    attributes: { rows, c },
    types: [f32(rows, c)],
    check([y]) {
      assert.equal([...new Float32Array(y!.buffer)], [...decodeGroup8(bytes, rows, c, groups).values]);
    },
  };
}

const broken = (value: number, c: number, at: number): Float32Array => numbers(3 * c, 8).map((v, i) => (i === c + at ? value : v));

export const quantizeCases: readonly Direct[] = [
  ...[...TAILS, 67, 96, 130, 192].flatMap((c) => [quantize([5], c), dequantize(5, c)]),
  ...TAILS.map((rows) => quantize([rows], 10)),
  quantize([2, 3, 5], 24),
  ...[5, 16, 33, 128].map((c) => quantize([6], c, extremes(c))),
  ...[Number.NaN, Infinity, -Infinity].flatMap((value) =>
    [0, 15, 16, 32].map((at) => ({ ...quantize([3], 33, broken(value, 33, at)), name: `Quantize [3]×33, ${value} at ${at} of row 1` })),
  ),
];
