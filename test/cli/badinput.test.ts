/** Everything that may be wrong with what a person gives: one sentence each, the right exit code, nothing half-written. */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFolder } from '../support/folder.ts';
import { asks, contents, does, files, modelCopy, pictureFolder, refuses, SHORT, s2a, VIT } from './command.ts';

const photos = pictureFolder();
const out = () => join(newFolder(), 'adapter');
/** `train` that must be refused; returns the sentence. */
const untrained = (code: number, model: string, data: string, flags: string[], ...words: string[]) => {
  const target = out();
  const sentence = refuses(code, ['train', model, data, '--out', target, ...SHORT, ...flags], ...words);
  assert.equal(
    files(target).filter((f) => /adapter_/.test(f)),
    [],
    'no adapter',
  );
  return sentence;
};

/** A model folder with other bytes for its weights. */
function withWeights(change: (file: Buffer) => Uint8Array): string {
  const folder = modelCopy('vit-hf');
  const path = join(folder, 'model.safetensors');
  writeFileSync(path, change(readFileSync(path)));
  return folder;
}

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** A model folder with another header before the same tensors. */
const withHeader = (edit: (header: Record<string, Tensor>) => void): string =>
  withWeights((file) => {
    const end = 8 + Number(file.readBigUInt64LE(0));
    const header = JSON.parse(file.subarray(8, end).toString()) as Record<string, Tensor>;
    edit(header);
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([length, text, file.subarray(end)]);
  });

const BIAS = 'vit.encoder.layer.0.attention.attention.query.bias';

test('weights: missing, truncated, corrupt', () => {
  const missing = modelCopy('vit-hf');
  rmSync(join(missing, 'model.safetensors'));
  untrained(2, missing, photos, [], missing, 'no weights', 'model.safetensors');
  untrained(
    2,
    withWeights((f) => f.subarray(0, f.length - 100)),
    photos,
    [],
    'model.safetensors',
  );
  untrained(
    2,
    withWeights((f) => f.subarray(0, 5)),
    photos,
    [],
    'model.safetensors',
  );
  untrained(
    2,
    withWeights(() => Buffer.from('not a safetensors file at all')),
    photos,
    [],
    'model.safetensors',
  );
  untrained(
    2,
    withWeights(() => Buffer.alloc(0)),
    photos,
    [],
    'model.safetensors',
  );
});

test('weights: hostile header, offsets, dtype and shape', () => {
  const huge = withWeights((f) => {
    f.writeBigUInt64LE(2n ** 60n, 0);
    return f;
  });
  untrained(2, huge, photos, [], 'model.safetensors', 'header');
  const edits: [string, (tensor: Tensor) => void][] = [
    ['out of range', (t) => (t.data_offsets = [2 ** 40, 2 ** 40 + 192])],
    ['overlapping', (t) => (t.data_offsets = [0, 192])],
    ['a shape of 2^60 elements', (t) => (t.shape = [2 ** 30, 2 ** 30])],
  ];
  for (const [what, edit] of edits) {
    const sentence = untrained(
      2,
      withHeader((header) => edit(header[BIAS]!)),
      photos,
      [],
      'model.safetensors',
    );
    assert.ok(sentence.length < 400, `${what}: ${sentence}`);
  }
  untrained(
    2,
    withHeader((h) => (h[BIAS]!.dtype = 'I32')),
    photos,
    [],
    BIAS,
    'I32',
    'F32',
  );
  untrained(
    2,
    withHeader((h) => (h[BIAS]!.shape = [4, 12])),
    photos,
    [],
    BIAS,
    'shape',
    '48',
  );
  const absent = withHeader((h) => {
    h['vit.other'] = h[BIAS]!;
    delete h[BIAS];
  });
  untrained(2, absent, photos, [], BIAS);
});

test('NaN in the weights', () => {
  const model = withWeights((f) => {
    f.writeUInt32LE(0x7fc00000, f.length - 4);
    return f;
  });
  untrained(2, model, photos, [], 'model.safetensors', 'NaN');
});

test('a loss that is no number: exit 4, the earlier adapter stays', () => {
  const target = out();
  does('train', VIT, photos, '--out', target, ...SHORT);
  const before = contents(target).filter(([path]) => /adapter_/.test(path));
  refuses(
    4,
    [
      'train',
      VIT,
      photos,
      '--out',
      target,
      ...SHORT,
      '--lr',
      '1000',
      '--epochs',
      '40',
      '--clip',
      '0',
      '--method',
      'full',
      '--retries',
      '0',
    ],
    'not finite',
    '--lr',
  );
  assert.equal(
    contents(target).filter(([path]) => /adapter_/.test(path)),
    before,
  );
});

