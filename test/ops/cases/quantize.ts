/** int8 copies: rows, channels of every tail size, groups of one and of several, and what no int8 can hold. */
import * as assert from 'uvu/assert';
import { group4RowBytes, group8Bytes } from '../../../assembly/abi/sizes.ts';
import { f32, u8 } from '../../../src/graph/graph.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { decodeGroup4, decodeGroup8 } from '../../oracle/groups.ts';
import { numbers } from '../../support/close.ts';
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
    attributes: { shape: [rows, c] },
    types: [f32(rows, c)],
    check([y]) {
      assert.equal([...new Float32Array(y!.buffer)], [...decodeGroup8(bytes, rows, c, groups).values]);
    },
  };
}

/** 4 bits: every value within half a step of its own, the step a fifteenth of its group's range. */
function quantize4(rows: number, c: number, data?: Float32Array): Direct {
  const x = data ?? numbers(rows * c, rows + c, 3);
  return {
    op: 'Quantize',
    name: `Quantize [${rows}]×${c} to 4 bits${data ? ', special values' : ''}`,
    phase: 'train',
    inputs: [plain(x, [rows, c], 'batch')],
    attributes: { bits: 4 },
    types: [u8(rows * group4RowBytes(c))],
    check([bytes]) {
      const { values, step } = decodeGroup4(bytes!, rows, c);
      for (let r = 0; r < rows; r++) {
        const isWhole = x.subarray(r * c, (r + 1) * c).every(Number.isFinite);
        for (let first = 0; first < c; first += 64) {
          const group = x.subarray(r * c + first, r * c + Math.min(c, first + 64));
          const [low, high] = [Math.min(...group), Math.max(...group)];
          const range = Math.fround(high - low);
          group.forEach((v, i) => {
            const [got, s] = [values[r * c + first + i]!, step[r * c + first + i]!];
            if (!isWhole || !Number.isFinite(range)) {
              assert.not.ok(Number.isFinite(got), `${got} in a row or group without a finite range`);
              return;
            }
            // The minimum is rounded down to bf16, 2⁻⁷ of itself at most, and the step up; a step under 1e-30 is none.
            const widest = range + Math.abs(low) / 128;
            assert.ok(s <= (widest / 15) * (1 + 1 / 128), `step ${s} for a range of ${range}`);
            assert.ok(Math.abs(got - v) <= (s > 0 ? 0.51 * s : widest), `${got} for ${v}, step ${s}`);
          });
        }
      }
    },
  };
}

function dequantize4(rows: number, c: number): Direct {
  const bytes = new Uint8Array(rows * group4RowBytes(c)).map((_, i) => (i * 53 + 7) & 255);
  const view = new DataView(bytes.buffer);
  const groups = Math.ceil(c / 64);
  // Headers: a minimum and a step in bf16.
  for (let g = 0; g < rows * groups; g++) {
    const at = Math.floor(g / groups) * group4RowBytes(c) + (g % groups) * 4;
    view.setUint16(at, 0xbf80 - g, true);
    view.setUint16(at + 2, g % 3 === 2 ? 0 : 0x3e00 + g, true);
  }
  return {
    op: 'Dequantize',
    name: `Dequantize [${rows}]×${c} from 4 bits`,
    phase: 'train',
    inputs: [plain(bytes, [bytes.length], 'batch')],
    attributes: { shape: [rows, c], bits: 4 },
    types: [f32(rows, c)],
    check([y]) {
      assert.equal([...new Float32Array(y!.buffer)], [...decodeGroup4(bytes, rows, c).values]);
    },
  };
}

const broken = (value: number, c: number, at: number): Float32Array => numbers(3 * c, 8).map((v, i) => (i === c + at ? value : v));

export const quantizeCases: readonly Direct[] = [
  ...[...TAILS, 67, 96, 130, 192].flatMap((c) => [quantize([5], c), dequantize(5, c)]),
  ...[...TAILS, 67, 96, 130, 192].flatMap((c) => [quantize4(5, c), dequantize4(5, c)]),
  ...[5, 16, 33, 128].map((c) => quantize4(6, c, extremes(c))),
  ...[Number.NaN, Infinity, -Infinity].flatMap((value) =>
    [0, 31, 32].map((at) => ({
      ...quantize4(3, 33, broken(value, 33, at)),
      name: `Quantize [3]×33 to 4 bits, ${value} at ${at} of row 1`,
    })),
  ),
  ...TAILS.map((rows) => quantize([rows], 10)),
  quantize([2, 3, 5], 24),
  ...[5, 16, 33, 128].map((c) => quantize([6], c, extremes(c))),
  ...[Number.NaN, Infinity, -Infinity].flatMap((value) =>
    [0, 15, 16, 32].map((at) => ({ ...quantize([3], 33, broken(value, 33, at)), name: `Quantize [3]×33, ${value} at ${at} of row 1` })),
  ),
];
