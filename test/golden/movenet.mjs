// Makes movenet.safetensors: what TensorFlow.js (plain JavaScript backend) computes with the original graph on a few drawings, so
// that our reading of the same weights can be held against it.   npm --prefix bench install && node test/golden/movenet.mjs
//
//   pictures   U8  [4, 96, 96, 3]    drawings, enlarged; two grey, two coloured (so that a wrong order of channels shows)
//   features   F32 [4, 1280]         the backbone's last activation, mean over positions
//   <name>     F32 [4, n]            every `stride`-th value of one inner result, flattened as NHWC per picture;
//                                    names are those of the model folder, strides are in the metadata
//   odd.*                            the same for one picture of 100 x 100, where halving meets odd sizes (100 50 25 13 7 4)
//
// The graph is fed where the backbone begins, with pixel / 127.5 - 1.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { backbone, human, INPUT, OUTPUT } from '../../tools/models/movenet.mjs';
import { readClass } from '../../tools/pictures/quickdraw.mjs';
import { writeSafetensors } from '../../tools/safetensors.mjs';

const peers = createRequire(new URL('../../bench/package.json', import.meta.url));
const tf = peers('@tensorflow/tfjs-core');
const { loadGraphModel } = peers('@tensorflow/tfjs-converter');
peers('@tensorflow/tfjs-backend-cpu');
await tf.setBackend('cpu');

const { models } = human();
const json = JSON.parse(readFileSync(join(models, 'movenet-lightning.json'), 'utf8'));
const bin = readFileSync(join(models, 'movenet-lightning.bin'));
const model = await loadGraphModel({
  load: async () => ({
    modelTopology: json.modelTopology,
    weightSpecs: json.weightsManifest[0].weights,
    weightData: bin.buffer.slice(bin.byteOffset, bin.byteOffset + bin.length),
  }),
});

/** A drawing enlarged to side x side (nearest point, so every library agrees), ink and paper in the two colours. */
function picture([name, number, ink, paper], side) {
  const grey = readClass(name)[number];
  const pixels = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      for (let c = 0; c < 3; c++) {
        const g = grey[Math.floor((y * 28) / side) * 28 + Math.floor((x * 28) / side)] / 255;
        pixels[(y * side + x) * 3 + c] = Math.round(ink[c] + (paper[c] - ink[c]) * g);
      }
  return pixels;
}

const BLACK = [0, 0, 0];
const WHITE = [255, 255, 255];
const PICTURES = [
  ['cat', 50, BLACK, WHITE],
  ['fish', 51, WHITE, BLACK],
  ['butterfly', 52, [180, 20, 60], [240, 230, 120]],
  ['snail', 53, [30, 60, 200], [90, 200, 110]],
];
const SAMPLED = ['conv_stem.first_conv', 'conv_stem.reduce_1x1', 'layer.5.conv_3x3', 'layer.9.reduce_1x1', 'layer.15.reduce_1x1', 'conv_1x1'];
const steps = backbone();
const inner = SAMPLED.map((name) => ({ name: `mobilenet_v2.${name}`, node: steps.find((s) => s.name === `mobilenet_v2.${name}`).node }));

const tensors = [];
const strides = {};
const f32 = (name, shape, values) => tensors.push({ name, dtype: 'F32', shape, bytes: Buffer.from(Float32Array.from(values).buffer) });

function record(prefix, list, side) {
  const count = list.length;
  const pixels = Buffer.concat(list.map((p) => picture(p, side)));
  tensors.push({ name: `${prefix}pictures`, dtype: 'U8', shape: [count, side, side, 3], bytes: pixels });
  const x = tf.tensor(Float32Array.from(pixels, (v) => Math.fround(v / 127.5 - 1)), [count, side, side, 3]);
  const [last, ...rest] = model.execute({ [INPUT]: x }, [OUTPUT, ...inner.map((s) => s.node)]);

  const [, rows, columns, channels] = last.shape;
  const values = last.dataSync();
  const features = new Float64Array(count * channels);
  for (let i = 0; i < values.length; i++)
    features[Math.floor(i / (rows * columns * channels)) * channels + (i % channels)] += values[i] / (rows * columns);
  f32(`${prefix}features`, [count, channels], features);

  for (const [k, { name }] of inner.entries()) {
    const all = rest[k].dataSync();
    const each = all.length / count;
    // About 256 values a picture; an odd stride visits every channel.
    const stride = Math.max(1, Math.floor(each / 256)) | 1;
    const kept = [];
    for (let p = 0; p < count; p++) for (let i = 0; i < each; i += stride) kept.push(all[p * each + i]);
    strides[`${prefix}${name}`] = String(stride);
    f32(`${prefix}${name}`, [count, kept.length / count], kept);
  }
}

record('', PICTURES, 96);
record('odd.', [['elephant', 54, [20, 20, 90], [250, 190, 190]]], 100);
// U8 tensors last: the others stay on 4-byte offsets whatever the pictures' sizes.
tensors.sort((a, b) => (a.dtype === 'U8') - (b.dtype === 'U8'));
const about = {
  made_by: `test/golden/movenet.mjs with @tensorflow/tfjs-core ${tf.version_core}, backend ${tf.getBackend()}`,
  attribution: 'drawings: Quick, Draw! by Google, CC BY 4.0; weights: MoveNet by Google, Apache-2.0',
};
writeSafetensors('test/golden/movenet.safetensors', tensors, { ...about, ...strides });