test('a model folder that is not there, or is none', () => {
  refuses(2, ['plan', '/no/such/model'], '/no/such/model', 'no such model folder');
  refuses(2, ['plan', newFolder()], 'config.json');
  refuses(2, ['plan', join(VIT, 'config.json')], 'config.json');
});

test('configurations: unknown, wrong types, impossible sizes', () => {
  const wrong: [Record<string, unknown>, ...string[]][] = [
    [{ model_type: 'levit' }, 'unsupported', 'levit'],
    [{ model_type: undefined, architecture: 'resnetrs50' }, 'resnetrs50', 'the nearest that is read'],
    [{ hidden_size: '48' }, 'hidden_size', '"48"', 'whole number'],
    [{ hidden_size: 1e9 }, 'hidden_size'],
    [{ num_hidden_layers: 1000000 }, 'num_hidden_layers'],
    [{ num_attention_heads: 5 }, 'heads'],
    [{ image_size: [32] }, 'image_size'],
    [{ num_channels: 0 }, 'num_channels', '0'],
    [{ hidden_act: 'swoosh' }, 'hidden_act', 'swoosh'],
    [{ qkv_bias: 'yes' }, 'qkv_bias', 'true or false'],
  ];
  for (const [edit, ...words] of wrong) {
    refuses(2, ['plan', modelCopy('vit-hf', (c) => Object.assign(c, edit))], 'config.json', ...words);
  }
  refuses(2, ['plan', modelCopy('mobilenetv2-hf', (c) => Object.assign(c, { depth_multiplier: 'wide' }))], 'depth_multiplier', '"wide"');
  const broken = modelCopy('vit-hf');
  writeFileSync(join(broken, 'config.json'), '{"model_type": "vit",');
  refuses(2, ['plan', broken], 'config.json');
});

test('pictures: no folder, no classes, one class, an empty class, nothing readable', () => {
  untrained(2, VIT, '/no/such/photos', [], '/no/such/photos');
  untrained(2, VIT, newFolder(), [], 'no class folders', 'root/class');
  const one = newFolder();
  mkdirSync(join(one, 'cat'));
  writeFileSync(join(one, 'cat', 'a.png'), '');
  untrained(2, VIT, one, [], 'only one class', 'cat');
  const empty = pictureFolder(3);
  mkdirSync(join(empty, 'yellow'));
  untrained(2, VIT, empty, [], 'yellow', 'no pictures');
  const unreadable = newFolder();
  for (const name of ['cat', 'dog']) {
    mkdirSync(join(unreadable, name));
    for (let i = 0; i < 2; i++) writeFileSync(join(unreadable, name, `${i}.jpg`), 'this is text');
  }
  untrained(2, VIT, unreadable, [], 'no readable picture', 'cat');
});

