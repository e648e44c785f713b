import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EpochRecord, CheckpointHead as Head } from '../../assembly/abi/checkpoint.ts';
import { digest } from '../../src/base/digest.ts';
import { type CheckpointHead, clearCheckpoints, openCheckpoint, readLatest, writeCheckpoint } from '../../src/training/checkpointfile.ts';
import type { Tally } from '../../src/training/figures.ts';
import { History } from '../../src/training/history.ts';
import { newFolder, refused } from '../support/folder.ts';

const expected = { program: digest('program'), data: digest('data'), settings: { rate: 0.1 } };
/** One epoch has ended, another is under way. */
const REMEMBERED = {
  epochTally: { lossSum: 1.25, correct: 3, count: 5 },
  epochs: [
    {
      ...{ epoch: 1, train: { lossSum: 9.5, correct: 1, count: 7 }, val: { lossSum: 0.1, correct: 2, count: 4 } },
      ...{ judged: { answers: 3, balanced: 0.375, worst: 1, worstCorrect: 2, worstCount: 5 }, learnt: true, best: true },
    },
  ],
  bestEpoch: 1,
  ...{ backs: 2, firstLoss: 0.5 },
};
const history = new History();
{
  const { setU32, setF32, setF64 } = history.words;
  const tally = (at: number, { lossSum, correct, count }: Tally): void => {
    setF64(at, lossSum);
    setU32(at + 8, correct);
    setU32(at + 12, count);
  };
  const [{ train, val, judged }, at] = [REMEMBERED.epochs[0]!, Head.Bytes];
  tally(Head.Loss, REMEMBERED.epochTally);
  setU32(Head.Epochs, 1);
  setU32(Head.BestEpoch, 1);
  setU32(Head.Backs, 2);
  setF32(Head.FirstLoss, 0.5);
  tally(at + EpochRecord.TrainLoss, train);
  tally(at + EpochRecord.ValLoss, val);
  setU32(at + EpochRecord.Flags, 3);
  setU32(at + EpochRecord.Answers, judged.answers);
  setF64(at + EpochRecord.Balanced, judged.balanced);
  setU32(at + EpochRecord.Worst, judged.worst);
  setU32(at + EpochRecord.WorstCorrect, judged.worstCorrect);
  setU32(at + EpochRecord.WorstCount, judged.worstCount);
}
const remembered = ({ epochTally, epochs, bestEpoch, backs, firstLoss }: History) => ({ epochTally, epochs, bestEpoch, backs, firstLoss });
const head = (step: number): CheckpointHead => ({ step, epoch: 1, position: 2 * step, ...expected, history });
const silent = (sentence: string) => assert.unreachable(sentence);
const fileOf = (folder: string, step: number) => join(folder, `checkpoint-${step}.s2ac`);

/** A region whose bytes tell the step. */
const region = (step: number, bytes = 300_000) => new Uint8Array(bytes).fill(step % 251);

// Started by the test below as a process of its own, to be killed.
if (process.argv[2] === 'write-until-killed') {
  for (let step = 1; ; step++) {
    writeCheckpoint(process.argv[3]!, head(step), region(step));
    if (step === 3) console.log('ready');
  }
}

test('a checkpoint comes back, its regions read straight into place', () => {
  const folder = join(newFolder(), 'run');
  assert.is(readLatest(folder, expected, silent), undefined);
  const arena = new Uint8Array(new SharedArrayBuffer(100)).map((_, i) => i);
  const state = new Uint8Array(arena.buffer, 8, 50);
  const path = writeCheckpoint(folder, head(7), state);
  assert.is(path, fileOf(folder, 7));
  const { read, close, path: found, regionBytes, history: past, ...rest } = readLatest(folder, expected, silent)!;
  const { history: _, ...placed } = head(7);
  assert.equal([rest, found, regionBytes], [placed, path, 50]);
  assert.equal(remembered(past), REMEMBERED);
  const back = new Uint8Array(new SharedArrayBuffer(50));
  read(back);
  assert.equal([...back], [...state]);
  refused(() => read(new Uint8Array(10)), path, 'region', 'got 50', 'expected 10');
  close();
});

test('the same state gives the same bytes', () => {
  const [a, b] = [newFolder(), newFolder()];
  writeCheckpoint(a, head(1), region(1));
  writeCheckpoint(b, head(1), region(1));
  assert.equal(readFileSync(fileOf(a, 1)), readFileSync(fileOf(b, 1)));
});

test('the newest two are kept', () => {
  const folder = newFolder();
  for (const step of [2, 9, 10, 11]) writeCheckpoint(folder, head(step), region(step, 8));
  assert.equal(readdirSync(folder).sort(), ['checkpoint-10.s2ac', 'checkpoint-11.s2ac']);
  writeCheckpoint(folder, { ...head(11), position: 99 }, region(11, 8));
  assert.equal(readdirSync(folder).sort(), ['checkpoint-10.s2ac', 'checkpoint-11.s2ac']);
  assert.is(readLatest(folder, expected, silent)!.position, 99);
  writeFileSync(join(folder, 'checkpoint-99.txt'), '');
  writeFileSync(join(folder, 'checkpoint-.s2ac'), '');
  assert.is(readLatest(folder, expected, silent)!.step, 11);
  clearCheckpoints(folder);
  assert.equal(readdirSync(folder).sort(), ['checkpoint-.s2ac', 'checkpoint-99.txt']);
  clearCheckpoints(join(folder, 'none'));
});

