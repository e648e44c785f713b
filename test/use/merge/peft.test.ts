/** Adapters as PEFT loads them: names, shapes, ranks and alphas; what has no place there is refused. tools/peft-check.mjs asks PEFT itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openSafetensors } from '../../../src/formats/safetensors.ts';
import { exportPeft } from '../../../src/use/merge/peft.ts';
import { asks, does } from '../../cli/command.ts';
import { newFolder, refused } from '../../support/folder.ts';
import { modelFolder } from '../../support/golden.ts';
import { LABELS, movedAdapter } from '../../support/mergecase.ts';

interface Config {
  bias: string;
  r: number;
  lora_alpha: number;
  target_modules: string[];
  rank_pattern: Record<string, number>;
  alpha_pattern: Record<string, number>;
  modules_to_save: string[];
}

function made(name: string, method: string) {
  const [model, adapter, out] = [modelFolder(name), newFolder(), newFolder()];
  movedAdapter(model, method, adapter);
  const result = exportPeft({ model, adapter, out });
  const config = JSON.parse(readFileSync(join(out, 'adapter_config.json'), 'utf8')) as Config;
  const file = openSafetensors(join(out, 'adapter_model.safetensors'));
  const shapes = new Map([...file.tensors.values()].map((t) => [t.name.replace('base_model.model.', ''), t.shape]));
  const read = (tensor: string): Float32Array => {
    const found = file.tensor(`base_model.model.${tensor}`);
    const bytes = new Uint8Array(found.bytes);
    file.read(found, bytes);
    return new Float32Array(bytes.buffer);
  };
  return { result, config, shapes, read, model, adapter };
}

test('low-rank products under both names of transformers, the head to be saved', () => {
  const { config, shapes, read, result } = made('vit-hf', 'lora:rank=2,alpha=6');
  assert.is(config.bias, 'none');
  assert.equal(config.modules_to_save, ['classifier']);
  assert.is(config.r, 2);
  assert.is(config.lora_alpha, 6);
  const [old, now] = ['vit.encoder.layer.1.attention.attention.query', 'vit.layers.1.attention.q_proj'];
  for (const name of [old, now]) {
    assert.ok(config.target_modules.includes(name), name);
    assert.is(config.rank_pattern[name], 2);
  }
  assert.equal(read(`${old}.lora_B.weight`), read(`${now}.lora_B.weight`));
  const [rank, k] = shapes.get(`${old}.lora_A.weight`)! as [number, number];
  assert.equal(shapes.get(`${old}.lora_B.weight`), [k, rank]);
  assert.is(shapes.get('classifier.weight')![0], LABELS.length);
  assert.equal(result.classes, LABELS);
  assert.is(result.biases, 0);
});

test('products of a fused q, k, v are one product, block by block', () => {
  const { config, shapes, read } = made('vit-timm', 'lora:rank=2,alpha=2');
  const name = 'blocks.0.attn.qkv';
  const [rows, rank] = shapes.get(`${name}.lora_B.weight`)! as [number, number];
  assert.is(rank, 4, 'queries and values, two each');
  assert.is(config.rank_pattern[name], 4);
  assert.is(config.alpha_pattern[name], 4);
  const b = read(`${name}.lora_B.weight`);
  const isZero = (row: number, column: number): boolean => b[row * rank + column] === 0;
  const c = rows / 3;
  for (const [row, own] of [
    [0, [0, 1]],
    [c, []],
    [2 * c, [2, 3]],
  ] as const)
    assert.equal(
      [0, 1, 2, 3].filter((column) => !isZero(row, column)),
      own,
    );
});

test('biases replace the base’s, and stand one name lower where a product wraps their layer', () => {
  const bias = made('vit-hf', 'bias');
  assert.is(bias.config.bias, 'all');
  assert.is(bias.result.layers, 0);
  // PEFT knows biases beside low-rank products alone: one is there, and zero.
  assert.ok(bias.read(`${bias.config.target_modules[0]}.lora_B.weight`).every((x) => x === 0));
  assert.ok(bias.shapes.has('vit.encoder.layer.0.layernorm_before.bias'));
  const both = made('vit-hf', 'bias+lora:rank=2,all=1');
  assert.ok(both.shapes.has('vit.encoder.layer.0.attention.attention.query.base_layer.bias'));
  assert.ok(both.shapes.has('vit.layers.0.attention.q_proj.base_layer.bias'));
  assert.ok(!both.shapes.has('vit.layers.0.attention.q_proj.bias'));
  const norm = made('mobilenetv2-hf', 'bias');
  assert.equal(norm.config.target_modules, ['classifier']);
  assert.ok(norm.shapes.has('classifier.base_layer.weight'), 'where convolutions cannot be wrapped the head is');
  assert.ok(norm.shapes.has('mobilenet_v2.layer.0.expand_1x1.normalization.bias'), 'a folded bias goes back to its norm');
});

test('what PEFT has no place for', () => {
  const fails = (name: string, method: string, ...words: string[]): string => refused(() => made(name, method), ...words);
  fails('vit-hf', 'full', 'PEFT has no place', 's2a merge without --peft');
  fails('mobilenetv2-hf', 'lora:rank=2,all=1', 'PEFT has no place');
  fails('deit3-timm', 'bias', 'PEFT has no place');
  fails('vit-hf', 'bias+prompt:rank=2', 'prompt', 'cannot be merged');
  fails('vit-hf', 'lora:rank=2+depth:blocks=2', 'ends early', 'cannot be merged');
});

test('from the command line', () => {
  const { model, adapter } = made('vit-hf', 'lora');
  const learnt = made('vit-hf', 'bias');
  assert.is(learnt.result.layers, 0, 'a product of zeros is none that was learnt');
  assert.match(does('merge', learnt.model, learnt.adapter, '--peft', '--out', newFolder()).stdout, /: \d+ biases, a head of 5 classes$/m);
  const { layers } = asks<{ layers: number }>('merge', model, adapter, '--peft', '--out', newFolder());
  assert.ok(layers > 1);
});

test.run();
