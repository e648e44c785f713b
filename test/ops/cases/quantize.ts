/** Copies in 8 and 4 bits: rows, channels of every tail size, groups of one and of several, and what no code can hold. */
import * as assert from 'uvu/assert';
import { Keep } from '../../../assembly/abi/ops.ts';
import { f32, u8 } from '../../../src/graph.ts';
import { group4RowBytes, group8Bytes } from '../../../src/groups.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { numbers } from '../../close.ts';
import { decodeGroup4, decodeGroup8 } from '../../oracle/groups.ts';
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
    attributes: { keep: Keep.Group8 },
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
    attributes: { rows, c, keep: Keep.Group8 },
    types: [f32(rows, c)],
    check([y]) {
      assert.equal([...new Float32Array(y!.buffer)], [...decodeGroup8(bytes, rows, c, groups).values]);
    },
  };
}

/** In 4 bits: groups of 64 channels within a row. */
function quantize4(lead: readonly number[], c: number, data?: Float32Array): Direct {
  const rows = lead.reduce((a, b) => a * b, 1);
  const x = data ?? numbers(rows * c, rows + c, 3);
  return {
    op: 'Quantize',
    name: `Quantize [${lead}]×${c} to 4 bits${data ? ', special values' : ''}`,
    phase: 'train',
    inputs: [plain(x, [...lead, c], 'batch')],
    attributes: { keep: Keep.Group4 },
    types: [u8(rows * group4RowBytes(c))],
    check([bytes]) {
      const { values, step, minimum } = decodeGroup4(bytes!, rows, c);
      for (let row = 0; row < rows; row++)
        for (let from = 0; from < c; from += 64) {
          const at = row * c + from;
          const group = x.subarray(at, row * c + Math.min(from + 64, c));
          const [low, high] = [
            group.reduce((a, v) => (v < a || Number.isNaN(v) ? v : a)),
            group.reduce((a, v) => (v > a || Number.isNaN(v) ? v : a)),
          ];
          const span = Math.fround(high - low);
          if (!Number.isFinite(span)) {
            assert.ok(values.subarray(at, at + group.length).every(Number.isNaN), 'a range that f32 cannot hold makes its group NaN');
            continue;
          }
          assert.ok(
            minimum[at]! <= low && minimum[at]! >= low - Math.abs(low) / 127 - 1e-38,
            `minimum ${minimum[at]}, expected ${low} in bf16`,
          );
          const reach = high - minimum[at]!;
          assert.ok(reach < 15e-30 ? step[at] === 0 : step[at]! * 15 >= reach * (1 - 3e-7) && step[at]! * 15 <= reach * (1 + 1 / 120));
          group.forEach((v, i) => {
            assert.ok(
              Math.abs(values[at + i]! - v) <= Math.max(0.51 * step[at]!, 15e-30),
              `${values[at + i]} for ${v} in steps of ${step[at]}`,
            );
          });
        }
      const used = new Set(Array.from({ length: c }, (_, i) => (i >> 5) * 16 + (i & 15)));
      const codes = bytes!.length / rows - Math.ceil(c / 32) * 16;
      for (let i = 0; i < Math.ceil(c / 32) * 16; i++) if (!used.has(i)) assert.is(bytes![codes + i], 0, `code past ${c}`);
    },
  };
}

function dequantize4(rows: number, c: number): Direct {
  const bytes = Uint8Array.from({ length: rows * group4RowBytes(c) }, (_, i) => (i * 37) % 251);
  // Headers: minimum and step, ordinary numbers in bf16.
  for (let row = 0; row < rows; row++)
    for (let g = 0; g < Math.ceil(c / 64); g++) bytes.set([0x80 + g, 0xbf, 0x10 + row, 0x3e], row * group4RowBytes(c) + 4 * g);
  return {
    op: 'Dequantize',
    name: `Dequantize [${rows}]×${c} from 4 bits`,
    phase: 'train',
    inputs: [plain(bytes, [bytes.length], 'batch')],
    attributes: { rows, c, keep: Keep.Group4 },
    types: [f32(rows, c)],
    check([y]) {
      assert.equal([...new Float32Array(y!.buffer)], [...decodeGroup4(bytes, rows, c).values]);
    },
  };
}

const broken = (value: number, c: number, at: number): Float32Array => numbers(3 * c, 8).map((v, i) => (i === c + at ? value : v));

export const quantizeCases: readonly Direct[] = [
  ...[...TAILS, 67, 96, 130, 192].flatMap((c) => [quantize([5], c), dequantize(5, c), quantize4([5], c), dequantize4(5, c)]),
  ...TAILS.map((rows) => quantize([rows], 10)),
  quantize([2, 3, 5], 24),
  ...[5, 16, 33, 128].flatMap((c) => [quantize([6], c, extremes(c)), quantize4([6], c, extremes(c))]),
  ...[Number.NaN, Infinity, -Infinity].flatMap((value) =>
    [0, 15, 16, 32].flatMap((at) =>
      [quantize([3], 33, broken(value, 33, at)), quantize4([3], 33, broken(value, 33, at))].map((c) => ({
        ...c,
        name: `${c.name}: ${value} at ${at} of row 1`,
      })),
    ),
  ),
];
