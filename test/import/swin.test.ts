/** Swin: configurations, what is refused, and int8 operands under windows and masks. (Numbers against PyTorch: test/parity/methods.test.ts.) */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { compile } from '../../src/compile.ts';
import { readParameter } from '../../src/engine/engine.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { type Model, parseModel } from '../../src/import/index.ts';
import type { Swin } from '../../src/import/swin.ts';
import { refused } from '../support/folder.ts';
import { goldenValues } from '../support/golden.ts';
import { goldenEngine } from '../support/goldenengine.ts';

type Values = Record<string, unknown>;
const model = (values: Values, image?: readonly [number, number]): Model => parseModel({ where: 'config.json', values }, image);
const hf = (more: Values = {}): Values => ({ model_type: 'swin', ...more });
const timm = (architecture: string, args: Values = {}, more: Values = {}): Values => ({ architecture, model_args: args, ...more });

/** Windows of each block: their size, how many, and the roll. */
function windows(m: Model): string[] {
  const graph: Graph = compile({ model: m, classes: 2, microBatch: 1, purpose: 'infer' }).graph;
  const nodes = graph.phases.eval.filter((node) => node.op === 'Attention');
  return nodes.map(({ attributes: a }) => `${a.wh}x${a.ww} ${a.rows}x${a.columns} ${a.sy},${a.sx}`);
}

const names = (m: Model): string[] => {
  const { graph } = compile({ model: m, classes: 2, microBatch: 1, purpose: 'infer', head: 'file' });
  return graph.values.flatMap((v) => (v.source ? [v.source.tensor] : []));
};

test('windows: odd blocks roll, a map no larger than its window does not', () => {
  const small = { depths: [2, 2], num_heads: [1, 2], embed_dim: 8 };
  assert.equal(windows(model(hf({ ...small, image_size: 56 }))), ['7x7 2x2 0,0', '7x7 2x2 3,3', '7x7 1x1 0,0', '7x7 1x1 0,0']);
  // Hugging Face: one number for both axes. timm: each axis by itself.
  const wide: Values = { ...small, image_size: [28, 60] };
  assert.equal(windows(model(hf({ ...wide, depths: [2], num_heads: [1] }))), ['7x7 1x3 0,0', '7x7 1x3 0,0']);
  const args = { ...small, img_size: [28, 60], depths: [2], num_heads: [1] };
  assert.equal(windows(model(timm('swin_tiny_patch4_window7_224', args))), ['7x7 1x3 0,0', '7x7 1x3 0,3']);
  const shrunk = { ...args, img_size: [20, 60] };
  assert.equal(windows(model(timm('swin_tiny_patch4_window7_224', shrunk))), ['5x7 1x3 0,0', '5x7 1x3 0,3']);
  const partitioned = { ...shrunk, always_partition: true, window_size: [[4, 8]] };
  assert.equal(windows(model(timm('swin_tiny_patch4_window7_224', partitioned))), ['4x8 2x2 0,0', '4x8 2x2 2,4']);
});

test('published sizes', () => {
  for (const [name, dim, depth] of [
    ['swin_tiny_patch4_window7_224.ms_in1k', 96, 12],
    ['swin_small_patch4_window7_224', 96, 24],
    ['swin_base_patch4_window12_384', 128, 24],
    ['swin_large_patch4_window12_384', 192, 24],
  ] as const) {
    const { spec: read, image } = model({ architecture: name });
    const spec = read as Swin;
    assert.is(spec.dim, dim);
    assert.is(
      spec.stages.reduce((n, stage) => n + stage.depth, 0),
      depth,
    );
    assert.equal(image, name.includes('384') ? [384, 384] : [224, 224]);
  }
});

test('files from before timm 0.9: merging belongs to the stage before, the head has no fc', () => {
  const args = { depths: [1, 1], num_heads: [1, 2], embed_dim: 8 };
  const now = names(model(timm('swin_tiny_patch4_window7_224', args)));
  const old = names(model(timm('swin_tiny_patch4_window7_224', args, { pretrained_cfg: { classifier: 'head' } })));
  assert.ok(now.includes('layers.1.downsample.reduction.weight') && now.includes('head.fc.weight'));
  assert.ok(old.includes('layers.0.downsample.reduction.weight') && old.includes('head.weight'));
});

