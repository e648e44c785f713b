// What CenterNet's own file computes with TensorFlow.js (a peer, bench/package.json): a picture of 128 x 128 and the output of the last block,
// as f32 files:  node tools/models/origin.mjs <picture> <output>
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { human } from './movenet.mjs';

const SIDE = 128;
const load = createRequire(new URL('../../bench/package.json', import.meta.url));
const tf = load('@tensorflow/tfjs-core');
load('@tensorflow/tfjs-backend-cpu');
const { loadGraphModel } = load('@tensorflow/tfjs-converter');

const [picture, output] = process.argv.slice(2);
const { models } = human();
const model = JSON.parse(readFileSync(join(models, 'centernet.json'), 'utf8'));
const data = readFileSync(join(models, 'centernet.bin'));
// The file names one size; convolutions take any.
delete model.signature;
const images = model.modelTopology.node.find(({ name }) => name === 'tower_0/images');
for (const dim of images.attr.shape.shape.dim) if (Number(dim.size) > 3) dim.size = String(SIDE);
await tf.setBackend('cpu');
const graph = await loadGraphModel({
  load: async () => ({
    modelTopology: model.modelTopology,
    format: model.format,
    weightSpecs: model.weightsManifest.flatMap(({ weights }) => weights),
    weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.length),
  }),
});
const pixels = Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (Math.imul(i, 2654435761) >>> 24) & 255);
const result = graph.execute({ 'tower_0/images': tf.tensor(pixels, [1, SIDE, SIDE, 3]) }, 'tower_0/MobilenetV3/expanded_conv_14/add');
writeFileSync(picture, Buffer.from(pixels.buffer));
writeFileSync(output, Buffer.from(result.dataSync().buffer));
