/** Checkpoints and adapters whose lengths are made to deceive, their digest right: a sentence each, soon, and nothing else. */
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CheckpointHead } from '../../assembly/abi/checkpoint.ts';
import { digest } from '../../src/base/digest.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { makePipe, nodeTest } from '../support/runtime.ts';
import { type Board, pack } from './board.ts';

const MODEL = 'test/golden/vit-timm-gap';
let board: Board;
const run = newFolder();
const adapter = newFolder();

test('a board that trains', async () => {
  board = await pack({ model: MODEL, data: pictureFolder({ train: 2, val: 1 }), batchSize: 2, microBatch: 1, epochs: 2, method: 'bias' });
  assert.is(board.train(adapter).code, 0);
  assert.is(board.train(run, '--steps', '1').code, 5);
});

/** What resuming says of the run's checkpoint with these words in its head, and the SHA-256 that belongs to it. */
function resumed(change: (view: DataView) => void, bytes?: number): { code: number; err: string } {
  const out = newFolder();
  cpSync(run, out, { recursive: true });
  const path = join(out, 'run', 'checkpoint-1.s2ac');
  const file = new Uint8Array(readFileSync(path));
  change(new DataView(file.buffer));
  writeFileSync(path, Buffer.concat([file.subarray(0, -32), Buffer.from(digest(file.subarray(0, -32)), 'hex')]));
  if (bytes !== undefined) truncateSync(path, bytes);
  const began = Date.now();
  const { code, err } = board.train(out, '--resume');
  assert.ok(Date.now() - began < 10_000, 'takes its time');
  return { code, err };
}

const LARGE = [0x7fffffff, 0x80000000, 0xffffffe0, 0xfffffff0, 0xffffffff];
const FIELDS = {
  Epochs: CheckpointHead.Epochs,
  SettingsBytes: CheckpointHead.SettingsBytes,
  BestEpoch: CheckpointHead.BestEpoch,
  RegionBytes: CheckpointHead.RegionBytes,
  Epoch: CheckpointHead.Epoch,
  Position: CheckpointHead.Position,
};
for (const [field, at] of Object.entries(FIELDS))
  test(`a checkpoint with a vast ${field}`, () => {
    for (const value of LARGE) {
      const { code, err } = resumed((view) => view.setUint32(at, value, true));
      assert.is(code, 2, `${value}: ${err}`);
      assert.match(err, /damaged checkpoint: [^\n]+\ns2a: [^\n]+every checkpoint is damaged; start anew without --resume\n$/);
    }
  });

test('lengths that make up for each other, past 2³²', () => {
  const { code, err } = resumed((view) => {
    const settings = view.getUint32(CheckpointHead.SettingsBytes, true);
    const region = view.getUint32(CheckpointHead.RegionBytes, true);
    // Together they are what they were, modulo 2³².
    view.setUint32(CheckpointHead.SettingsBytes, settings - 4096, true);
    view.setUint32(CheckpointHead.RegionBytes, region + 4096, true);
  });
  assert.is(code, 2);
  assert.match(err, /damaged/);
});

test('a checkpoint of a terabyte is not read to its end', () => {
  const { code, err } = resumed(() => {}, 2 ** 40);
  assert.is(code, 2);
  assert.match(err, /damaged checkpoint: too long/);
});

/** What judging says of the adapter with another header in front of its data. */
function judged(change: (header: Record<string, { dtype: string; shape: number[]; data_offsets: (number | string)[] }>) => void): {
  code: number;
  err: string;
} {
  const out = newFolder();
  cpSync(adapter, out, { recursive: true });
  const path = join(out, 'adapter_model.safetensors');
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  const { __metadata__, ...tensors } = JSON.parse(file.subarray(8, 8 + length).toString());
  change(tensors);
  // Numbers larger than JavaScript's are given as strings.
  const text = Buffer.from(JSON.stringify({ __metadata__, ...tensors }).replace(/"(\d{10,})"/g, '$1'));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([prefix, text, file.subarray(8 + length)]));
  const { code, err } = board.run('eval', ['--adapter', '/out', '--data', '/board'], { out, writable: false });
  assert.match(err, /^s2a: [^\n]+\n$/);
  return { code, err };
}

test('an adapter whose ranges lie outside, overlap or wrap', () => {
  const first = (header: Parameters<Parameters<typeof judged>[0]>[0]) => Object.values(header)[0]!;
  for (const large of ['4294967295', '4294967296', '9007199254740992', '18446744073709551600', '99999999999999999999']) {
    assert.is(judged((header) => (first(header).data_offsets[1] = large)).code, 2, large);
    assert.is(judged((header) => (first(header).data_offsets = [large, large])).code, 2, large);
    assert.is(judged((header) => (first(header).shape = [large as never, large as never])).code, 2, large);
  }
  const overlap = judged((header) => {
    const [a, b] = Object.values(header).filter(({ shape }) => shape.length === 1);
    b!.data_offsets = [...a!.data_offsets];
  });
  assert.is(overlap.code, 2);
});

nodeTest('a pipe where a file should be is not waited for (mkfifo is a program)', () => {
  const folder = newFolder();
  if (makePipe(folder, 'adapter_model.safetensors') === undefined) return;
  const seen = board.run('eval', ['--adapter', '/out', '--data', '/board'], { out: folder, writable: false });
  assert.is(seen.code, 2);
  assert.match(seen.err, /adapter_model\.safetensors: [^\n]*is not an ordinary file/);
  const out = newFolder();
  cpSync(run, out, { recursive: true });
  rmSync(join(out, 'run', 'checkpoint-1.s2ac'));
  makePipe(join(out, 'run'), 'checkpoint-1.s2ac');
  const { code, err } = board.train(out, '--resume');
  assert.is(code, 2);
  assert.match(err, /damaged checkpoint: it cannot be read/);
});

test.run();
