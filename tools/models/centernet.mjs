// Takes the MobileNetV3-Large 0.75 out of CenterNet (npm @vladmandic/human) and writes it as a model folder in timm's layout, for
// experiments:  node tools/models/centernet.mjs <folder> [model.json]
//
// timm's tf_mobilenetv3_large_075 is the same network as far as its 15 blocks; what follows them belongs to the detector here, so only runs
// with --depth 15 (or less) can use the folder. Batch normalisation is folded into the convolutions already: the norms that timm has do
// nothing but add the biases. Half-float bits stay; only the order changes (HWIO -> OIHW, depthwise HWC1 -> C1HW). Pictures go in as
// they are, 0 … 255.
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { integers, openGraphModel, string } from '../tfjs.mjs';
import { human, outputsFirst } from './movenet.mjs';
import { timmConfig, writeModel } from './torchvision.mjs';

/** Blocks of each stage, and those without an expansion and with squeeze-excite. */
const STAGES = [1, 2, 3, 4, 2, 3];
const hasSqueeze = (s) => s === 2 || s === 4 || s === 5;
const ROOT = 'tower_0/MobilenetV3';

const half = (value, count) => {
  const bytes = Buffer.alloc(2 * count);
  for (let i = 0; i < count; i++) bytes.writeUInt16LE(value, 2 * i);
  return bytes;
};
const [ZERO, ONE] = [0x0000, 0x3c00];
/** Of timm's tf_ networks: variance and this make one, so the norm multiplies by one. */
const EPSILON = 1e-3;

export function convert(folder, source = join(human().models, 'centernet.json')) {
  const graph = openGraphModel(source);
  const tensors = [];
  const add = (name, shape, bytes) => tensors.push({ name, dtype: 'F16', shape, bytes });
  const kernel = (to, from) => {
    const { dtype, shape, bytes } = graph.tensor(from);
    if (dtype !== 'float16' || shape.length !== 4) throw new Error(`${from}: ${dtype} ${shape}, expected a float16 kernel`);
    const [h, w, a, b] = shape;
    // HWC1 lies in memory as HWIO with one input channel would.
    const [inputs, outputs] = b === 1 && to.endsWith('conv_dw.weight') ? [1, a] : [a, b];
    add(to, [outputs, inputs, h, w], outputsFirst(bytes, h * w, inputs, outputs));
    return outputs;
  };
  const normed = (conv, norm, from) => {
    const count = kernel(`${conv}.weight`, `${ROOT}/${from}_weights`);
    add(`${norm}.weight`, [count], half(ONE, count));
    add(`${norm}.bias`, [count], graph.tensor(`${ROOT}/${from}_bn_offset`).bytes);
    add(`${norm}.running_mean`, [count], half(ZERO, count));
    tensors.push({
      name: `${norm}.running_var`,
      dtype: 'F32',
      shape: [count],
      bytes: Buffer.from(new Float32Array(count).fill(1 - EPSILON).buffer),
    });
  };
  const padded = [...graph.nodes.values()].filter(({ name, attr }) => name.startsWith(ROOT) && attr.padding);
  const other = padded.find(({ attr }) => string(attr.padding) !== 'SAME' || integers(attr.dilations).some((d) => d !== 1));
  if (other) throw new Error(`${other.name}: another padding or dilation than timm's tf_mobilenetv3`);

  normed('conv_stem', 'bn1', 'Conv/Conv2D');
  let i = 0;
  for (const [s, repeats] of STAGES.entries())
    for (let r = 0; r < repeats; r++, i++) {
      const [from, to] = [i === 0 ? 'expanded_conv' : `expanded_conv_${i}`, `blocks.${s}.${r}`];
      const chain =
        i === 0
          ? { 'depthwise/depthwise': 'conv_dw', 'project/Conv2D': 'conv_pw' }
          : { 'expand/Conv2D': 'conv_pw', 'depthwise/depthwise': 'conv_dw', 'project/Conv2D': 'conv_pwl' };
      for (const [n, [a, b]] of Object.entries(chain).entries()) normed(`${to}.${b}`, `${to}.bn${n + 1}`, `${from}/${a}`);
      if (!hasSqueeze(s)) continue;
      const squeeze = `MobilenetV3/${from}/squeeze_excite`;
      for (const [a, b] of Object.entries({ Conv: 'conv_reduce', Conv_1: 'conv_expand' })) {
        const count = kernel(`${to}.se.${b}.weight`, `${squeeze}/${a}/weights`);
        add(`${to}.se.${b}.bias`, [count], graph.tensor(`${squeeze}/${a}/biases`).bytes);
      }
    }
  const raw = { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] };
  const config = timmConfig('tf_mobilenetv3_large_075', raw);
  writeModel(folder, { ...config, num_classes: 0 }, tensors);
  return tensors.length;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [folder, source] = process.argv.slice(2);
  if (!folder) {
    process.stderr.write('node tools/models/centernet.mjs <folder> [model.json]\n');
    process.exit(2);
  }
  process.stdout.write(`${folder}: MobileNetV3-Large 0.75, ${convert(folder, source)} tensors\n`);
}
