/** Both forms of torch.save's files where pickle and storages do not fit each other. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import { openTorch } from '../../../src/formats/torch/index.ts';
import { newFolder, refused } from '../../support/folder.ts';
import { archive, p, zip } from '../../support/torchwrite.ts';

const path = join(newFolder(), 'x.pth');
const refuse = (bytes: Uint8Array, ...words: string[]): string => {
  writeFileSync(path, bytes);
  return refused(() => openTorch(path).close(), 'x.pth', ...words);
};
const floats = (n: number): Uint8Array => new Uint8Array(4 * n);
const pickle = p.whole(p.ordered([p.text('a'), p.tensor(p.storage('FloatStorage', '0', 4), [4], [1])]));

test('an archive', () => {
  writeFileSync(path, zip(archive(pickle, { 0: floats(4) })));
  openTorch(path).close();
  refuse(zip(archive(pickle)), 'data/0', 'is missing');
  refuse(zip(archive(pickle, { 0: floats(3) })), 'data/0', 'another size than its pickle says, got 12, expected 16');
  refuse(zip(archive(pickle, { 0: floats(5) })), 'data/0', 'got 20, expected 16');
  refuse(zip(archive(Buffer.concat([pickle, Buffer.from('x')]), { 0: floats(4) })), 'bytes behind its pickle, got 1');
  refuse(zip([{ name: 'x', data: floats(1) }]), 'not one of torch.save, got x');
  refuse(zip([{ name: 'word/document.xml', data: floats(1) }]), 'not one of torch.save, got word/document.xml');
  refuse(zip([...archive(pickle, { 0: floats(4) }), { name: 'y/data.pkl', data: pickle }]), 'not one of torch.save');
  refuse(zip([...archive(pickle), { name: 'x/constants.pkl', data: pickle }]), 'TorchScript');
  const [main, , ...rest] = archive(pickle, { 0: floats(4) });
  refuse(zip([main!, { name: 'x/byteorder', data: Buffer.from('big') }, ...rest]), 'big-endian');
  // As before 2.1.
  writeFileSync(path, zip([main!, ...rest]));
  openTorch(path).close();
});

test('pickles one behind the other', () => {
  const whole = readFileSync('test/golden/torch/checkpoint-old.pth');
  for (const cut of [1, 3, 10, 17, 40, 200, 1000, whole.length - 200, whole.length - 1]) refuse(whole.subarray(0, cut), 'x.pth');
  refuse(Buffer.concat([whole, Buffer.from('x')]), 'bytes behind its storages, got 1');
  refuse(p.whole(p.int(3)), 'is a pickle, but not one of torch.save');
  const magic = '\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19';
  const [version, machine] = [p.whole('M\xe9\x03'), p.whole(p.dict([p.text('little_endian'), Buffer.from('\x88', 'latin1')]))];
  const count = (n: number): Uint8Array => Uint8Array.of(n, 0, 0, 0, 0, 0, 0, 0);
  const old = (keys: Uint8Array, ...data: Uint8Array[]): Uint8Array =>
    Buffer.concat([p.whole(magic), version, machine, pickle, p.whole(keys), ...data]);
  const keys = Buffer.concat([Buffer.from(']'), p.text('0'), Buffer.from('a')]);
  writeFileSync(path, old(keys, count(4), floats(4)));
  openTorch(path).close();
  refuse(old(keys, count(5), floats(4)), 'another length than its pickle says, got 5, expected 4');
  refuse(old(keys, count(4), floats(3)), 'ends beyond the file');
  refuse(old(Buffer.from(']')), 'lacks storages');
  refuse(
    old(Buffer.concat([Buffer.from(']'), p.text('1'), Buffer.from('a')]), count(4), floats(4)),
    'a storage that its pickle does not have',
  );
  refuse(old(p.int(1)), 'lacks storages');
  refuse(Buffer.concat([p.whole(magic), p.whole(p.int(1))]), 'unknown version');
  refuse(Buffer.concat([p.whole(magic), version, p.whole(p.dict())]), 'big-endian');
});

test.run();
