/** A program packed for predicting alone: what Node predicts, in less memory, with whatever adapter of its kind; training is refused. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { packInference } from '../../src/use/packinfer.ts';
import { runWasi } from '../../targets/wasi/host.ts';
import { asks, refuses } from '../cli/command.ts';
import { newFolder, refused } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { pack } from './board.ts';

const MODEL = 'test/golden/vit-timm-gap';
const DATA = pictureFolder({ train: 5, val: 4, noise: 120 });
const CACHE = newFolder();
const JOB = { model: MODEL, data: DATA, cacheFolder: CACHE, epochs: 2, batchSize: 4, method: 'bias+side:ratio=4' };
const adapters = [newFolder(), newFolder()];
const camera = newFolder();

/** `s2a.wasm` of that folder on an adapter, by the small host. */
function run(words: readonly string[], { stdin, data = camera }: { stdin?: Uint8Array; data?: string } = {}) {
  const said: Record<'out' | 'err', Buffer[]> = { out: [], err: [] };
  const code = runWasi(new Uint8Array(readFileSync(join(camera, 's2a.wasm'))), {
    args: ['s2a.wasm', words[0]!, '/camera/program.s2a', '--model', '/model', ...words.slice(1)],
    preopens: { '/camera': camera, '/model': MODEL, '/a': adapters[0]!, '/b': adapters[1]!, '/data': data },
    ...(stdin ? { stdin } : {}),
    stdout: (bytes) => void said.out.push(Buffer.from(bytes)),
    stderr: (bytes) => void said.err.push(Buffer.from(bytes)),
  });
  return { code, out: Buffer.concat(said.out).toString(), err: Buffer.concat(said.err).toString() };
}

test.before(async () => {
  for (const [i, out] of adapters.entries()) await trainJob({ ...JOB, out, seed: i });
  packInference({ model: MODEL, adapter: adapters[0]!, out: camera });
});

test('predictions are Node’s, with the adapter that it was packed for and with another', () => {
  const classifier = loadClassifier(adapters[0], { model: MODEL });
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 37) % 251);
  const told: string[] = [];
  for (const [i, name] of ['/a', '/b'].entries()) {
    if (i > 0) classifier.changeAdapter(adapters[i]!);
    const [best] = classifier.predictPrepared(pixels);
    const ran = run(['predict', '--adapter', name], { stdin: pixels });
    assert.is(ran.code, 0, ran.err);
    const [, label, odds] = /^0\s+(\S+)\s+([\d.]+)/.exec(ran.out)!;
    assert.is(label, best!.label, ran.out);
    assert.ok(Math.abs(Number(odds) - 100 * best!.probability) < 0.06, `${ran.out} against ${best!.probability}`);
    told.push(ran.out);
  }
  assert.is.not(told[0], told[1]);
});

test('judging is Node’s; the memory is less than training takes; training is refused in a sentence', async () => {
  const board = await pack(JOB);
  const judged = run(['eval', '--adapter', '/a', '--data', '/data'], { data: board.folder });
  assert.is(judged.code, 0, judged.err);
  assert.is(judged.out, board.run('eval', ['--data', '/board', '--adapter', '/out'], { out: adapters[0]! }).out);
  const ran = run(['train', '--data', '/data', '--out', '/camera'], { data: board.folder });
  assert.is(ran.code, 2);
  assert.match(ran.err, /program\.s2a: was packed for predicting alone; pack pictures instead of --adapter\n$/);
  const { memory } = asks<{ memory: { totalBytes: number } }>('pack', MODEL, '--adapter', adapters[0]!, '--out', newFolder());
  assert.ok(memory.totalBytes < readMaximum(board.wasm), 'less memory');
});

/** The memory maximum of a packed s2a.wasm, in bytes: read from what the host is told. */
function readMaximum(wasm: Uint8Array<ArrayBuffer>): number {
  // Section 5: one memory, flags 1, initial and maximum as LEB128.
  let at = 8;
  const leb = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = wasm[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
      shift += 7;
    }
  };
  for (;;) {
    const [id, length] = [wasm[at++]!, leb()];
    if (id === 5) {
      at += 2;
      leb();
      return leb() * 65536;
    }
    at += length;
  }
}

test('what does not belong together is refused', () => {
  refused(() => packInference({ model: 'test/golden/vit-timm', adapter: adapters[0]!, out: newFolder() }), 'other');
  refuses(2, ['pack', MODEL, '--adapter', '/no/such/adapter', '--out', newFolder()], '/no/such/adapter');
  refuses(2, ['pack', MODEL, DATA, '--adapter', adapters[0]!, '--out', newFolder()], 'wrong number');
  refuses(3, ['pack', MODEL, '--adapter', adapters[0]!, '--budget', '64KiB', '--out', newFolder()], 'smallest');
});

test.run();
