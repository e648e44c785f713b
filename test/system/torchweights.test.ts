/** Weights of torch.save all the way: the same programs, adapters and merged folders as from safetensors, byte for byte. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planForBudget } from '../../src/compile.ts';
import { openSafetensors } from '../../src/formats/safetensors.ts';
import { openModelFolder } from '../../src/import/modelfolder.ts';
import { encodeProgram } from '../../src/program/program.ts';
import { trainJob } from '../../src/training/job.ts';
import { mergeAdapter } from '../../src/use/merge/merge.ts';
import { exportOnnx } from '../../src/use/onnx/export.ts';
import { refuses } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { modelFolder } from '../support/golden.ts';
import { pictureFolder } from '../support/pictures.ts';
import { p, writeTorch } from '../support/torchwrite.ts';

const folder = newFolder();

/** The same folder with torch.save's file in safetensors' place. */
function asTorch(name: string, file: string, wrap?: (dict: Uint8Array) => Uint8Array): string {
  const model = join(folder, file);
  cpSync(modelFolder(name), model, { recursive: true });
  const safe = openSafetensors(join(model, 'model.safetensors'));
  writeTorch(join(model, file), safe, wrap);
  safe.close();
  rmSync(join(model, 'model.safetensors'));
  return model;
}

const SAFE = modelFolder('resnet-hf');
const WRAPPED = asTorch('resnet-hf', 'best.pth', (dict) => p.dict([p.text('epoch'), p.int(3)], [p.text('state_dict'), dict]));
const bytesIn = (of: string): [string, string][] =>
  readdirSync(of)
    .filter((name) => /\./.test(name))
    .map((name) => [name, readFileSync(join(of, name), 'base64')]);

test('one program, one adapter, one merged folder, one exported file', async () => {
  const [a, b] = [SAFE, asTorch('resnet-hf', 'pytorch_model.bin')].map(
    (model) => planForBudget({ model: openModelFolder(model).model, classes: 3, batchSize: 4 }).program,
  );
  assert.ok(Buffer.from(encodeProgram(a!)).equals(encodeProgram(b!)));
  const data = pictureFolder({ train: 4, val: 2 });
  const outs = [join(folder, 'of-safe'), join(folder, 'of-torch')];
  for (const [i, model] of [SAFE, WRAPPED].entries()) await trainJob({ model, data, out: outs[i]!, epochs: 1, batchSize: 4 });
  assert.equal(bytesIn(outs[1]!), bytesIn(outs[0]!));
  const made = [SAFE, WRAPPED].map((model, i) => {
    // Either base takes the other's adapter.
    const adapter = outs[1 - i]!;
    const [merged, exported] = ['merged', 'exported'].map((name) => join(folder, `${name}-${i}`)) as [string, string];
    mergeAdapter({ model, adapter, out: merged });
    exportOnnx({ model, adapter, out: exported });
    return [...bytesIn(merged), ...bytesIn(exported)];
  });
  assert.equal(made[1], made[0]);
});

test('at the command line: --arch of weights alone, and what is said without it', () => {
  const model = 'test/golden/torch/checkpoint.pth';
  refuses(2, ['plan', model], 'is weights alone', '--arch');
  refuses(2, ['plan', model, '--arch', 'resnet19'], '--arch resnet19', 'did you mean resnet18');
  refuses(2, ['plan', '--grid', model, model, '--arch', 'resnet18'], '--arch', 'one model');
  refuses(2, ['plan', SAFE, '--arch', 'resnet18'], '--arch resnet18', 'config.json');
  // Where the model is an option too.
  const node = ['--model', model, '--data', pictureFolder({ train: 1, val: 1 }), '--out', join(folder, 'node')];
  refuses(2, ['fleet', 'join', 'http://127.0.0.1:1', ...node, '--arch', 'resnet18'], 'not the weights of resnet18');
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  const plan = planForBudget({ model: openModelFolder(`${empty}#mobilenet_v2`).model, classes: 3, batchSize: 4 });
  assert.ok(plan.program.weights.some(({ name }) => name === 'features.0.0.weight'));
});

test.run();