test('a damaged newest one is said and the one before it taken', () => {
  const folder = newFolder();
  writeCheckpoint(folder, head(1), region(1));
  writeCheckpoint(folder, head(2), region(2));
  const bytes = readFileSync(fileOf(folder, 2));
  bytes[1000]! ^= 1;
  writeFileSync(fileOf(folder, 2), bytes);
  const said: string[] = [];
  assert.is(readLatest(folder, expected, (sentence) => said.push(sentence))!.step, 1);
  assert.is(said.length, 1);
  assert.match(said[0]!, /checkpoint-2\.s2ac: damaged checkpoint.*going on from step 1/);
  writeCheckpoint(folder, head(2), region(2));
  assert.is(readLatest(folder, expected, silent)!.step, 2);
});

test('where all are damaged nothing is taken', () => {
  const folder = newFolder();
  for (const step of [1, 2]) writeFileSync(fileOf(folder, step), '');
  const said: string[] = [];
  refused(() => readLatest(folder, expected, (sentence) => said.push(sentence)), 'checkpoint-1.s2ac', 'damaged');
  assert.match(said[0]!, /checkpoint-2/);
});

test('every cut and every flipped bit is seen', () => {
  const folder = newFolder();
  const path = writeCheckpoint(folder, head(3), region(3, 40));
  const whole = readFileSync(path);
  for (let n = 0; n < whole.length; n++) {
    writeFileSync(path, whole.subarray(0, n));
    refused(() => openCheckpoint(path), path, 'damaged');
    const flipped = Uint8Array.from(whole);
    flipped[n]! ^= 1 << (n & 7);
    writeFileSync(path, flipped);
    refused(() => openCheckpoint(path), path, 'damaged');
  }
});

/** A checkpoint whose head is changed and whose digest is right again: what a hostile hand could make. */
function sealed(path: string, change: (view: DataView) => void): void {
  const folder = newFolder();
  const bytes = readFileSync(writeCheckpoint(folder, head(1), region(1, 8))).subarray(0, -32);
  change(new DataView(bytes.buffer, bytes.byteOffset));
  writeFileSync(path, Buffer.concat([bytes, Buffer.from(digest(bytes), 'hex')]));
}

test('a sealed file with a false head is refused as well', () => {
  const path = join(newFolder(), 'checkpoint-1.s2ac');
  sealed(path, () => {});
  openCheckpoint(path).close();
  const word = (at: Head, value: number) => (view: DataView) => view.setUint32(at, value, true);
  const text = Head.Bytes + EpochRecord.Bytes;
  for (const [change, ...words] of [
    [word(Head.Version, 4), 'another version', 'got 4'],
    [word(Head.Epochs, 0xffffffff), 'its epochs'],
    [word(Head.Epochs, 2), 'do not fill'],
    [word(Head.SettingsBytes, 0xffffffff), 'its settings'],
    [word(Head.SettingsBytes, 30), 'do not fill'],
    [word(Head.RegionBytes, 0xffffffff), 'do not fill'],
    [word(Head.BestEpoch, 2), 'its best epoch'],
    [word(text as Head, 0x20202020), 'JSON'],
    [(view: DataView) => view.setUint8(text + 10, 0xff), 'UTF-8'],
  ] as [(view: DataView) => void, ...string[]][]) {
    sealed(path, change);
    refused(() => openCheckpoint(path), path, ...words);
  }
});

test('another program or other data is refused, and the sentence says which', () => {
  const folder = newFolder();
  writeCheckpoint(folder, head(1), region(1, 8));
  refused(() => readLatest(folder, { ...expected, program: digest('x') }, silent), fileOf(folder, 1), 'another program', '--resume');
  refused(() => readLatest(folder, { ...expected, data: digest('x') }, silent), fileOf(folder, 1), 'other pictures');
  refused(
    () => readLatest(folder, { ...expected, settings: { rate: 0.2 } }, silent),
    'another learning rate',
    'got 0.2',
    'expected 0.1',
    '--resume',
  );
  // A run over coded weights from before their products were in whole numbers.
  refused(
    () => readLatest(folder, { ...expected, settings: { rate: 0.1, products: '14 bits' } }, silent),
    'another arithmetic over coded weights',
    'got 14 bits',
    'start anew without --resume',
  );
});

test('kill -9 at any moment leaves a valid checkpoint', async () => {
  const folder = newFolder();
  for (let round = 0; round < 3; round++) {
    clearCheckpoints(folder);
    const writer = spawn(process.execPath, [fileURLToPath(import.meta.url), 'write-until-killed', folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => writer.stdout.once('data', resolve));
    await new Promise((resolve) => setTimeout(resolve, 3 + 11 * round));
    writer.kill('SIGKILL');
    await new Promise((resolve) => writer.once('exit', resolve));
    const checkpoint = readLatest(folder, expected, silent)!;
    const back = new Uint8Array(checkpoint.regionBytes);
    checkpoint.read(back);
    checkpoint.close();
    assert.ok(checkpoint.step >= 3);
    assert.equal(back, region(checkpoint.step));
    assert.ok(readdirSync(folder).filter((name) => name.startsWith('checkpoint')).length <= 3);
  }
});

test.run();