test('one bad picture among good ones is named and counted, and ends nothing', () => {
  const data = pictureFolder();
  const jpeg = readFileSync('test/golden/pictures/rgb.jpg');
  writeFileSync(join(data, 'red', 'text.jpg'), 'this is text');
  writeFileSync(join(data, 'red', 'cut.jpg'), jpeg.subarray(0, jpeg.length >> 2));
  writeFileSync(join(data, 'green', 'phone.heic'), 'ftypheic');
  writeFileSync(join(data, 'green', 'renamed.jpg'), Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'));
  writeFileSync(join(data, 'blue', '.hidden.jpg'), 'ignored');
  writeFileSync(join(data, 'blue', 'empty.PNG'), '');
  const target = out();
  const { stderr } = does('train', VIT, data, '--out', target, ...SHORT);
  for (const name of ['red/text.jpg', 'red/cut.jpg', 'green/phone.heic', 'green/renamed.jpg', 'blue/empty.PNG'])
    assert.match(stderr, new RegExp(`skipped ${name}: \\S`));
  assert.not.match(stderr, /hidden/);
  assert.match(stderr, /5 skipped/);
  // Without --json and with it, and from the cache as the first time.
  const result = asks<{ skipped: { path: string; reason: string }[] }>('train', VIT, data, '--out', target, ...SHORT);
  assert.is(result.skipped.length, 5);
  const ran = s2a('predict', VIT, target, join(data, 'red/text.jpg'), join(data, 'red/0.png'));
  assert.is(ran.code, 2);
  assert.match(ran.stdout, /0\.png {2}\w+ \d/);
  assert.match(ran.stderr, /^skipped .*text\.jpg: \S/m);
  assert.match(ran.stderr, /text\.jpg: cannot be used; all others are answered$/m);
  refuses(2, ['predict', VIT, target, '/no/such.png'], 'no/such.png');
});

test('an output that cannot be written', () => {
  const file = join(newFolder(), 'file');
  writeFileSync(file, 'in the way');
  refuses(2, ['train', VIT, photos, '--out', join(file, 'adapter'), ...SHORT], 'in the way');
  assert.is(readFileSync(file, 'utf8'), 'in the way');
  refuses(2, ['train', VIT, photos, '--out', '/proc/s2a', ...SHORT], '/proc/s2a');
  refuses(2, ['train', VIT, photos, ...SHORT], '--out', 'missing');
  if (process.getuid?.() !== 0) {
    const locked = newFolder();
    chmodSync(locked, 0o500);
    refuses(2, ['train', VIT, photos, '--out', join(locked, 'adapter'), ...SHORT], 'permission denied');
  }
});

test('an output among what it is made from', () => {
  const before = [contents(VIT), contents(photos)];
  const own = 'expected a folder of its own';
  refuses(2, ['train', VIT, photos, '--out', photos, ...SHORT], '--out: is the folder of the pictures', own);
  refuses(
    2,
    ['train', VIT, photos, '--out', join(photos, 'adapter'), ...SHORT],
    '--out: lies in the folder of the pictures, where it would',
    own,
  );
  refuses(2, ['train', VIT, photos, '--out', `${VIT}/`, ...SHORT], '--out: is the folder of the model', own);
  refuses(2, ['pack', VIT, photos, '--out', photos], '--out: is the folder of the pictures', own);
  refuses(2, ['merge', VIT, photos, '--out', photos], '--out: is the folder of the adapter', own);
  refuses(2, ['merge', VIT, photos, '--peft', '--out', VIT], '--out: is the folder of the model', own);
  assert.equal([contents(VIT), contents(photos)], before);
  const [model] = files(VIT);
  refuses(2, ['plan', model!], `${model}: is a file, not a model folder`);
});

test('a budget too small: exit 3, the peak, the five largest, and a smallest budget that works', () => {
  for (const [model, ...flags] of [
    [VIT],
    [VIT, '--keep', 'exact', '--micro-batch', '8'],
    ['test/golden/mobilenetv2-hf', '--method', 'full'],
  ]) {
    const common = ['--classes', '3', '--batch-size', '8', ...flags];
    const sentence = refuses(3, ['plan', model!, ...common, '--budget', '128KiB'], '--budget', 'peak at', 'smallest');
    assert.is(sentence.match(/largest alive there (.*), got/)![1]!.split(', ').length, 5);
    const [, size, how] = /the smallest budget that fits is (\S+) \(([^)]*)\)/.exec(sentence)!;
    const kept = common.filter((f, i) => f !== '--micro-batch' && common[i - 1] !== '--micro-batch');
    const flagsThatFit = how!.split(';')[0]!.split(' ');
    does('plan', model!, ...kept, ...flagsThatFit, '--budget', size!);
    refuses(3, ['plan', model!, ...kept, ...flagsThatFit, '--budget', `${Number.parseInt(size!, 10) - 1}KiB`]);
  }
  untrained(3, VIT, photos, ['--budget', '128KiB'], 'peak at');
  untrained(3, VIT, photos, ['--process-budget', '32MiB'], '--process-budget', 'decoder', 'at least');
});

