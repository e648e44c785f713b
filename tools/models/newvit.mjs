// A ViT that has learnt nothing yet, as a model folder in the layout of Hugging Face: seeded initial values, so that the same arguments
// give the same bytes everywhere.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetensors } from '../safetensors.mjs';

/** Normal numbers, nearly: the sum of twelve uniform ones. Additions and integers only, so every machine draws the same. */
function normals(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state / 2 ** 32;
  };
  return () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += uniform();
    return sum;
  };
}

/** config.json of a ViT over small square pictures. */
export const vitConfig = ({ image, patch, dim, depth, heads }) => ({
  architectures: ['ViTForImageClassification'],
  model_type: 'vit',
  image_size: image,
  patch_size: patch,
  num_channels: 3,
  hidden_size: dim,
  num_hidden_layers: depth,
  num_attention_heads: heads,
  intermediate_size: 4 * dim,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-6,
  qkv_bias: true,
  attention_probs_dropout_prob: 0,
  hidden_dropout_prob: 0,
});

export const vitProcessor = (image) => ({
  image_processor_type: 'ViTImageProcessor',
  do_resize: true,
  size: { height: image, width: image },
  resample: 2,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
});

/** Names and shapes of everything but the classifier, with the standard deviation each starts with. */
export function vitTensors({ image, patch, dim, depth }) {
  const list = [];
  const add = (name, shape, deviation, mean = 0) => list.push({ name: `vit.${name}`, shape, deviation, mean });
  /** Glorot: activations and gradients both keep their size. What a block adds to the stream shrinks with depth. */
  const linear = (name, outputs, inputs, share = 1) => {
    add(`${name}.weight`, [outputs, inputs], share * Math.sqrt(2 / (inputs + outputs)));
    add(`${name}.bias`, [outputs], 0);
  };
  const norm = (name) => {
    add(`${name}.weight`, [dim], 0, 1);
    add(`${name}.bias`, [dim], 0);
  };
  add('embeddings.cls_token', [1, 1, dim], 0.02);
  add('embeddings.position_embeddings', [1, (image / patch) ** 2 + 1, dim], 0.02);
  add('embeddings.patch_embeddings.projection.weight', [dim, 3, patch, patch], Math.sqrt(2 / (dim + 3 * patch * patch)));
  add('embeddings.patch_embeddings.projection.bias', [dim], 0);
  const share = Math.sqrt(1 / (2 * depth));
  for (let i = 0; i < depth; i++) {
    const l = `encoder.layer.${i}`;
    norm(`${l}.layernorm_before`);
    for (const part of ['query', 'key', 'value']) linear(`${l}.attention.attention.${part}`, dim, dim);
    linear(`${l}.attention.output.dense`, dim, dim, share);
    norm(`${l}.layernorm_after`);
    linear(`${l}.intermediate.dense`, 4 * dim, dim);
    linear(`${l}.output.dense`, dim, 4 * dim, share);
  }
  norm('layernorm');
  return list;
}

/** Writes config.json, preprocessor_config.json and model.safetensors (f32, no classifier); returns the number of parameters. */
export function writeNewVit(folder, shape, seed) {
  const normal = normals(seed);
  const tensors = vitTensors(shape).map(({ name, shape: dims, deviation, mean }) => {
    const values = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () =>
      deviation === 0 ? mean : mean + deviation * normal(),
    );
    return { name, dtype: 'F32', shape: dims, bytes: Buffer.from(values.buffer) };
  });
  mkdirSync(folder, { recursive: true });
  const json = (name, value) => writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  json('config.json', vitConfig(shape));
  json('preprocessor_config.json', vitProcessor(shape.image));
  writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  return tensors.reduce((sum, t) => sum + t.bytes.length / 4, 0);
}
