import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFolder } from '../support/folder.ts';

const folder = newFolder();
const models = 'node_modules/@vladmandic/human/models';
const root = 'StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/model';

interface Tensor {
  dtype: string;
  shape: number[];
  bytes: Buffer;
}

// A reader of its own, so that what the converter writes is not judged by the code that reads it in the product.
function readSafetensors(path: string): Map<string, Tensor> {
  const file = readFileSync(path);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, start).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: number[] }
  >;
  const tensors = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data_offsets: at }] of Object.entries(header))
    if (name !== '__metadata__') tensors.set(name, { dtype, shape, bytes: file.subarray(start + at[0]!, start + at[1]!) });
  return tensors;
}

function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

const READ: Record<string, [width: number, read: (bytes: Buffer, at: number) => number]> = {
  F16: [2, (bytes, at) => half(bytes.readUInt16LE(at))],
  F32: [4, (bytes, at) => bytes.readFloatLE(at)],
  U8: [1, (bytes, at) => bytes[at]!],
};

function values({ dtype, bytes }: Tensor): Float64Array {
  const [width, read] = READ[dtype]!;
  return Float64Array.from({ length: bytes.length / width }, (_, i) => read(bytes, i * width));
}

test.before(() => {
  execFileSync('node', ['tools/models/movenet.mjs', folder, '160']);
});

test('the folder holds a configuration, a preprocessor, weights, licence and notice', () => {
  assert.equal(readdirSync(folder).sort(), ['LICENSE', 'NOTICE', 'config.json', 'model.safetensors', 'preprocessor_config.json']);
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  assert.equal(
    [config.model_type, config.image_size, config.tf_padding, config.batch_norm, config.hidden_act],
    ['mobilenet_v2', 160, true, 'folded', 'relu6'],
  );
  const preprocessor = JSON.parse(readFileSync(join(folder, 'preprocessor_config.json'), 'utf8'));
  assert.equal([preprocessor.image_mean, preprocessor.image_std], [Array(3).fill(0.5), Array(3).fill(0.5)]);
  assert.equal(preprocessor.crop_size, { height: 160, width: 160 });
  assert.match(readFileSync(join(folder, 'LICENSE'), 'utf8'), /Apache License\s+Version 2\.0/);
  assert.match(readFileSync(join(folder, 'NOTICE'), 'utf8'), /by Google/);
});

test('52 convolutions, each a weight and a bias, 2,206,816 half floats; no classifier, no normalisation', () => {
  const tensors = readSafetensors(join(folder, 'model.safetensors'));
  assert.is(tensors.size, 104);
  let count = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    const size = shape.reduce((a, b) => a * b, 1);
    assert.equal([dtype, bytes.length], ['F16', 2 * size], name);
    assert.match(name, /^mobilenet_v2\.(conv_stem|layer\.\d+|conv_1x1)(\.\w+)?\.convolution\.(weight|bias)$/);
    count += size;
  }
  assert.is(count, 2_206_816);
  assert.equal(tensors.get('mobilenet_v2.layer.0.conv_3x3.convolution.weight')!.shape, [96, 1, 3, 3]);
  assert.equal(tensors.get('mobilenet_v2.layer.15.reduce_1x1.convolution.weight')!.shape, [320, 960, 1, 1]);
});

interface FeatureMap {
  /** NHWC of one picture. */
  data: Float64Array;
  side: number;
  channels: number;
}

/** TensorFlow's SAME padding; a weight [O, 1, R, S] on O channels is depthwise. */
function convolve(tensors: Map<string, Tensor>, x: FeatureMap, name: string, stride: number, relu: boolean): FeatureMap {
  const weight = tensors.get(`${name}.convolution.weight`)!;
  const [w, bias] = [values(weight), values(tensors.get(`${name}.convolution.bias`)!)];
  const [outputs, inputs, size] = weight.shape as [number, number, number];
  const depthwise = inputs === 1;
  const taps = size * size;
  const side = Math.ceil(x.side / stride);
  const before = Math.floor(Math.max(0, (side - 1) * stride + size - x.side) / 2);
  const data = new Float64Array(side * side * outputs);
  for (let p = 0; p < side * side; p++)
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o]!;
      for (let tap = 0; tap < taps; tap++) {
        const row = Math.floor(p / side) * stride + Math.floor(tap / size) - before;
        const column = (p % side) * stride + (tap % size) - before;
        if (row < 0 || column < 0 || row >= x.side || column >= x.side) continue;
        const at = (row * x.side + column) * x.channels;
        if (depthwise) sum += x.data[at + o]! * w[o * taps + tap]!;
        else for (let i = 0; i < inputs; i++) sum += x.data[at + i]! * w[(o * inputs + i) * taps + tap]!;
      }
      data[p * outputs + o] = relu ? Math.min(6, Math.max(0, sum)) : sum;
    }
  return { data, side, channels: outputs };
}

