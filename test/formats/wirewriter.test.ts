/** Protocol buffers as they are written, against the examples of their own documentation and our reader. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { float, inside, int, ints, type Message, message, string } from '../../src/formats/wirewriter.ts';

const hex = ({ pieces, bytes }: Message): string => {
  const whole = Buffer.concat(pieces);
  assert.is(whole.length, bytes);
  return whole.toString('hex');
};

test('numbers, texts, messages, packed lists: the encoding guide of protobuf.dev', () => {
  assert.is(hex(int(1, 150)), '089601');
  assert.is(hex(string(2, 'testing')), '120774657374696e67');
  assert.is(hex(inside(3, int(1, 150))), '1a03089601');
  assert.is(hex(ints(6, [3, 270, 86942])), '3206038e029ea705');
  assert.is(hex(int(1, -2)), '08feffffffffffffffff01');
  assert.is(hex(float(2, 1)), '150000803f');
  assert.is(hex(message()), '');
});

test.run();
