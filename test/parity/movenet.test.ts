/** The real pretrained MobileNetV2 on real drawings: the engine's features against TensorFlow.js running the original graph. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, loadWeights, writeParameter } from '../../src/engine/engine.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { readModel } from '../../src/import/index.ts';
import { distance } from '../support/close.ts';
import { newFolder } from '../support/folder.ts';
import { openValues } from '../support/golden.ts';
import { headPart } from '../support/goldenengine.ts';

const WIDTH = 1280;
const folder = join(newFolder(), 'movenet');
execFileSync('node', ['tools/models/movenet.mjs', folder, '96'], { stdio: 'ignore' });
const golden = openValues('test/golden/movenet.safetensors');

/** The input of the head, seen through a head that is the identity. */
function features(pictures: Uint8Array, count: number, size: number): Float32Array {
  const model = readModel(folder, [size, size]);
  const normalize = { scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
  const { program } = compile({ model, classes: WIDTH, microBatch: count, method: 'probe', optimizer: 'sgd', normalize });
  const engine = createEngine(program, readFileSync('build/engine.wasm'));
  const file = openWeightsFile(folder);
  loadWeights(engine, file);
  file.close();
  const identity = new Float32Array(WIDTH * WIDTH);
  for (let i = 0; i < WIDTH; i++) identity[i * (WIDTH + 1)] = 1;
  writeParameter(engine, engine.program.parameters.find((p) => headPart(p.name) === 'weight')!, identity);
  engine.bytes(Io.Pictures).set(pictures);
  engine.ints(Io.Labels).fill(0);
  engine.run('eval');
  return engine.floats(Io.Logits);
}

for (const [prefix, size] of [
  ['', 96],
  ['odd.', 100],
] as const)
  test(`features at ${size}x${size}`, () => {
    const want = golden.get(`${prefix}features`);
    const [count, width] = golden.shape(`${prefix}features`) as [number, number];
    const got = features(golden.bytes(`${prefix}pictures`), count, size);
    assert.is(width, WIDTH);
    for (let i = 0; i < count; i++) {
      const row = (of: Float32Array) => of.subarray(i * width, (i + 1) * width);
      const d = distance(row(got), row(want));
      assert.ok(d < 2e-5, `picture ${i}: relative distance ${d}`);
    }
  });

test.run();
