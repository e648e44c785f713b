/** What a board says of pictures: what Node says, unknown ones, thresholds, JSON, classes one by one. */
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/library.ts';
import { packInference } from '../../src/use/packinfer.ts';
import { createSmoothing } from '../../src/use/smoothing.ts';
import { runWasi } from '../../targets/wasi/host.ts';
import { asks, COLOURS, colourPng, VIT } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { pack } from './board.ts';

const data = newFolder();
for (const [part, from] of [
  ['train', 0],
  ['val', 12],
] as const)
  for (const [label, name] of COLOURS.entries()) {
    mkdirSync(join(data, part, name), { recursive: true });
    for (let i = 0; i < 12; i++) writeFileSync(join(data, part, name, `${i}.png`), colourPng(label, from + i));
  }
const [adapter, other, camera] = [newFolder(), newFolder(), newFolder()];
const JOB = { model: VIT, data, batchSize: 4, epochs: 2, budget: '3MiB' };

test.before(async () => {
  await trainJob({ ...JOB, out: adapter });
  await trainJob({ ...JOB, out: other, seed: 3 });
  packInference({ model: VIT, adapter, out: camera });
});

function run(words: readonly string[], more: { stdin?: Uint8Array; data?: string; adapter?: string } = {}) {
  const said: Record<'out' | 'err', Buffer[]> = { out: [], err: [] };
  const code = runWasi(new Uint8Array(readFileSync(join(camera, 's2a.wasm'))), {
    args: ['s2a.wasm', words[0]!, '/camera/program.s2a', '--model', '/model', '--adapter', '/a', ...words.slice(1)],
    preopens: { '/camera': camera, '/model': VIT, '/a': more.adapter ?? adapter, '/data': more.data ?? data },
    ...(more.stdin ? { stdin: more.stdin } : {}),
    stdout: (bytes) => void said.out.push(Buffer.from(bytes)),
    stderr: (bytes) => void said.err.push(Buffer.from(bytes)),
  });
  return { code, out: Buffer.concat(said.out).toString(), err: Buffer.concat(said.err).toString() };
}

/** Pixels of the network's size: colours as in the classes, stripes and noise as in none. */
const pictures = Array.from({ length: 12 }, (_, k) =>
  Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) =>
    k < 6
      ? i % 3 === k % 3
        ? 200 + ((k + i) % 25)
        : 40
      : k < 9
        ? ((Math.floor(i / 3 / (k - 5)) % 2) * 255) ^ (i % 3)
        : (i * i * (k + 3)) >> 2,
  ),
);
const stream = Buffer.concat(pictures);

