/** Pickles that call anything, that are damaged, and that would grow without end: refused before a tensor is looked at. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openFile } from '../../../src/base/files.ts';
import { readPickle } from '../../../src/formats/torch/pickle.ts';
import { Dict, type Value } from '../../../src/formats/torch/values.ts';
import { newFolder, refused } from '../../support/folder.ts';
import { p } from '../../support/torchwrite.ts';

const path = join(newFolder(), 'x.pth');

function read(pickle: Uint8Array, end = pickle.length): Value {
  writeFileSync(path, pickle);
  const source = openFile(path);
  try {
    return readPickle(path, source, { from: 0, end }).value;
  } finally {
    source.close();
  }
}
const latin = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const refuse = (pickle: Uint8Array | string, ...words: string[]): string =>
  refused(() => read(typeof pickle === 'string' ? p.whole(pickle) : pickle), 'x.pth', ...words);

test('plain values', () => {
  const value = read(
    p.whole(']', '(', p.int(3), p.int(-70000), 'N\x88\x89M\x01\x02', 'G?\xf8\0\0\0\0\0\0', p.text('größe'), 'U\x02ab', 'e'),
  ) as Value[];
  assert.equal(value, [3, -70000, null, true, false, 513, 1.5, 'größe', 'ab']);
  assert.equal(read(p.whole('\x8a\x00')), 0);
  assert.equal(read(p.whole('\x8a\x01\xff')), -1);
  assert.equal(read(p.whole('\x8a\x09', '\0'.repeat(8), '\x01')), 2n ** 64n);
  assert.ok(read(p.whole(p.dict([p.int(1), p.text('a')]))) instanceof Dict);
});

test('Python 2 gives an OrderedDict its pairs', () => {
  const pairs = Buffer.concat([latin(']('), p.tuple(p.text('a'), p.int(1)), p.tuple(p.text('b'), p.int(2)), latin('e')]);
  const dict = read(p.whole(p.call(p.name('collections', 'OrderedDict'), pairs))) as Dict;
  assert.equal(
    [...dict.entries],
    [
      ['a', 1],
      ['b', 2],
    ],
  );
  refuse(p.whole(p.call(p.name('collections', 'OrderedDict'), p.int(1))), 'no pairs');
});

test('names that run programs, and all others that no state dict has', () => {
  const program = 'calls what can run a program';
  for (const [module, name] of [
    ...[
      ['os', 'system'],
      ['posix', 'system'],
      ['nt', 'system'],
      ['subprocess', 'Popen'],
      ['builtins', 'eval'],
      ['builtins', 'getattr'],
    ],
    ...[
      ['runpy', '_run_code'],
      ['importlib', 'import_module'],
      ['sys', 'exit'],
      ['socket', 'socket'],
      ['os', 'path.join'],
    ],
  ] as [string, string][])
    refuse(p.whole(p.call(p.name(module, name), p.text('id'))), program, `${module}.${name}`);
  refuse(p.whole(p.name('__builtin__', 'eval')), program, 'builtins.eval');
  for (const name of [
    'torchvision.models.resnet ResNet',
    'timm.models.vision_transformer VisionTransformer',
    '__main__ Net',
    'torch.nn.modules.conv Conv2d',
  ])
    refuse(p.whole(p.name(...(name.split(' ') as [string, string]))), 'is a whole pickled module', name.replace(' ', '.'), 'state_dict()');
  for (const name of [
    'numpy.core.multiarray scalar',
    'argparse Namespace',
    'torch load',
    'torch._utils _rebuild_tensor',
    'torch.storage _load_from_bytes',
    'collections defaultdict',
    'torch FloatStorage.__class__',
    'torch.hub load',
  ])
    refuse(p.whole(p.name(...(name.split(' ') as [string, string]))), 'holds another object than tensors', name.replace(' ', '.'));
  // A line feed or a long name does not come into the sentence.
  refuse(p.whole(`cos\nsystem\x1b[2J\n`), 'x.pth');
  refuse(p.whole(`c${'a'.repeat(300)}\nb\n`), 'a name that is too long');
});

test('calls of what may be named, with what it may not be given', () => {
  const tensor = p.name('torch._utils', '_rebuild_tensor_v2');
  refuse(p.whole(p.call(tensor, p.text('no storage'))), 'calls what it should not');
  refuse(p.whole(p.call(p.name('torch', 'FloatStorage'), p.int(5))), 'calls what it should not', 'torch.FloatStorage');
  refuse(p.whole(p.call(p.text('os.system'), p.text('id'))), 'calls what it should not', 'no function');
  refuse(p.whole(p.call(p.name('torch', 'Size'), p.int(3))), 'torch.Size');
  refuse(p.whole(p.call(p.name('torch._utils', '_rebuild_parameter'), p.int(3))), '_rebuild_parameter');
});

test('a state is given to nothing but a dictionary, and only versions', () => {
  const ordered = p.call(p.name('collections', 'OrderedDict'));
  read(p.whole(ordered, p.dict([p.text('_metadata'), p.int(1)]), 'b'));
  refuse(p.whole(ordered, p.dict([p.text('__class__'), p.int(1)]), 'b'), 'BUILD');
  refuse(p.whole(ordered, p.text('x'), 'b'), 'BUILD');
  refuse(p.whole(p.int(1), p.dict(), 'b'), 'BUILD');
});

test('instructions that state dicts do not need', () => {
  for (const letter of [
    'i',
    'o',
    '\x81',
    '\x92',
    '\x93',
    '\x95',
    'P',
    'p',
    'g',
    '0',
    '1',
    '2',
    'I',
    'F',
    'S',
    'V',
    'B',
    'C',
    '\x82',
    '\x8b',
    '\x96',
    '\0',
    '\xff',
  ])
    refuse(letter, 'has an instruction that state dicts do not need');
  refuse(Uint8Array.of(0x80, 5, 0x2e), 'another protocol, got 5');
  refuse(latin('cos\nsystem\n(S"id"\ntR.'), 'is no pickle of protocol 2');
});

test('a stack that is taken from below, or left with something on it', () => {
  for (const pickle of ['', '\x85', '(\x86', 'R', 's', 'N(s', '(u', 't', 'u', 'e', 'a', 'b', 'Q', '](\x85', 'q\0', 'K\x01(q\0'])
    refuse(pickle, 'x.pth');
  refuse('NN', 'nothing has taken');
  refuse('N(', 'takes more from its stack');
  refuse('h\x07', 'has not remembered, got 7');
  refuse(p.whole(p.int(1), '(', p.text('a'), p.int(1), 'u'), 'no dictionary');
  refuse(p.whole('}(', p.text('a'), 'u'), 'no dictionary');
  refuse(p.whole('}(N', p.int(1), 'u'), 'a key that is no text');
  refuse(p.whole('}(', p.text('a'), 'N', p.text('a'), 'Nu'), 'a key twice, got a');
  refuse(p.whole('}', p.int(1), 'a'), 'no list');
});

test('sizes that the file does not have', () => {
  refuse(p.whole('X\xff\xff\xff\xff'), 'ends within a pickle');
  refuse(p.whole('T\xff\xff\xff\x7f'), 'ends within a pickle');
  refuse(p.whole('X\x02\0\0\0\xff\xfe'), 'not UTF-8');
  refuse(p.whole('U\x01\xff'), 'not UTF-8');
  const whole = p.whole(p.ordered([p.text('a'), p.tensor(p.storage('FloatStorage', '0', 4), [4], [1])]));
  read(whole);
  for (let cut = 0; cut < whole.length; cut++) refused(() => read(whole, cut), 'x.pth', 'ends within a pickle');
});

test('storages', () => {
  const id = (...items: Uint8Array[]): Uint8Array => p.whole(p.tuple(...items), 'Q');
  const [kind, type, key, cpu] = [p.text('storage'), p.name('torch', 'FloatStorage'), p.text('0'), p.text('cpu')];
  read(id(kind, type, key, cpu, p.int(3)));
  read(id(kind, type, key, cpu, p.int(3), latin('N')));
  for (const items of [
    [p.text('module'), type, key, cpu, p.int(3)],
    [kind, p.name('torch', 'Size'), key, cpu, p.int(3)],
    [kind, p.name('torch', 'float32'), key, cpu, p.int(3)],
    [kind, type, p.int(0), cpu, p.int(3)],
    [kind, type, key, cpu, p.int(-3)],
    [kind, type, key, cpu, latin('G?\xf8\0\0\0\0\0\0')],
    [kind, type, key, cpu, latin(`\x8a\x09${'\0'.repeat(8)}\x01`)],
    [kind, type, key, cpu, p.int(3), p.tuple(p.text('1'), p.int(0), p.int(1))],
    [],
  ])
    refuse(id(...items), 'no storage of numbers');
  refuse(p.whole(p.tuple(p.storage('FloatStorage', '0', 3), p.storage('FloatStorage', '0', 4))), 'one storage as two');
  refuse(p.whole(p.tuple(p.storage('FloatStorage', '0', 3), p.storage('LongStorage', '0', 3))), 'one storage as two');
});

test('what grows without end', () => {
  const began = performance.now();
  // A tuple of the one before twice, a thousand times: 2^1000 values, were they copied.
  let bomb = 'Nq\0';
  for (let i = 0; i < 1000; i++) bomb += 'h\0h\0\x86q\0';
  refuse(bomb, 'nothing has taken');
  refuse('}'.repeat(400_000), 'holds too many values');
  refuse('N'.repeat(2_100_000), 'takes too many instructions');
  refuse(`${'('.repeat(1_000_000)}`, 'x.pth');
  read(p.whole(`${']'.repeat(100_000)}${'a'.repeat(99_999)}`));
  refuse(p.whole('X', [0, 0, 0, 2].map((b) => String.fromCharCode(b)).join(''), 'x'.repeat(1 << 25)), 'longer than any of a state dict');
  // A list within itself.
  read(p.whole(']q\0h\0a'));
  assert.ok(performance.now() - began < 10e3);
});

test.run();
