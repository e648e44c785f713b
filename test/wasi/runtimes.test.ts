/** The packed program under other people's runtimes, those that this machine has (tools/runtimes/wasi.mjs says how to get them). */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Interrupted } from '../../src/base/error.ts';
import { withMaximum } from '../../src/engine/wasm.ts';
import { trainJob } from '../../src/training/job.ts';
import { wasiRuntimes } from '../../tools/runtimes/wasi.mjs';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { adapterDigest, type Board, pack } from './board.ts';

const DATA = pictureFolder({ train: 5, val: 4, noise: 120 });
const JOB = {
  ...{
    model: 'test/golden/vit-hf',
    data: DATA,
    epochs: 2,
    batchSize: 6,
    microBatch: 3,
    rate: 0.02,
    method: 'bias+prompt:rank=2+side:ratio=4',
  },
  augment: { shift: 2, flip: true },
};

const runtimes = wasiRuntimes();
if (runtimes.length === 0) test.skip('no WASI runtime on this machine', () => {});

let board: Board;
/** One folder with all that a board has: program, arrays, model. */
let folder = '';
let reference = '';
const TRAIN = ['train', 'program.s2a', '--model', 'model', '--data', '.'];

test.before(async () => {
  if (runtimes.length === 0) return;
  const out = newFolder();
  await trainJob({ ...JOB, out });
  reference = adapterDigest(out);
  board = await pack(JOB);
  folder = board.folder;
  cpSync(JOB.model, join(folder, 'model'), { recursive: true });
});

for (const { name, limitsMemory, run } of runtimes) {
  const wasm = (): string => join(folder, 's2a.wasm');
  const into = (out: string, ...words: string[]): string[] => [...TRAIN, '--out', out, ...words];

  test(`${name}: the same adapter, and it judges and predicts`, () => {
    const ran = run(wasm(), into(name), { folder });
    assert.is(ran.code, 0, ran.err);
    assert.is(adapterDigest(join(folder, name)), reference);
    const with_ = ['--model', 'model', '--adapter', name];
    const judged = run(wasm(), ['eval', 'program.s2a', ...with_, '--data', '.'], { folder });
    const here = board.run('eval', ['--adapter', `/board/${name}`, '--data', '/board']);
    assert.is(judged.out, here.out);
    const stdin = new Uint8Array(2 * 32 * 32 * 3).fill(100);
    const seen = run(wasm(), ['predict', 'program.s2a', ...with_, '--top', '3'], { folder, stdin });
    assert.is(seen.out, board.run('predict', ['--adapter', `/board/${name}`, '--top', '3'], { stdin }).out);
    assert.is(seen.out.split('\n').length, 3);
  });

  test(`${name}: Node goes on where it stopped, and it where Node did`, async () => {
    const out = join(folder, `${name}-and-node`);
    mkdirSync(out);
    assert.is(run(wasm(), into(`${name}-and-node`, '--steps', '1'), { folder }).code, 5);
    let asked = 0;
    try {
      await trainJob({ ...JOB, out, resume: true }, { stopping: () => ++asked === 4 });
      assert.unreachable('not stopped');
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
    const ran = run(wasm(), into(`${name}-and-node`, '--resume'), { folder });
    assert.is(ran.code, 0, ran.err);
    assert.match(ran.err, /going on from step \d/);
    assert.is(adapterDigest(out), reference);
  });

  test(`${name}: with one page less it is refused`, () => {
    const pages =
      Number(/it needs (\d+) bytes/.exec(board.run('train', ['--data', '/board', '--out', '/board/x'], tight(1)).err)![1]) / 65536;
    const less = join(folder, 'less.wasm');
    writeFileSync(less, withMaximum(board.wasm, pages - 1));
    const words = into(`${name}-less`);
    for (const ran of [
      run(less, words, { folder }),
      ...(limitsMemory ? [run(wasm(), words, { folder, memory: (pages - 1) * 65536 })] : []),
    ]) {
      assert.is(ran.code, 3, ran.err);
      assert.match(ran.err, /does not fit into the memory that the runtime allows, it needs \d+ bytes in all\n$/);
    }
    if (!limitsMemory) return;
    const just = run(wasm(), words, { folder, memory: pages * 65536 });
    assert.is(just.code, 0, just.err);
  });
}

/** The program with so few pages that it says how many it needs; it starts with two. */
const tight = (more: number): { wasm: Uint8Array<ArrayBuffer> } => ({ wasm: Uint8Array.from(withMaximum(board.wasm, 2 + more)) });

test.run();
