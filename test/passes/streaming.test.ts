/** Streamed weights: the same bytes as resident ones, through every window, forward, backward and computed again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { loadWeights } from '../../src/engine/engine.ts';
import { openStored } from '../../src/engine/storedfile.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { WINDOWS } from '../../src/passes/streaming.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { bytesRead, storedBytes, weightsOnRequest } from '../../src/program/stored.ts';
import { compileNetwork, feed, type Network, network, newEngine, randomHead } from '../support/network.ts';

const folder = mkdtempSync(join(tmpdir(), 's2a-streaming-'));

/** The checkpoint region and the logits after two steps and an evaluation. */
async function learnt(
  net: Network,
  options: Partial<CompileOptions>,
  isPaced: boolean,
): Promise<{ region: Uint8Array; logits: Float32Array }> {
  const { program } = compileNetwork(net, options);
  const engine = newEngine(program);
  const stored = storedBytes(program) > 0 ? openStored(join(folder, 'weights'), storedBytes(program)) : undefined;
  const file = openWeightsFile(net.folder);
  loadWeights(engine, file, 0, stored);
  file.close();
  randomHead(engine);
  for (const phase of ['train', 'update', 'train', 'update', 'eval'] as const) {
    feed(engine, net);
    if (isPaced) await engine.runAsync(phase);
    else engine.run(phase);
  }
  const result = { region: engine.region.slice(), logits: engine.floats(Io.Logits).slice() };
  await engine.close();
  stored?.close(false);
  return result;
}

const again = new Map([0, 1].map((block) => [block, 8 as const]));

for (const name of ['vit-hf', 'resnet-hf'])
  for (const weights of ['f32', 'int8'] as const)
    for (const recompute of [undefined, again])
      test(`${name}, ${weights}${recompute ? ', computed again' : ''}: streamed weights learn the same bytes`, async () => {
        const net = network(name);
        const options = { weights, microBatch: 2, ...(recompute ? { recompute } : {}) };
        const resident = await learnt(net, options, false);
        for (const window of WINDOWS)
          for (const isPaced of [false, true]) {
            const streamed = await learnt(net, { ...options, streaming: { window } }, isPaced);
            assert.equal(streamed.region, resident.region, window);
            assert.equal(streamed.logits, resident.logits, window);
          }
      });

test('a program says what it keeps in the file and how much a pass reads of it', () => {
  const { program, plan } = compileNetwork(network('vit-hf'), { streaming: { window: 'layers' } });
  assert.ok(weightsOnRequest(program).size > 3);
  assert.ok(bytesRead(program, 'train') > bytesRead(program, 'eval'));
  assert.ok(bytesRead(program, 'eval') >= storedBytes(program) - 64);
  assert.ok(plan.parts.window! > 0);
  const resident = compileNetwork(network('vit-hf'));
  assert.is(storedBytes(resident.program), 0);
  assert.is(resident.plan.parts.window, undefined);
  assert.ok(plan.linearBytes < resident.plan.linearBytes);
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
