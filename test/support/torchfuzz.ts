/**
 * Files of torch.save of which bytes were changed, cut off or put in: each is refused in one sentence, or seen as a safetensors file that is read
 * to its end. Half of the changes fall into a pickle, as instructions and names that stand in pickles.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../src/base/error.ts';
import type { ByteSource } from '../../src/base/files.ts';
import { openSource } from '../../src/formats/safetensors.ts';
import { openTorch } from '../../src/formats/torch/index.ts';
import { type FuzzReport, generator } from '../wasi/fuzz.ts';

const FOLDER = 'test/golden/torch';
/** What pickles are made of, and what they must not have. */
const WORDS = [
  ...['(', ')', '}', ']', 't', 'u', 's', 'e', 'a', 'R', 'Q', 'b', 'N', '.', '\x85', '\x86', '\x87', '\x88', '\x89', '\x81', '\x93'],
  ...[
    'q\0',
    'h\0',
    'h\x05',
    'r\xff\xff\xff\xff',
    'j\0\0\0\0',
    'K\x01',
    'M\xff\xff',
    'J\xff\xff\xff\xff',
    '\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f',
  ],
  ...['cos\nsystem\n', 'cbuiltins\neval\n', 'ctorch\nFloatStorage\n', 'ctorch\nLongStorage\n', 'ctorch._utils\n_rebuild_tensor_v2\n'],
  ...['ccollections\nOrderedDict\n', 'X\xff\xff\xff\x7f', 'X\x01\0\0\0a', 'U\x02ab', 'G\x7f\xf0\0\0\0\0\0\0', '\x80\x02'],
].map((word) => Buffer.from(word, 'latin1'));

type Random = (below: number) => number;

/** A stretch of the file in which its pickle lies, roughly. */
function pickleOf(bytes: Uint8Array): [from: number, bytes: number] {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('ccollections');
  return start < 0 ? [0, bytes.length] : [Math.max(0, start - 2), Math.min(1500, bytes.length - start)];
}

/** The file with one change. */
function changed(bytes: Uint8Array, random: Random): Uint8Array {
  const [from, length] = pickleOf(bytes);
  const inPickle = random(2) === 0;
  const at = inPickle ? from + random(length) : random(bytes.length);
  const word = WORDS[random(WORDS.length)]!;
  const kind = random(4);
  // Put in: every place behind it moves. Written over: the places stay true.
  if (kind === 0) return Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(at)]);
  const copy = Uint8Array.from(bytes);
  if (kind === 1) copy.set(word.subarray(0, Math.max(0, copy.length - at)), at);
  else if (kind === 2) copy[at] = random(256);
  else copy.copyWithin(at, random(bytes.length), random(bytes.length));
  return copy;
}

/** A file that is never written; a read beyond it is a fault of the reader's own. */
const inMemory = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  readAt(offset, target) {
    if (!(offset >= 0 && offset + target.length <= bytes.length)) throw new Error(`read from ${offset} to ${offset + target.length}`);
    target.set(bytes.subarray(offset, offset + target.length));
  },
  close: () => undefined,
});

export function fuzzTorch({ count, seed, onInput }: { count: number; seed: number; onInput(n: number): void }): FuzzReport {
  const random = generator(seed);
  const wholes = readdirSync(FOLDER)
    .filter((name) => /\.(pth|pt)$/.test(name))
    .sort()
    .map((name) => readFileSync(join(FOLDER, name)));
  const tally = { refused: 0, passed: 0 };
  const failures: string[] = [];
  for (let n = 0; n < count; n++) {
    onInput(n);
    const whole = wholes[n % wholes.length]!;
    let bytes: Uint8Array = n % 20 === 19 ? whole.subarray(0, random(whole.length)) : whole;
    for (let k = random(3); k >= 0 && bytes.length > 0; k--) bytes = changed(bytes, random);
    try {
      const file = openSource('weights.pth', openTorch('weights.pth', inMemory(bytes)));
      for (const tensor of file.tensors.values()) file.read(tensor, new Uint8Array(tensor.bytes));
      const all = file.files[0]!.source;
      all.readAt(0, new Uint8Array(all.size));
      file.close();
      tally.passed++;
    } catch (error) {
      if (error instanceof InputError && !error.message.includes('\n')) tally.refused++;
      else failures.push(`pickles ${n}: ${(error as Error).stack}`);
    }
  }
  return { readers: { 'torch.save files': tally }, failures };
}