const writePictureStack = (path: string): void => {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${pictures.length}, 32, 32, 3), }`.padEnd(117);
  writeFileSync(path, Buffer.concat([Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'), Buffer.from(`${header}\n`), stream]));
};

interface Line {
  index: number;
  known?: boolean;
  distance?: number;
  sure?: boolean;
  classes: { label: string; probability: number }[];
}
const lines = (ran: { code: number; out: string; err: string }): Line[] => {
  assert.is(ran.code, 0, ran.err);
  return ran.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
};

test('unknown pictures are those that Node calls so, by whichever adapter and share', () => {
  const told = { true: 0, false: 0, undefined: 0 };
  for (const folder of [adapter, other])
    for (const share of ['5%', '50%', 'off']) {
      const classifier = loadClassifier(folder, { model: VIT, unknown: share });
      const found = lines(run(['predict', '--json', '--top', '3', '--unknown', share], { stdin: stream, adapter: folder }));
      assert.is(found.length, pictures.length);
      for (const [i, { index, known, distance, classes }] of found.entries()) {
        const said = classifier.predictPrepared(pictures[i]!);
        assert.is(distance === undefined, known === undefined);
        if (distance !== undefined) assert.ok(Math.abs(distance / said[0]!.distance! - 1) < 1e-7);
        assert.equal([index, known], [i, said[0]!.known]);
        told[`${known}`]++;
        assert.equal(
          classes.map(({ label }) => label),
          said.map(({ label }) => label),
        );
        for (const [c, { probability }] of classes.entries()) assert.ok(Math.abs(probability - said[c]!.probability) < 1e-7);
      }
    }
  assert.ok(told.true > 0 && told.false > 6 && told.undefined === 24, JSON.stringify(told));
});

test('as text: the word alone, classes behind it where they are asked for', () => {
  const json = lines(run(['predict', '--json'], { stdin: stream }));
  const text = run(['predict'], { stdin: stream }).out.trim().split('\n');
  assert.equal(
    text.map((line) => line.endsWith('  unknown')),
    json.map(({ known }) => known === false),
  );
  const at = json.findIndex(({ known }) => known === false);
  assert.match(run(['predict', '--top', '2'], { stdin: stream }).out.split('\n')[at]!, /^\d+ {2}unknown {2}\w+ [\d.]+ % {2}\w+ /);
});

test('mirror images and the mean of the last frames, as Node has them; one picture after the other and from an array', () => {
  const array = join(newFolder(), 'images.npy');
  writePictureStack(array);
  for (const [flips, smooth] of [
    [true, 1],
    [false, 4],
    [true, 3],
  ] as const) {
    const classifier = loadClassifier(adapter, { model: VIT, flips, unknown: '5%' });
    const smoothing = createSmoothing(smooth);
    const wanted = pictures.map((picture) => smoothing(classifier.predictPrepared(picture)));
    const words = ['--json', '--top', '3', '--smooth', `${smooth}`, ...(flips ? ['--flips'] : [])];
    const found = [
      lines(run(['predict', ...words], { stdin: stream })),
      lines(run(['predict', '/data/images.npy', ...words], { data: dirname(array) })),
    ];
    for (const list of found)
      for (const [i, { known, distance, classes }] of list.entries()) {
        assert.is(known, wanted[i]![0]!.known, `picture ${i}`);
        assert.ok(Math.abs(distance! / wanted[i]![0]!.distance! - 1) < 1e-6);
        for (const { label, probability } of classes)
          assert.ok(Math.abs(probability - wanted[i]!.find((one) => one.label === label)!.probability) < 1e-6);
        const likely = wanted[i]![0]!;
        assert.ok(classes[0]!.label === likely.label || Math.abs(classes[0]!.probability - likely.probability) < 1e-6);
      }
  }
  assert.match(
    run(['predict', '--smooth', '5000'], { stdin: stream }).err,
    /^s2a: --smooth: more frames than there is room for, got 5000, expected at most 409/,
  );
  assert.match(run(['predict', '--smooth', '0'], { stdin: stream }).err, /--smooth: wrong value/);
});

test('a class that is not sure enough is not named', () => {
  const all = lines(run(['predict', '--json', '--unknown', 'off', '--threshold', '0.5'], { stdin: stream }));
  for (const { sure, classes } of all) assert.is(sure, classes[0]!.probability >= 0.5);
  const text = run(['predict', '--unknown', 'off', '--threshold', '99.99%'], { stdin: stream }).out;
  assert.match(text, /^0 {2}unsure$/m);
  for (const wrong of ['2', '-1', 'x', '0.5.5', '101%', '']) {
    const ran = run(['predict', '--threshold', wrong], { stdin: stream });
    assert.is(ran.code, 2, wrong);
    assert.match(ran.err, /^s2a: --threshold: wrong value, expected a share from 0 to 1: 0\.8\n$/);
  }
  for (const wrong of ['0', '60%', 'on'])
    assert.match(run(['predict', '--unknown', wrong], { stdin: stream }).err, /--unknown: wrong value/);
});

test('an adapter without it, with another one’s, judged by too few, or damaged', () => {
  const copy = newFolder();
  cpSync(adapter, copy, { recursive: true });
  const known = join(copy, 'known.safetensors');
  const whole = readFileSync(known);
  const says = (why: RegExp, code = 0, ...words: string[]): void => {
    const ran = run(['predict', ...words], { stdin: stream, adapter: copy });
    assert.is(ran.code, code, ran.err);
    assert.match(ran.err, why);
    if (code === 0) assert.not.match(ran.out, /unknown/);
  };
  says(/too few for 1\.0 %/, 2, '--unknown', '1%');
  rmSync(known);
  says(/^nothing is called unknown: known\.safetensors is not beside the adapter\n$/);
  says(/^s2a: --unknown: known\.safetensors is not beside the adapter; give off/, 2, '--unknown', '5%');
  cpSync(join(other, 'known.safetensors'), known);
  says(/belongs to another adapter/);
  writeFileSync(known, whole);
  truncateSync(known, whole.length - 4);
  says(/known\.safetensors: /, 2);
  const head = Number(whole.readBigUInt64LE(0));
  const text = whole.toString('latin1', 8, 8 + head);
  const changed = (from: string, to: string): void => {
    assert.is(from.length, to.length);
    assert.ok(text.includes(from), from);
    writeFileSync(known, Buffer.concat([whole.subarray(0, 8), Buffer.from(text.replace(from, to), 'latin1'), whole.subarray(8 + head)]));
  };
  for (const [from, to] of [
    ['version\\":2', 'version\\":7'],
    ['"judged"', '"judgeD"'],
    ['"means"', '"seams"'],
    ['"F32"', '"I32"'],
  ] as const) {
    changed(from, to);
    says(/known\.safetensors: is not what an adapter knows/, 2);
  }
  for (const value of [Number.NaN, 9, Number.POSITIVE_INFINITY]) {
    const forged = Buffer.from(whole);
    const { means } = JSON.parse(text) as { means: { data_offsets: [number, number] } };
    forged.writeFloatLE(value, 8 + head + means.data_offsets[0]);
    writeFileSync(known, forged);
    says(/known\.safetensors: is not what an adapter knows/, 2);
  }
});

interface Judged {
  accuracy: number;
  correct: number;
  count: number;
  loss: number;
  classes: { label: string; count: number; answered: number; correct: number }[];
  confusion: number[][];
  unknown: { share: number; refused: number } | null;
}

test('judging tells each class, what was taken for what, and what was refused, as Node does', async () => {
  const board = await pack(JOB);
  const told = run(['eval', '--data', '/data', '--json'], { data: board.folder });
  assert.is(told.code, 0, told.err);
  const judged = JSON.parse(told.out) as Judged;
  const node = asks<Judged>('eval', VIT, adapter, data, '--split', 'val');
  assert.is(judged.count, 36);
  for (const key of ['correct', 'count', 'confusion'] as const) assert.equal(judged[key], node[key]);
  for (const key of ['accuracy', 'loss'] as const) assert.ok(Math.abs(judged[key] - node[key]) < 1e-7, key);
  assert.equal(
    judged.classes,
    node.classes.map(({ label, count, answered, correct }) => ({ label, count, answered, correct })),
  );
  assert.equal(judged.unknown, { share: 0.05, refused: node.unknown!.refused });
  const text = run(['eval', '--data', '/data'], { data: board.folder }).out;
  assert.match(text, /^accuracy [\d.]+ %: \d+ of 36 pictures, loss [\d.]+\n {2}blue: \d+ of 12 right, \d+ answered\n/);
  assert.match(text, /\ncalled unknown: \d+ of 36 \(5\.0 % were allowed\)\n$/);
  // A program that trains was packed without what tells unknown pictures.
  const own = board.run('eval', ['--data', '/board', '--adapter', '/out', '--json'], { out: adapter });
  assert.equal(JSON.parse(own.out), { ...judged, unknown: null });
  assert.match(board.run('predict', ['--adapter', '/out', '--unknown', '5%'], { out: adapter }).err, /packed without what tells it/);
});

test.run();
