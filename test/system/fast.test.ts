/** Relaxed SIMD: close to the plain build, never mistaken for it, refused where the runtime has none. */
import { setFlagsFromString } from 'node:v8';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { InputError } from '../../src/base/error.ts';
import { createEngine, type Engine, readParameter } from '../../src/engine/engine.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { decodeProgram } from '../../src/program/decode.ts';
import { encodeProgram } from '../../src/program/program.ts';
import { settingsOf } from '../../src/training/runfolder.ts';
import { TRAIN_DEFAULTS } from '../../src/training/train.ts';
import { distance } from '../support/close.ts';
import { compileNetwork, feed, load, network, randomHead } from '../support/network.ts';

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
    (e: unknown) => e instanceof InputError && /^--fast: this runtime has no relaxed SIMD, got .* leave --fast out/.test(e.message),
  );
});

/** Logits and every gradient after one pass. */
function pass(name: string, fast: boolean, threads: number): Float32Array[] {
  const net = network(name);
  const { program } = compileNetwork(net, { microBatch: 2, method: 'full', keep: 'exact', maxThreads: 2, fast });
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
  const programs = [false, true].map((fast) => compileNetwork(network('vit-timm'), { fast }).program);
  const settings = programs.map((program) =>
    settingsOf(program, { options: { ...TRAIN_DEFAULTS, epochs: 1, batchSize: 1, rate: 1 }, weights: '', labels: [], head: 'zero' }),
  );
  assert.equal(
    settings.map((s) => s.arithmetic),
    [undefined, 'relaxed'],
  );
  for (const program of programs) assert.equal(decodeProgram(encodeProgram(program)).about, program.about);
});

test.run();
