import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../src/base/files.ts';
import { elements } from '../../src/base/tensor.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { distance } from '../support/close.ts';
import {
  agrees,
  cases,
  familyCases,
  goldenCase,
  goldenValues,
  modelFolder,
  moduleCase,
  moduleCases,
  moduleValues,
  thinned,
  thinning,
} from '../support/golden.ts';

for (const name of [...cases, ...familyCases]) {
  test(`${name}: the folder and the golden values belong together`, () => {
    const { size, classes, keyBiases, fusedBiases, otherSizes, rotary } = goldenCase(name);
    const weights = openWeightsFile(modelFolder(name));
    const values = goldenValues(name);
    assert.equal(values.shape('images'), [4, ...size, 3]);
    // logits.new = features · head.weightᵀ + head.bias, and the loss is their mean cross-entropy.
    const [features, weight, bias] = [values.get('features'), values.get('head.weight'), values.get('head.bias')];
    const width = weight.length / classes;
    const logits = Float64Array.from({ length: 4 * classes }, (_, i) => {
      const [n, c] = [Math.floor(i / classes), i % classes];
      let sum = bias[c]!;
      for (let j = 0; j < width; j++) sum += features[n * width + j]! * weight[c * width + j]!;
      return sum;
    });
    assert.ok(distance(logits, values.get('logits.new')) < 1e-5);
    let loss = 0;
    values.get('labels').forEach((label, n) => {
      const row = logits.subarray(n * classes, (n + 1) * classes);
      loss += (Math.log(row.reduce((s, v) => s + Math.exp(v), 0)) - row[label]!) / 4;
    });
    assert.ok(Math.abs(loss - values.get('loss')[0]!) < 1e-5);
    assert.ok(Math.abs(loss - values.get('losses.bias.adamw')[0]!) < 1e-5);
    // Every gradient is that of a tensor of the file, of the new head, or of a bias that folding (or the method) adds, or of branches that were merged.
    for (const key of values.names.filter((n) => n.startsWith('full/') && !n.startsWith('full/head.'))) {
      const tensor = weights.tensors.get(key.slice(5));
      if (!tensor) assert.match(key, /\.bias$|\.reparam_conv\./);
      else assert.ok(elements(values.shape(key)) === elements(tensor.shape) || values.shape(key).length === 1, key);
    }
    // Where keys are turned by their place a bias of theirs has a gradient; it is none of the checkpoint's and does not learn.
    const still = (biases: string[]): string[] => (rotary ? [] : biases);
    for (const bias of still(keyBiases)) assert.ok(Math.max(...values.get(`bias/${bias}`).map(Math.abs)) < 1e-6, bias);
    for (const bias of still(fusedBiases)) {
      const kept = values.get(`bias/${bias}`);
      const all = elements(weights.tensor(bias).shape);
      const step = thinning(values, all, kept.length);
      const ofKeys = kept.filter((_, i) => i * step >= all / 3 && i * step < (2 * all) / 3);
      assert.ok(ofKeys.length > 0 && Math.max(...ofKeys.map(Math.abs)) < 1e-6, bias);
    }
    for (const other of otherSizes) assert.equal(goldenValues(name, other).shape('images'), [4, other, other, 3]);
    weights.close();
  });
}

for (const name of moduleCases) {
  test(`${name}: every tensor of a module has a value, a gradient of its shape, and takes part`, () => {
    const values = moduleValues(name);
    const { size, methods } = moduleCase(name);
    assert.equal(values.shape('images'), [4, ...size, 3]);
    for (const method of methods) {
      const learned = values.names.filter((key) => key.startsWith(`${method}/`)).map((key) => key.slice(method.length + 1));
      for (const tensor of learned.filter((t) => /^(?:prompt|side|lora)\./.test(t))) {
        assert.equal(values.shape(`${method}/${tensor}`), values.shape(`value/${tensor}`));
        assert.ok(Math.hypot(...values.get(`${method}/${tensor}`)) > 1e-5, `${method}/${tensor}`);
      }
      for (const part of ['prompt', 'side', 'lora'])
        assert.is(
          learned.some((t) => t.startsWith(`${part}.`)),
          method.includes(`${part}:`),
        );
      assert.is(learned.filter((t) => /^head\.(?:weight|bias)$/.test(t)).length, 2);
    }
  });
}

test('what autograd keeps agrees with a count by hand, ViT-Tiny under method bias', () => {
  const results = readJson('test/golden/saved.json').results as { model: string; variant: string; method: string; bytesPerImage: number }[];
  const found = results.find((r) => r.model === 'vit-tiny' && r.variant === 'eager' && r.method === 'bias');
  const [tokens, width, heads] = [197, 192, 3];
  // Per block two layer norms (x̂'s input, mean and 1/σ), q, k, v, the scores and GELU's input; then the last norm, picture, pooled, logits.
  const block = 2 * tokens * (width + 2) + 3 * tokens * width + heads * tokens * tokens + 4 * tokens * width;
  const all = 4 * (12 * block + tokens * (width + 2) + 3 * 224 * 224 + 100);
  assert.ok(Math.abs(found!.bytesPerImage / all - 1) < 0.01, `${found!.bytesPerImage} against ${all}`);
});

test('a prompt keeps nothing, a side branch the three inputs of each block: ViT-B as autograd counts it', () => {
  type Row = { model: string; method: string; bytesPerImage: number };
  const of = (file: string, method: string): number =>
    (readJson(`test/golden/${file}`).results as Row[]).find((r) => r.model === 'vit-base' && r.method === method)!.bytesPerImage;
  const bias = of('saved.json', 'bias');
  assert.is(of('saved-families.json', 'bias+prompt:rank=8'), bias);
  const side = of('saved-families.json', 'bias+side:ratio=8,residual=0,tap=1') - bias;
  assert.ok(Math.abs(side - 4 * 12 * 3 * 196 * 96) < 4 * 2 * (96 + 100), `${side}`);
});

test('a thinned gradient is compared where it has values', () => {
  const values = goldenValues('mobilenetv2-timm');
  const key = 'full/conv_head.weight';
  const want = values.get(key);
  const whole = Float32Array.from({ length: 1280 * 112 }, (_, i) => (i % 71 === 0 ? want[i / 71]! : 9));
  assert.is(thinned(whole).length, want.length);
  agrees(whole, values, key, 0);
});

test.run();
