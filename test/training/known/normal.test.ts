/** One class, what is as usual: enrolled, told, judged, on a board too, and refused where it cannot be. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadClassifier } from '../../../src/use/library.ts';
import { packInference } from '../../../src/use/packinfer.ts';
import { runWasi } from '../../../targets/wasi/host.ts';
import { asks, COLOURS, colourPng, does, pictureFolder, refuses, SHORT, VIT } from '../../cli/command.ts';
import { newFolder } from '../../support/folder.ts';

const RED = COLOURS.indexOf('red');
/** `count` red pictures, those of a folder apart from those of another. */
function reds(count: number, from = 0): string {
  const root = newFolder();
  mkdirSync(join(root, 'red'));
  for (let i = 0; i < count; i++) writeFileSync(join(root, 'red', `${String(i).padStart(2, '0')}.png`), colourPng(RED, from + i));
  return root;
}
const stripes = (k: number): Uint8Array =>
  encode({
    width: 40,
    height: 30,
    channels: 3,
    depth: 8,
    data: Uint8Array.from({ length: 3600 }, (_, i) => (Math.floor(i / (k + 2)) % 2) * 255),
  });

const good = reds(40);
const adapter = join(newFolder(), 'watcher');
const judged = reds(12, 100);
mkdirSync(join(judged, 'unknown'));
for (let i = 0; i < 8; i++) writeFileSync(join(judged, 'unknown', `${i}.png`), stripes(i));

test('as usual or not, and how far; the threshold is the share of pictures as usual', () => {
  const told = does('enrol', VIT, good, '--task', 'normal', '--out', adapter).stdout;
  assert.match(told, /^as usual +red\nfrom +40 pictures/);
  const lines = does('predict', VIT, adapter, judged).stdout.trim().split('\n');
  assert.is(lines.length, 20);
  for (const line of lines) {
    const [, word, distance] = /.*\.png {2}(normal|not normal) (\d+\.\d\d)$/.exec(line)!;
    assert.is(word === 'normal', Number(distance) <= 1);
  }
  const { normal, distance } = asks<{ normal: boolean; distance: number }>('predict', VIT, adapter, join(judged, 'unknown/0.png'));
  assert.is(normal, false);
  assert.ok(distance > 1);
  const { unknown } = asks<{ unknown: { count: number; others: { count: number; refused: number; auroc: number } } }>(
    'eval',
    VIT,
    adapter,
    judged,
  );
  assert.equal([unknown.count, unknown.others.count, unknown.others.auroc, unknown.others.refused], [12, 8, 1, 8]);
  const strict = loadClassifier(adapter, { model: VIT, unknown: '50%' }).unknown;
  const usual = loadClassifier(adapter, { model: VIT }).unknown;
  assert.ok('threshold' in strict && 'threshold' in usual && strict.threshold < usual.threshold);
});

test('the same pictures, the same bytes; a board says the same', () => {
  const again = join(newFolder(), 'again');
  does('enrol', VIT, good, '--task', 'normal', '--out', again, '--threads', '1');
  for (const name of ['adapter_model.safetensors', 'known.safetensors'])
    assert.equal(readFileSync(join(again, name)), readFileSync(join(adapter, name)));
  const board = newFolder();
  packInference({ model: VIT, adapter, out: board });
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 37) % 251);
  const out: Uint8Array[] = [];
  const code = runWasi(new Uint8Array(readFileSync(join(board, 's2a.wasm'))), {
    args: ['s2a.wasm', 'predict', '/b/program.s2a', '--model', '/model', '--adapter', '/a', '--json'],
    preopens: { '/b': board, '/model': VIT, '/a': adapter },
    stdin: pixels,
    stdout: (bytes) => void out.push(bytes),
    stderr: () => {},
  });
  assert.is(code, 0);
  const { known, distance } = JSON.parse(Buffer.concat(out).toString()) as { known: boolean; distance: number };
  const [said] = loadClassifier(adapter, { model: VIT }).predictPrepared(pixels);
  assert.is(known, said!.known);
  assert.ok(Math.abs(distance / said!.distance! - 1) < 1e-7);
});

test('what cannot be told is refused', () => {
  const out = join(newFolder(), 'x');
  refuses(2, ['enrol', VIT, reds(18), '--task', 'normal', '--out', out], 'cannot be told', 'there are 18', '19 or more');
  refuses(2, ['enrol', VIT, pictureFolder(), '--task', 'normal', '--out', out], 'is one class', 'blue, green, red');
  refuses(2, ['enrol', VIT, good, '--task', 'normal', '--from', adapter, '--out', out], 'begins anew');
  refuses(2, ['enrol', VIT, good, '--task', 'usual', '--out', out], '--task', 'classify, normal');
  refuses(2, ['enrol', VIT, good, '--out', out], 'only one class');
  refuses(2, ['predict', VIT, adapter, judged, '--unknown', 'off'], 'has one class', 'nobody asked');
  refuses(2, ['predict', VIT, adapter, judged, '--threshold', '0.5'], '--threshold', 'has one class');
  rmSync(join(adapter, 'known.safetensors'));
  refuses(2, ['predict', VIT, adapter, judged], 'has one class', 'known.safetensors is not beside it');
});

test('answers of several classes tell their distance too', () => {
  const [data, several] = [pictureFolder(24), join(newFolder(), 'several')];
  does('train', VIT, data, '--out', several, ...SHORT, '--hold-out', '0.5');
  const { known, distance } = asks<{ known: boolean; distance: number }>('predict', VIT, several, join(data, 'red/0.png'));
  assert.is(known, distance <= 1);
});

test.run();
