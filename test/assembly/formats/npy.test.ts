/** Heads of NumPy's files. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { axes, axis, dataOffset, isBigEndian, Kind, kind, readHead, size } from '../../../assembly/formats/npy.ts';
import { fault, gotFrom, gotTo, mend } from '../../../assembly/formats/scan.ts';

/** A file of version `major` with that dictionary, as NumPy pads it, and so many bytes of elements. */
function file(text: string, dataBytes: number, major = 1): Uint8Array {
  const start = major === 1 ? 10 : 12;
  const length = Math.ceil((start + text.length + 1) / 64) * 64 - start;
  const bytes = new Uint8Array(start + length + dataBytes).fill(0x20);
  bytes.set([0x93, ...new TextEncoder().encode('NUMPY'), major, 0]);
  const view = new DataView(bytes.buffer);
  if (major === 1) view.setUint16(8, length, true);
  else view.setUint32(8, length, true);
  bytes.set(new TextEncoder().encode(text), start);
  bytes[start + length - 1] = 0x0a;
  return bytes;
}
const read = (bytes: Uint8Array): string => (readHead((at) => bytes[at]!, bytes.length) ? '' : fault);
const dictionary = (descr: string, shape: string, order = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;

test('kinds, sizes, axes and where the elements begin, in all three versions', () => {
  for (const major of [1, 2, 3])
    for (const [descr, shape, bytes, expected] of [
      ["'|u1'", '(2, 3, 4, 3)', 72, [Kind.Uint, 1, 4, 2, 3]],
      ["'<i8'", '(5,)', 40, [Kind.Int, 8, 1, 5, 3]],
      ["'<f4'", '(0, 7)', 0, [Kind.Float, 4, 2, 0, 3]],
      ['"=f4"', '()', 4, [Kind.Float, 4, 0, 1, 3]],
      ["'u1'", '(3)', 3, [Kind.Uint, 1, 1, 3, 3]],
      ["'|b1'", '(3L, 1)', 3, [Kind.Bool, 1, 2, 3, 3]],
      ["'>f2'", '(1, 1, 1, 1, 1, 1, 1, 2)', 4, [Kind.Float, 2, 8, 1, 3]],
    ] as [string, string, number, number[]][]) {
      const made = file(dictionary(descr, shape), bytes, major);
      assert.is(read(made), '', descr);
      assert.equal([kind, size, axes, axis(0)], expected.slice(0, 4));
      assert.is(dataOffset, made.length - bytes);
      assert.is(isBigEndian, descr.includes('>'));
    }
});

test('what is wrong is named, with what helps', () => {
  const foreign = 'has a header that NumPy would not write';
  const good = dictionary("'|u1'", '(4,)');
  for (const [bytes, wrong] of [
    [new Uint8Array(9), 'is not a .npy file'],
    [new Uint8Array(64), 'is not a .npy file'],
    [file(good, 4, 4), 'is a .npy file of an unknown version'],
    [file(good, 4).subarray(0, 70), 'is cut off'],
    [file(good, 3), 'has the wrong number of bytes'],
    [file(dictionary("'|u1'", '(2, 2)', 'True'), 4), 'lies column by column (fortran_order)'],
    [file(dictionary("'|u1'", '(1, 1, 1, 1, 1, 1, 1, 1, 1)'), 1), 'has too many axes'],
    [file(dictionary("[('a', '<f4'), ('b', '<i4')]", '(1,)'), 8), 'holds records of several fields'],
    [Uint8Array.of(0x50, 0x4b, 3, 4), 'is a .npz file, several arrays in one'],
    [file(dictionary("'<f8'", '(99999999999, 99999999999)'), 4), 'has an impossible shape'],
    [file(dictionary("'<c8'", '(1,)'), 8), 'holds elements of a type that is not read'],
    [file(dictionary("'<U3'", '(1,)'), 12), 'holds elements of a type that is not read'],
    [file(dictionary("'!f4'", '(1,)'), 4), foreign],
    [file("{'descr': '|u1', 'descr': '|u1', 'shape': (4,)}", 4), foreign],
    [file("{'descr': '|u1', 'shape': (4,)}", 4), foreign],
    [file(`${good} x`, 4), foreign],
    [file("['descr']", 4), foreign],
    [file(dictionary("'|u1'", '(-4,)'), 4), foreign],
    [file(dictionary("'|u1'", '(4,)', 'Falsy'), 4), foreign],
  ] as const)
    assert.is(read(bytes), wrong);
  const complex = file(dictionary("'<c16'", '(1,)'), 16);
  read(complex);
  assert.is(new TextDecoder().decode(complex.subarray(gotFrom, gotTo)), '<c16');
  assert.match(mend, /np\.abs/);
});

test.run();
