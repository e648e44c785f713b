/** The server's app of a fleet: its own tests, where a Python with Flower is at hand, and that both sides write one adapter in one way. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readAdapter, writeAdapter } from '../../src/formats/adapterfile.ts';
import type { TensorData } from '../../src/formats/safetensors.ts';
import { APP, flowerOf, installedPython, quiet, wanted } from '../../tools/fleet/python.mjs';
import { newFolder } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

const python = installedPython();
if (python === undefined)
  console.log('skipped: the server’s own tests, since no Python with Flower is here; npm run test:fleet installs one');
const serverTest: typeof nodeTest = python === undefined ? (name, run) => test.skip(name, run) : nodeTest;

const run = (...args: string[]) =>
  spawnSync(python!, args, { encoding: 'utf8', env: { ...process.env, ...quiet, PYTHONPATH: APP, OMP_NUM_THREADS: '1' }, timeout: 120e3 });

nodeTest('the app names the one minor version of Flower that both ends speak', () => {
  const [flower] = wanted() as string[];
  const [, least, below] = /^flwr>=1\.(\d+)\.0,<1\.(\d+)$/.exec(flower!)!;
  assert.is(Number(below), Number(least) + 1);
  assert.is(flowerOf('no-such-python'), undefined);
});

serverTest('its own tests pass', () => {
  const { status, stderr } = run('-m', 'unittest', 'discover', `${APP}/test`);
  assert.is(status, 0, stderr);
  const [, count] = /Ran (\d+) tests/.exec(stderr)!;
  assert.ok(Number(count) > 15, stderr);
});

serverTest('an adapter that the server writes is the one that s2a writes, byte for byte', () => {
  const folder = newFolder();
  const [own, theirs] = [join(folder, 'own'), join(folder, 'theirs')];
  const tensor = (name: string, shape: number[], ...values: number[]): TensorData => ({
    name,
    dtype: 'F32',
    shape,
    data: new Uint8Array(Float32Array.from(values).buffer),
  });
  const info = {
    method: 'bias+depth:blocks=2',
    base: { type: 'vit', digest: '0f'.repeat(32), imageSize: [28, 28] as const },
    precision: 'f32' as const,
    head: ['fc.weight', 'fc.bias'],
    labels: ['Zwölf "Äpfel"\\', 'a\tb', '猫', 'é'],
    preprocessing: { scale: 1 / 255, eps: 1e-7, large: 1e21, mean: [0.5, -0], empty: [], none: {} },
    createdBy: 's2a 0.1.0',
  };
  writeAdapter(own, info, [
    tensor('fc.weight', [4, 2], 1, 2, 3, 4, 5, 6, 7, 8),
    tensor('fc.bias', [4], 0.1, -0, 3e-42, 1e30),
    tensor('block.0.bias', [1], 2),
  ]);
  const code =
    'import sys, pathlib; from s2afleet.adapter import *; write_adapter(pathlib.Path(sys.argv[2]), *read_adapter(pathlib.Path(sys.argv[1])))';
  const { status, stderr } = run('-c', code, own, theirs);
  assert.is(status, 0, stderr);
  for (const file of ['adapter_model.safetensors', 'adapter_config.json'])
    assert.equal(readFileSync(join(theirs, file)), readFileSync(join(own, file)), file);
  const adapter = readAdapter(theirs);
  assert.equal(adapter.labels, info.labels);
  adapter.weights.close();
});

test.run();
