/** Products over weights in 8 bits: the same bits by words and by dot products of bytes; in 7 bits near those in 14, named wherever it matters. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { hasByteDots } from '../../src/base/arithmetic.ts';
import { createEngine, readParameter } from '../../src/engine/engine.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { type TrainJob, trainJob } from '../../src/training/job.ts';
import { newFolder, refused } from '../support/folder.ts';
import { compileNetwork, feed, load, network, randomHead } from '../support/network.ts';
import { pictureFolder } from '../support/pictures.ts';

// Node 20 and 21 have relaxed SIMD behind a flag, which is read whenever a module is compiled.
if (!hasByteDots() && process.versions.deno === undefined) setFlagsFromString('--experimental-wasm-relaxed-simd');

type Build = 'words' | 'dots';
const bytesOf = (build: Build, threads: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(`dist/engine${build === 'dots' ? '.dots' : ''}${threads > 1 ? '.mt' : ''}.wasm`));

/** Logits and every gradient after one pass. */
function pass(name: string, arithmetic: 'plain' | 'lossy', wasm: Build | 'own', threads = 1): Float32Array[] {
  const net = network(name);
  const { program } = compileNetwork(net, { microBatch: 2, method: 'bias', keep: 'exact', weights: 'int8', maxThreads: 2, arithmetic });
  assert.is(program.about.products, arithmetic === 'lossy' ? '7 bits' : '14 bits');
  const bytes = wasm === 'own' ? engineBytes(threads, program.about) : bytesOf(wasm, threads);
  const engine = createEngine(program, bytes, threads);
  load(engine, net);
  randomHead(engine);
  feed(engine, net);
  engine.run('eval');
  const logits = Float32Array.from(engine.floats(Io.Logits));
  engine.run('train');
  const gradients = program.parameters.map((record) => readParameter(engine, record, record.gradient));
  void engine.close();
  return [logits, ...gradients];
}

const flat = (parts: Float32Array[]): number[] => parts.flatMap((part) => [...part]);
function cosine(a: number[], b: number[]): number {
  const dot = (x: number[], y: number[]) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

for (const name of ['vit-timm', 'swin-timm', 'vit-hf'])
  test(`${name}: 7 bits are near 14, and either has one result by words, by bytes and on two threads`, () => {
    const [exact, lossy] = (['plain', 'lossy'] as const).map((arithmetic) => {
      const result = pass(name, arithmetic, 'words');
      assert.equal(pass(name, arithmetic, 'words', 2), result);
      assert.equal(pass(name, arithmetic, 'own', 2), result);
      if (hasByteDots()) for (const threads of [1, 2]) assert.equal(pass(name, arithmetic, 'dots', threads), result);
      return result;
    }) as [Float32Array[], Float32Array[]];
    const near = cosine(flat(lossy.slice(1)), flat(exact.slice(1)));
    assert.ok(near > 0.98 && near < 1, `${near}`);
    assert.not.equal(lossy[0], exact[0]);
  });

test('what has the dot products takes the build with them, what has not the other', () => {
  const own = engineBytes(1, { products: '14 bits' });
  assert.equal(own, bytesOf(hasByteDots() ? 'dots' : 'words', 1));
  assert.equal(engineBytes(1, {}), bytesOf('words', 1));
});

const DATA = pictureFolder({ train: 4, val: 2 });
const cacheFolder = newFolder();
const job = (out: string, more: Partial<TrainJob>): TrainJob => ({
  ...{ model: 'test/golden/vit-hf', data: DATA, out, cacheFolder, epochs: 2, batchSize: 4, rate: 0.01, ...more },
});

test('lossy is said by plan, adapter and checkpoint, and never gone on with as something else', async () => {
  const out = newFolder();
  const { plan } = await trainJob(job(out, { weights: 'int8', arithmetic: 'lossy' }));
  assert.is(plan.arithmetic, 'lossy');
  assert.is(JSON.parse(readFileSync(join(out, 'adapter_config.json'), 'utf8')).s2a.arithmetic, 'lossy');
  await trainJob(job(out, { weights: 'int8', arithmetic: 'lossy', resume: true }));
  for (const arithmetic of ['plain', undefined] as const)
    try {
      await trainJob(job(out, { weights: 'int8', resume: true, ...(arithmetic ? { arithmetic } : {}) }));
      assert.unreachable();
    } catch (error) {
      assert.match((error as Error).message, /a run with another arithmetic over coded weights, got 14 bits, expected 7 bits/);
    }
});

for (const weights of ['f32', 'int4', 'auto'] as const)
  test(`lossy over ${weights} weights is refused: it is of those in 8 bits`, async () => {
    try {
      await trainJob(job(newFolder(), { weights, arithmetic: 'lossy' }));
      assert.unreachable();
    } catch (error) {
      refused(
        () => {
          throw error;
        },
        '--arithmetic: lossy rounds what weights in 8 bits',
        `--weights ${weights}`,
        '--weights int8',
      );
    }
  });

test.run();