test('V2: windows of what the configuration says, and of what they were trained with', () => {
  const stages = (values: Values, image?: [number, number]) => (model(values, image).spec as Swin).stages;
  const big = stages(timm('swinv2_base_window12to24_192to384'));
  assert.equal(
    big.map(({ window, trained }) => [window[0], trained?.[0]]),
    [24, 24, 24, 24].map((window, s) => [window, [12, 12, 12, 6][s]]),
  );
  // Maps of 56, 28, 14 and 7 pixels: the last is one window, which does not move, for pictures of any size.
  const v2 = { model_type: 'swinv2', window_size: 8 };
  for (const image of [undefined, [256, 320] as [number, number]])
    assert.equal(
      stages(v2, image).map(({ window, rolls }) => [window[0], rolls]),
      [
        [8, true],
        [8, true],
        [8, true],
        [7, false],
      ],
    );
});

test('low-rank adaptation: queries and values of every block, or all six of its layers; merging is no block', () => {
  const tensors = (name: string, method: string): number => {
    const { parameters } = goldenEngine(name, goldenValues(name), { method }).program;
    return parameters.filter((p) => p.name.startsWith('lora.')).length;
  };
  for (const name of ['swin-hf', 'swin-timm']) {
    assert.is(tensors(name, 'lora:rank=2'), 6 * 2 * 2);
    assert.is(tensors(name, 'lora:rank=2,all=1'), 6 * 6 * 2);
  }
});

test('refused, by name', () => {
  const fails = (values: Values, ...words: string[]): string => refused(() => model(values), 'config.json', ...words);
  fails({ architecture: 'swinv2_cr_tiny_224' }, 'unsupported', 'swinv2_cr_tiny');
  fails({ model_type: 'swinv2', qkv_bias: false }, 'qkv_bias');
  fails({ model_type: 'swinv2', pretrained_window_sizes: [12, 12] }, 'pretrained_window_sizes', '4 stages');
  fails({ model_type: 'swinv2', pretrained_window_sizes: [-1, 0, 0, 0] }, 'pretrained_window_sizes', 'from 0 to 64');
  fails({ architecture: 'swin_s3_tiny_224' }, 'unsupported', 'swin_s3_tiny_224');
  fails(hf({ use_absolute_embeddings: true }), 'use_absolute_embeddings');
  fails(hf({ depths: [2, 2], num_heads: [3] }), 'depths', 'num_heads');
  fails(hf({ depths: '2' }), 'depths', 'list');
  fails(hf({ num_heads: [5, 6, 12, 24] }), 'stage 0', '96 / 5');
  fails(hf({ window_size: 1000 }), 'window_size', '64');
  fails(hf({ image_size: 192 }), 'windows', '192x192', '6x6 in stage 3', '7x7');
  fails(timm('swin_tiny_patch4_window7_224', { window_size: [7, 7, 7] }), 'window_size', '4 stages');
  fails(timm('swin_tiny_patch4_window7_224', { head_dim: 32 }), 'head_dim');
  fails(timm('swin_tiny_patch4_window7_224', { img_size: 226 }), 'patch size');
  // The table was trained for windows of 7×7; on a map of 6×6 they would be smaller.
  refused(() => model(timm('swin_tiny_patch4_window7_224'), [192, 192]), 'windows', '192x192', '7x7');
});

for (const name of ['swin-hf', 'swin-hf-pad', 'swin-timm', 'swin-timm-pad'])
  test(`${name}: what is kept changes no logit, and gradients little`, () => {
    const values = goldenValues(name);
    const [exact, coded] = (['exact', 's2a'] as const).map((keep) => goldenEngine(name, values, { method: 'full', keep }));
    for (const engine of [exact!, coded!]) {
      engine.run('eval');
      engine.run('train');
    }
    assert.equal(coded!.floats(Io.Logits), exact!.floats(Io.Logits));
    let [ab, aa, bb] = [0, 0, 0];
    exact!.program.parameters.forEach((record, i) => {
      const a = readParameter(exact!, record, record.gradient);
      const other = coded!.program.parameters[i]!;
      const b = readParameter(coded!, other, other.gradient);
      for (let j = 0; j < a.length; j++) {
        ab += a[j]! * b[j]!;
        aa += a[j]! ** 2;
        bb += b[j]! ** 2;
      }
    });
    assert.ok(ab / Math.sqrt(aa * bb) >= 0.99, `cosine ${ab / Math.sqrt(aa * bb)}`);
  });

test.run();
