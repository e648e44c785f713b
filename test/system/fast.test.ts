/** Fused sums: close to the plain build, never mistaken for it, refused where the runtime has none or the machine fuses nothing. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { type ArithmeticWish, type relaxedMadd, settleArithmetic } from '../../src/base/arithmetic.ts';
import { InputError } from '../../src/base/error.ts';
import { createEngine, type Engine, readParameter } from '../../src/engine/engine.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { decodeProgram } from '../../src/program/decode.ts';
import { encodeProgram } from '../../src/program/program.ts';
import { type TrainJob, trainJob } from '../../src/training/job.ts';
import { settingsOf } from '../../src/training/runfolder.ts';
import { TRAIN_DEFAULTS } from '../../src/training/train.ts';
import { distance } from '../support/close.ts';
import { newFolder, refused } from '../support/folder.ts';
import { compileNetwork, feed, load, network, randomHead } from '../support/network.ts';
import { pictureFolder } from '../support/pictures.ts';

const relaxed = { arithmetic: 'relaxed' } as const;
const isThere = (): boolean => {
  try {
    return engineBytes(1, relaxed).length > 0;
  } catch {
    return false;
  }
};

test('a runtime without relaxed SIMD says so, and nothing else runs in its place', () => {
  if (isThere()) return assert.ok(WebAssembly.validate(engineBytes(2, relaxed)));
  assert.throws(
    () => engineBytes(1, relaxed),
    (e: unknown) =>
      e instanceof InputError &&
      /^--arithmetic: this (runtime|processor) has no .*, got fast, expected .* an adapter is as good/.test(e.message),
  );
});

test('a wish comes to what the machine does: fused, separate or none', () => {
  const settle = (wish: ArithmeticWish | undefined, found: ReturnType<typeof relaxedMadd>) => settleArithmetic(wish, () => found);
  for (const found of ['fused', 'separate', 'none'] as const) {
    assert.is(settle(undefined, found), 'plain');
    assert.is(settle('plain', found), 'plain');
    assert.is(settle('auto', found), found === 'fused' ? 'fast' : 'plain');
  }
  assert.is(settle('fast', 'fused'), 'fast');
  refused(() => settle('fast', 'separate'), '--arithmetic', 'no fused multiply-add');
  refused(() => settle('fast', 'none'), '--arithmetic', 'no relaxed SIMD', 'Node 22');
});

/** Logits and every gradient after one pass. */
function pass(name: string, fast: boolean, threads: number): Float32Array[] {
  const arithmetic = fast ? 'fast' : 'plain';
  const net = network(name);
  const { program } = compileNetwork(net, { microBatch: 2, method: 'full', keep: 'exact', maxThreads: 2, arithmetic });
  const engine: Engine = createEngine(program, engineBytes(threads, program.about), threads);
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

// Node has it behind a flag from 20 on; the flag is read whenever a module is compiled.
if (!isThere() && process.versions.deno === undefined) setFlagsFromString('--experimental-wasm-relaxed-simd');

if (isThere())
  for (const name of ['vit-timm', 'mobilenetv2-hf', 'swin-timm', 'resnet-hf', 'convnext-hf'])
    test(`${name}: relaxed SIMD gives logits and gradients close to the plain build's, on two threads the same bits as on one`, () => {
      const plain = pass(name, false, 1);
      const fast = pass(name, true, 1);
      assert.ok(distance(fast[0]!, plain[0]!) < 1e-5, `logits ${distance(fast[0]!, plain[0]!)}`);
      // Of all gradients together: a single one may be near nothing.
      const all = (parts: Float32Array[]): number[] => parts.slice(1).flatMap((part) => [...part]);
      assert.ok(distance(all(fast), all(plain)) < 1e-4, `gradients ${distance(all(fast), all(plain))}`);
      assert.equal(pass(name, true, 2), fast);
    });
else test.skip('relaxed SIMD against the plain build: this runtime has none');

test('a program says that it is for relaxed SIMD, and a checkpoint with it that it is no plain one', () => {
  const programs = (['plain', 'fast'] as const).map((arithmetic) => compileNetwork(network('vit-timm'), { arithmetic }).program);
  const settings = programs.map((program) =>
    settingsOf(program, { options: { ...TRAIN_DEFAULTS, epochs: 1, batchSize: 1, rate: 1 }, weights: '', labels: [], head: 'zero' }),
  );
  assert.equal(
    settings.map((s) => s.arithmetic),
    [undefined, 'relaxed'],
  );
  for (const program of programs) assert.equal(decodeProgram(encodeProgram(program)).about, program.about);
});

if (isThere()) {
  const DATA = pictureFolder({ train: 4, val: 2 });
  const cacheFolder = newFolder();
  const MODEL = 'test/golden/vit-hf';
  const job = (out: string, more: Partial<TrainJob>): TrainJob => ({
    ...{ model: MODEL, data: DATA, out, cacheFolder, epochs: 2, batchSize: 4, rate: 0.01, ...more },
  });
  const about = (out: string): string => JSON.parse(readFileSync(join(out, 'adapter_config.json'), 'utf8')).s2a.arithmetic;

  test('auto is fast here, and the adapter and the checkpoint say so: another arithmetic does not go on', async () => {
    const out = newFolder();
    const { plan } = await trainJob(job(out, { arithmetic: 'auto' }));
    assert.is(plan.arithmetic, 'fast');
    assert.is(about(out), 'relaxed');
    for (const arithmetic of ['plain', undefined] as const)
      try {
        await trainJob(job(out, { resume: true, ...(arithmetic ? { arithmetic } : {}) }));
        assert.unreachable();
      } catch (error) {
        assert.match((error as Error).message, /a run with another arithmetic, got plain, expected fast; repeat the command/);
      }
    await trainJob(job(out, { arithmetic: 'fast', resume: true }));
  });

  test('auto is plain where features are kept, which saves more', async () => {
    const large = newFolder();
    const { plan } = await trainJob(job(large, { model: 'models/sketch-vit', method: 'probe', epochs: 1, arithmetic: 'auto' }));
    assert.is(plan.arithmetic, 'plain');
    assert.ok(plan.features);
    const { plan: without } = await trainJob(
      job(newFolder(), { model: 'models/sketch-vit', method: 'probe', epochs: 1, arithmetic: 'auto', featureCache: 0 }),
    );
    assert.is(without.arithmetic, 'fast');
  });
}

test.run();
