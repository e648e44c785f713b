/** Weights that a board reads: of an ONNX file, of a part of one, and of torch.save, trained there to the adapter that Node makes. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openSafetensors } from '../../src/formats/safetensors.ts';
import { trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { packJob } from '../../src/use/pack.ts';
import { packInference } from '../../src/use/packinfer.ts';
import { runWasi } from '../../targets/wasi/host.ts';
import { newFolder } from '../support/folder.ts';
import { fileOf } from '../support/onnx.ts';
import { pictureFolder } from '../support/pictures.ts';
import { writeTorch } from '../support/torchwrite.ts';
import { adapterDigest } from '../wasi/board.ts';

const DATA = pictureFolder({ train: 2, val: 2, noise: 120 });

/** A folder with vit-hf's configuration and its weights as torch.save has them. */
function torchFolder(): string {
  const folder = newFolder();
  for (const name of ['config.json', 'preprocessor_config.json']) copyFileSync(join('test/golden/vit-hf', name), join(folder, name));
  const file = openSafetensors('test/golden/vit-hf/model.safetensors');
  writeTorch(join(folder, 'pytorch_model.bin'), file);
  file.close();
  return folder;
}

/** Runs `s2a.wasm` of a packed folder, its weights beside it. */
function run(board: string, command: string, words: readonly string[], more: { out?: string; stdin?: Uint8Array } = {}): string {
  const said: Buffer[] = [];
  const code = runWasi(new Uint8Array(readFileSync(join(board, 's2a.wasm'))), {
    args: ['s2a.wasm', command, '/board/program.s2a', '--model', '/board', ...words],
    preopens: { '/board': board, ...(more.out === undefined ? {} : { '/out': more.out }) },
    writable: true,
    ...(more.stdin ? { stdin: more.stdin } : {}),
    stdout: (bytes) => void said.push(Buffer.from(bytes)),
    stderr: (bytes) => void said.push(Buffer.from(bytes)),
  });
  const text = Buffer.concat(said).toString();
  assert.is(code, 0, text);
  return text;
}

const MODELS: Readonly<Record<string, () => string>> = {
  'an ONNX file in f16': () => fileOf('vit-hf-f16'),
  'an ONNX file with matrices the other way round': () => fileOf('swin-timm'),
  'an ONNX file up to a value': () => `${fileOf('resnet18-timm')}#/layer3/layer3.0/act2/Relu`,
  'a file of torch.save': torchFolder,
};

for (const [what, modelOf] of Object.entries(MODELS))
  test(`${what}: packed, trained on the board to the same bytes`, async () => {
    const model = modelOf();
    const job = { model, data: DATA, epochs: 1, batchSize: 4, rate: 0.05 };
    const [board, here, there, camera] = [newFolder(), newFolder(), newFolder(), newFolder()] as [string, string, string, string];
    const packed = await packJob({ ...job, out: board });
    assert.equal(packed.weights, []);
    assert.ok(readdirSync(board).includes('model.safetensors'));
    await trainJob({ ...job, out: here });
    mkdirSync(there, { recursive: true });
    run(board, 'train', ['--data', '/board', '--out', '/out'], { out: there });
    assert.is(adapterDigest(there), adapterDigest(here));
    if (!model.includes('#')) return;
    assert.equal(packInference({ model, adapter: there, out: camera }).weights, []);
    const classifier = loadClassifier(there, { model });
    const [height, width] = [classifier.preprocess].map((p) => ('crop' in p && p.crop ? [p.crop.height, p.crop.width] : [32, 32]))[0] as [
      number,
      number,
    ];
    const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 37) % 251);
    const [best] = classifier.predictPrepared(pixels);
    assert.match(run(camera, 'predict', ['--adapter', '/out'], { out: there, stdin: pixels }), new RegExp(`^0\\s+${best!.label}\\s`));
    await classifier.close();
  });

test.run();