/** A plain forward pass from the folder's weights alone. */
function features(tensors: Map<string, Tensor>, pixels: Float64Array, side: number): Float64Array {
  const stem = 'mobilenet_v2.conv_stem';
  let x: FeatureMap = { data: pixels.map((v) => v / 127.5 - 1), side, channels: 3 };
  x = convolve(tensors, x, `${stem}.first_conv`, 2, true);
  x = convolve(tensors, x, `${stem}.conv_3x3`, 1, true);
  x = convolve(tensors, x, `${stem}.reduce_1x1`, 1, false);
  for (let i = 0; i < 16; i++) {
    const layer = `mobilenet_v2.layer.${i}`;
    const stride = [0, 2, 5, 12].includes(i) ? 2 : 1;
    let y = convolve(tensors, x, `${layer}.expand_1x1`, 1, true);
    y = convolve(tensors, y, `${layer}.conv_3x3`, stride, true);
    y = convolve(tensors, y, `${layer}.reduce_1x1`, 1, false);
    const old = x;
    const residual = stride === 1 && y.channels === x.channels;
    x = residual ? { ...y, data: y.data.map((v, k) => v + old.data[k]!) } : y;
  }
  x = convolve(tensors, x, 'mobilenet_v2.conv_1x1', 1, true);
  const mean = new Float64Array(x.channels);
  for (let k = 0; k < x.data.length; k++) mean[k % x.channels]! += x.data[k]! / (x.side * x.side);
  return mean;
}

test('the weights give the features that TensorFlow.js gets from the original graph, even and odd sizes', () => {
  const tensors = readSafetensors(join(folder, 'model.safetensors'));
  const golden = readSafetensors('test/golden/movenet.safetensors');
  for (const [prefix, side, index] of [['', 96, 2] as const, ['odd.', 100, 0] as const]) {
    const size = side * side * 3;
    const pixels = values(golden.get(`${prefix}pictures`)!).subarray(index * size, (index + 1) * size);
    const expected = values(golden.get(`${prefix}features`)!).subarray(index * 1280, (index + 1) * 1280);
    const worst = features(tensors, pixels, side).reduce((most, v, i) => Math.max(most, Math.abs(v - expected[i]!)), 0);
    assert.ok(worst < 1e-4, `side ${side}: differs by ${worst}`);
    assert.ok(Math.max(...expected) > 1, 'the golden features are not empty');
  }
});

// biome-ignore lint/suspicious/noExplicitAny: the tests bend arbitrary places of a JSON document
type Json = any;

/** Runs the converter on a changed copy of the original. */
function convertChanged(change: (model: Json) => void, bytes?: number): { status: number | null; said: string; wrote: boolean } {
  const copy = join(folder, 'changed');
  mkdirSync(copy, { recursive: true });
  const model = JSON.parse(readFileSync(`${models}/movenet-lightning.json`, 'utf8'));
  change(model);
  writeFileSync(join(copy, 'model.json'), JSON.stringify(model));
  writeFileSync(join(copy, 'movenet-lightning.bin'), readFileSync(`${models}/movenet-lightning.bin`).subarray(0, bytes));
  const out = join(copy, 'out');
  const run = spawnSync('node', ['tools/models/movenet.mjs', out, '96', join(copy, 'model.json')]);
  return { status: run.status, said: run.stderr.toString(), wrote: existsSync(out) };
}

test('anything that is not this network is refused, and nothing is written', () => {
  const node = (model: Json, name: string) => model.modelTopology.node.find((n: Json) => n.name === `${root}/${name}`);
  const rename = (m: Json) => {
    node(m, 'block_7_depthwise/depthwise').name = 'gone';
  };
  const stride = (m: Json) => {
    node(m, 'Conv1_relu/Relu6').attr.strides.list.i[1] = '1';
  };
  const padding = (m: Json) => {
    node(m, 'block_3_depthwise/depthwise').attr.padding.s = btoa('VALID');
  };
  const activation = (m: Json) => {
    node(m, 'out_relu/Relu6').attr.fused_ops.list.s = [btoa('BiasAdd'), btoa('Relu')];
  };
  const forget = (m: Json) => {
    for (const weight of m.weightsManifest[0].weights) weight.name = weight.name.replace('Conv_1', '?');
  };
  const cases: [string, RegExp, (model: Json) => void, number?][] = [
    ['a missing node', /block_7_depthwise.*operator, got undefined/, rename],
    ['another stride', /Conv1_relu.*strides/, stride],
    ['another padding', /block_3_depthwise.*padding/, padding],
    ['another activation', /out_relu.*fused/, activation],
    ['other operands', /block_2_add.*operands/, (m) => node(m, 'block_2_add/add').input.reverse()],
    ['a short file', /ends at byte/, () => {}, 4_000_000],
    ['a renamed weight', /no weight named/, forget],
  ];
  for (const [name, expected, change, bytes] of cases) {
    const { status, said, wrote } = convertChanged(change, bytes);
    assert.is.not(status, 0, name);
    assert.match(said, expected, name);
    assert.not.ok(wrote, name);
  }
});

test('usage', () => {
  assert.is(spawnSync('node', ['tools/models/movenet.mjs']).status, 2);
  assert.is(spawnSync('node', ['tools/models/movenet.mjs', folder, '100']).status, 2);
});

test.run();
