/** What is said of networks and files that are not read: the reason, and what to do. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { namesOf } from '../../src/import/families.ts';
import { parseModel, readModel } from '../../src/import/index.ts';
import { checkFolderWeights, openModelFolder, openWeights } from '../../src/import/modelfolder.ts';
import { newFolder, refused } from '../support/folder.ts';
import { modelFolder } from '../support/golden.ts';

const parse = (values: Record<string, unknown>) => parseModel({ where: 'config.json', values });
const timm = (architecture: string) => parse({ architecture, pretrained_cfg: { input_size: [3, 224, 224] } });

/** A folder with these files; text, or bytes. */
function folderOf(files: Record<string, string | Uint8Array>): string {
  const folder = newFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}
const config = readFileSync('test/golden/vit-hf/config.json');
const weights = readFileSync('test/golden/vit-hf/model.safetensors');

test('every name that is offered as the nearest is one that is read', () => {
  for (const name of namesOf('timm')) timm(name);
  for (const model_type of namesOf('transformers')) parse({ model_type });
});

test('an unsupported network of timm: why, and its nearest relative', () => {
  const nearest: Record<string, string> = {
    ...{ ecaresnet26t: 'resnet26' },
    ...{
      resnetv2_50d_gn: 'resnet50',
      resnetblur50: 'resnet50',
      resnetrs200: 'resnet200',
      resnest50d: 'resnet50',
      res2net101d: 'resnet101',
    },
    ...{ convnext_atto_ols: 'convnext_atto', convnext_zepto_rms: 'convnext_tiny' },
    ...{ swinv2_cr_base_224: 'swin_base_patch4_window7_224', swin_s3_tiny_224: 'swin_tiny_patch4_window7_224' },
    ...{
      naflexvit_base_patch16_siglip: 'vit_base_patch16_224',
      vit_small_patch16_18x2_224: 'vit_small_patch16_36x1_224',
    },
    ...{ vit_base_patch16_rope_224: 'vit_base_patch16_224', eva_large_patch14_196: 'vit_large_patch14_224' },
    ...{ efficientnet_b0_gn: 'mobilenetv3_large_100', regnetz_040: 'x' },
  };
  for (const [name, near] of Object.entries(nearest)) {
    const said = refused(() => timm(name), `config.json: unsupported model, got ${name}; `);
    if (near !== 'x') assert.match(said, `the nearest that is read is ${near} of timm's`, name);
    // Never a list that it seems to match.
    assert.not.match(said, /\*|…/, name);
  }
  refused(() => timm('vti_small_patch16_224'), 'did you mean vit_small_patch16_224?');
  refused(() => timm('something_of_mine'), 'docs/models.md lists the networks that are read');
});

test('an unsupported network of transformers', () => {
  for (const model_type of ['clipseg', 'siglip2', 'yolos'])
    refused(() => parse({ model_type }), `unsupported model, got ${model_type}; `, "transformers' model_type vit");
  refused(() => parse({ model_type: 'swin2sr' }), 'model_type swin');
  refused(() => parse({ model_type: 'bit' }), 'model_type resnet');
  for (const model_type of ['efficientformer', 'mobilevitv2']) refused(() => parse({ model_type }), 'model_type mobilenet_v2');
  refused(() => parse({ hidden_size: 4 }), 'names no network', 'model_type', 'architecture');
});