test('flags: unknown, wrong, missing', () => {
  refuses(2, ['trian'], 'trian', 'did you mean train?');
  refuses(2, ['plan', VIT, '--bugdet', '1MiB'], '--bugdet', 'did you mean --budget?');
  // An option of an earlier version: what says the same now, where the command has it.
  refuses(2, ['train', VIT, 'photos', '--out', 'nowhere', '--fast'], '--fast: unknown option; it is --arithmetic fast now');
  assert.not.match(refuses(2, ['print', VIT, '--fast'], '--fast: unknown option'), /arithmetic/);
  refuses(2, ['plan', VIT, '--budget', '48MiBs'], '--budget', '48MiBs', '48MiB');
  refuses(2, ['plan', VIT, '--method', 'bais'], '--method', 'did you mean bias?');
  refuses(2, ['plan', VIT, '--keep', 's2b'], '--keep', 'did you mean s2a?');
  refuses(2, ['plan', VIT, '--batch-size', '0'], '--batch-size', 'whole number');
  refuses(2, ['plan', VIT, '--batch-size', '8', '--micro-batch', '3'], '--micro-batch', 'divisor of 8');
  refuses(2, ['plan', VIT, '--classes', '1'], '--classes');
  refuses(2, ['plan', VIT, '--image-size', '33'], 'patch');
  refuses(2, ['plan', VIT, '--image-size', '1000000000'], 'image');
  refuses(2, ['plan', VIT, '--budget'], '--budget');
  refuses(2, ['plan'], 's2a plan <model folder>');
  refuses(2, ['plan', VIT, 'more'], 's2a plan <model folder>');
  refuses(
    2,
    ['plan', VIT, '--timeline', 'memory.gif'],
    '--timeline: unknown kind of picture, got memory.gif, expected a file named .html or .svg',
  );
  untrained(2, VIT, photos, ['--lr', 'fast'], '--lr', 'fast');
  untrained(2, VIT, photos, ['--lr=-1x'], '--lr', '-1x', '0.5x');
  untrained(2, VIT, photos, ['--lr', '1e-3', '--lr', '0.5x'], '--lr', 'absolute and a relative', '1e-3 and 0.5x');
  untrained(2, VIT, photos, ['--augment', 'crop,flop'], '--augment', 'flop');
  untrained(2, VIT, photos, ['--epochs', '1e3'], '--epochs', '1e3');
  untrained(2, VIT, photos, ['--epochs', '99999999999'], '--epochs', 'from 1 to 2147483647');
  refuses(2, ['plan', VIT, '--last', '-1'], '--last: a value is missing, got -1; a value that begins with - is written --last=-1');
  refuses(2, ['plan', VIT, '--last=-1'], '--last: wrong value, got -1, expected a whole number of at least 1');
  refuses(2, ['plan', VIT, '--json=yes'], '--json: takes no value');
  refuses(2, ['plan', VIT, '-x'], '-x: unknown option');
  refuses(2, ['plan', VIT, '--zzz', '1'], '--zzz: unknown option; s2a plan --help lists them');
});

test('a method that the network cannot take: refused before a weight or a picture is read', () => {
  const folder = modelCopy('vit-hf');
  rmSync(join(folder, 'model.safetensors'));
  const cases: readonly (readonly [string[], string])[] = [
    [
      ['--method', 'bias+side:ratio=5'],
      '--method side: the ratio does not divide the 48 channels of block 0, got 5, expected one of 1, 2, 3, 4, 6',
    ],
    [
      ['--method', 'prompt:rank=99'],
      '--method prompt: the rank is above what any layer can hold, got 99, expected a whole number from 1 to 17',
    ],
    [['--method', 'lora:rank=0'], '--method: wrong lora:rank, got 0, expected a whole number from 1 to 4096'],
    [['--method', 'lora:target=1'], '--method: unknown option of lora, got target'],
    [['--last', '9'], '--last: the network has fewer blocks, got 9, expected a whole number from 1 to 3'],
    [['--depth', '9'], '--depth: does not end a network of 3 blocks early, got 9, expected a whole number from 1 to 2'],
    [['--depth', '0'], '--depth: wrong value, got 0, expected a whole number of at least 1'],
    [['--depth', '5000'], '--depth: wrong value, got 5000, expected a whole number from 1 to 4096'],
    [['--method', 'bias+depth:blocks=1', '--depth', '2'], '--depth: the method says another number of blocks, got 2, expected 1'],
    [['--method', 'bias+depths', '--depth', '2'], '--method: unknown module, got depths'],
  ];
  for (const [flags, sentence] of cases) refuses(2, ['plan', folder, ...flags], sentence);
  const [flags, sentence] = cases[0]!;
  for (const command of ['modules', 'print']) refuses(2, [command, folder, ...flags], sentence);
  refuses(2, ['fidelity', VIT, photos, ...flags], sentence);
  untrained(2, VIT, photos, flags, sentence);
});

test.run();