test('what a clone or a download left in place of a file', () => {
  const lfs = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 22000000\n';
  const page = '\n<!DOCTYPE html>\n<html><head><title>model</title></head></html>';
  for (const at of ['model.safetensors', 'config.json'] as const) {
    const of = (content: string | Uint8Array) => folderOf({ 'config.json': config, 'model.safetensors': weights, [at]: content });
    const open = (content: string | Uint8Array) => openWeights(openModelFolder(of(content))).close();
    refused(() => open(lfs), at, 'is a Git LFS pointer', 'git lfs pull');
    refused(() => checkFolderWeights(openModelFolder(of(lfs))), at, 'is a Git LFS pointer');
    refused(() => open(page), at, 'is a web page', '/resolve/');
    refused(() => open(''), at, 'is empty');
    refused(() => open(Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0, 0)), at, 'is a zip archive');
    refused(() => open(Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20)), at, 'is a pickle');
    refused(() => open(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3)), at, 'gzip');
  }
  const said = folderOf({ 'config.json': config, 'model.safetensors': 'Entry not found' });
  refused(() => openModelFolder(said), 'model.safetensors: is a text, not weights', 'Entry not found');
});

test('a header whose length begins like another format is a header', () => {
  // 0x280 and 0x8b1f are lengths as well as the first bytes of a pickle and of gzip.
  for (const length of [0x280, 0x8b1f]) {
    const header = `{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`.padEnd(length);
    const bytes = new Uint8Array(8 + length + 1);
    new DataView(bytes.buffer).setUint32(0, length, true);
    bytes.set(new TextEncoder().encode(header), 8);
    const file = openWeightsFile(join(folderOf({ 'x.safetensors': bytes }), 'x.safetensors'));
    assert.is(file.tensor('x').bytes, 1);
    file.close();
  }
});

test('a folder with weights of another kind, or of another name', () => {
  const kinds: Record<string, string> = {
    'net.onnx': 'is an ONNX graph',
    'tf_model.h5': 'is a model of TensorFlow',
    'saved_model.pb': 'is a model of TensorFlow',
    'model.tflite': 'TensorFlow Lite',
    'flax_model.msgpack': 'Flax',
    'adapter_model.safetensors': "is an adapter of PEFT's",
    'open_clip_model.safetensors': 'is a CLIP model of open_clip',
  };
  for (const [name, what] of Object.entries(kinds)) {
    const folder = folderOf({ 'config.json': config, [name]: 'x' });
    refused(() => openWeights(openModelFolder(folder)), name, what);
    // The configuration alone can be planned; without one the folder is none of ours.
    readModel(folder);
    refused(() => openModelFolder(folderOf({ [name]: 'x' })), name, what);
  }
  const variant = folderOf({ 'config.json': config, 'model.fp16.safetensors': weights });
  refused(
    () => openWeights(openModelFolder(variant)),
    'model.fp16.safetensors: is a variant',
    'cp model.fp16.safetensors model.safetensors',
  );
  const other = folderOf({ 'config.json': config, 'my net.safetensors': weights });
  refused(() => openWeights(openModelFolder(other)), 'my net.safetensors', "cp 'my net.safetensors' model.safetensors");
});

test('shards that have lost their index are read by their own names, all of them or none', () => {
  const file = openWeightsFile(modelFolder('vit-hf'));
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  copyFileSync('test/golden/vit-hf/config.json', join(folder, 'config.json'));
  const tensors = [...file.tensors.values()].map((t) => {
    const data = new Uint8Array(t.bytes);
    file.read(t, data);
    return { name: t.name, dtype: t.dtype, shape: t.shape, data };
  });
  file.close();
  const write = (i: number, of: number) =>
    writeSafetensors(
      join(folder, `model-0000${i + 1}-of-0000${of}.safetensors`),
      tensors.filter((_, j) => j % of === i),
    );
  write(0, 2);
  refused(() => openModelFolder(folder), 'model-00002-of-00002.safetensors', 'a shard of the weights is missing', 'got 1 of 2');
  write(1, 2);
  const shards = openWeights(openModelFolder(folder));
  assert.is(shards.tensors.size, tensors.length);
  const bytes = new Uint8Array(shards.tensor(tensors[1]!.name).bytes);
  shards.read(shards.tensor(tensors[1]!.name), bytes);
  assert.equal(bytes, tensors[1]!.data);
  shards.close();
  write(2, 3);
  refused(() => openModelFolder(folder), 'model-0000');
});

test.run();
