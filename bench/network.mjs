// The networks that benchmarks train, with random weights: what a step costs does not depend on what they have learnt.
import { mkdirSync } from 'node:fs';
import { build } from 'esbuild';
import { openKernels } from './kernels.mjs';

const ENTRY = {
  './src/compile.ts': 'compile, planForBudget',
  './src/base/bytes.ts': 'parseBytes',
  './src/base/error.ts': 'BudgetError',
  './src/training/train.ts': 'startRun, TRAIN_DEFAULTS',
  './src/use/pack.ts': 'packJob',
  './src/program/decode.ts': 'decodeProgram',
  './src/formats/safetensors.ts': 'writeSafetensors',
  './src/formats/weightsfolder.ts': 'openWeightsFile',
  './src/engine/engine.ts': 'createEngine, loadWeights',
  './src/import/index.ts': 'parseModel',
  './src/ops/index.ts': 'OPS',
  './src/engine/storedfile.ts': 'openStoredFor',
  './src/engine/wasm.ts': 'engineBytes',
  './src/engine/threads.ts': 'startThread',
  './assembly/abi/program.ts': 'Io',
  './assembly/abi/head.ts': 'State',
  './assembly/abi/ops.ts': 'Instruction',
};

/** The sources, bundled: benchmarks see what the library does not export. */
export async function sources() {
  mkdirSync('build/bench', { recursive: true });
  const outfile = 'build/bench/sources.js';
  const contents = Object.entries(ENTRY)
    .map(([file, names]) => `export { ${names} } from '${file}';`)
    .join('\n');
  await build({ stdin: { contents, resolveDir: '.', loader: 'ts' }, bundle: true, format: 'esm', platform: 'node', outfile });
  return import(`../${outfile}`);
}

const vit = (width, heads) => ({
  model_type: 'vit',
  hidden_size: width,
  num_attention_heads: heads,
  intermediate_size: 4 * width,
  num_hidden_layers: 12,
  image_size: 224,
  patch_size: 16,
  layer_norm_eps: 1e-12,
  hidden_act: 'gelu',
});

/** Configurations by name, as Hugging Face writes them. */
export const NETWORKS = {
  'vit-tiny': vit(192, 3),
  'vit-small': vit(384, 6),
  'vit-base': vit(768, 12),
  'swin-tiny': { model_type: 'swin', embed_dim: 96, depths: [2, 2, 6, 2], num_heads: [3, 6, 12, 24] },
  'resnet-50': { model_type: 'resnet' },
  'convnext-tiny': { model_type: 'convnext' },
  mobilenetv3: { architecture: 'mobilenetv3_large_100' },
  mobilenetv2: {
    model_type: 'mobilenet_v2',
    depth_multiplier: 1,
    image_size: 224,
    hidden_act: 'relu6',
    layer_norm_eps: 1e-3,
    tf_padding: true,
  },
};

export const CLASSES = 100;

/** A weights file that exists nowhere: every tensor random, scaled so that activations keep their size through the network. */
export function randomWeights() {
  const shapes = new Map();
  let seed = 1;
  const uniform = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 31 - 1;
  };
  return {
    path: 'random weights',
    tensor: (name) => ({ name, dtype: 'F32', shape: shapes.get(name) }),
    expect: (name, shape) => shapes.set(name, shape),
    read({ name, shape }, target) {
      const floats = new Float32Array(target.buffer, target.byteOffset, target.length / 4);
      const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
      const one = /running_var|norm.*weight|normalization\.weight/.test(name);
      const size = shape.length > 1 ? Math.sqrt(3 / fanIn) : 0.1;
      for (let i = 0; i < floats.length; i++) floats[i] = one ? 1 : size * uniform();
    },
  };
}

/**
 * A network ready to train, its batch laid out: `engine.run('train')` as often as `passes` says, then `engine.run('update')`, is a step;
 * `walk(start, end)` runs instructions alone. `options` are those of planForBudget: a method, a budget, weights, a micro-batch. `stored`: the file of streamed weights.
 *
 * @param {any} source
 * @param {string} name
 * @param {{ batch?: number, imageSize?: number, threads?: number, wasm?: BufferSource, stored?: string, [option: string]: any }} [options]
 */
export function openNetwork(
  source,
  name,
  { batch = 8, imageSize = 224, threads = 1, wasm = source.engineBytes(threads), stored, ...options } = {},
) {
  const { planForBudget, parseModel, createEngine, loadWeights, startRun, TRAIN_DEFAULTS, Io, State } = source;
  const model = parseModel({ where: name, values: NETWORKS[name] }, [imageSize, imageSize]);
  const { program, plan, graph, chosen } = planForBudget({ model, classes: CLASSES, batchSize: batch, maxThreads: 1, ...options });
  const engine = createEngine(program, wasm, threads);
  const weights = randomWeights();
  for (const record of program.weights) weights.expect(record.name, record.shape);
  loadWeights(engine, weights, 0, stored === undefined ? undefined : source.openStoredFor(program, stored));
  startRun(engine, { ...TRAIN_DEFAULTS, epochs: 1000, batchSize: batch, rate: 1e-3 }, batch);
  const pictures = engine.bytes(Io.Pictures);
  for (let i = 0; i < pictures.length; i++) pictures[i] = (Math.imul(i, 2654435761) >>> 13) & 255;
  engine.ints(Io.Labels).forEach((_, i, labels) => {
    labels[i] = i % CLASSES;
  });
  engine.state.setFloat32(State.LossScale, 1 / batch, true);
  const passes = batch / program.about.microBatch;
  if (threads > 1) return { name, engine, program, plan, graph, chosen, passes, walk: undefined };
  // A second instance in the same memory: the library's engine runs whole phases only.
  const { walk } = openKernels(engine.memory, program.scratch, wasm);
  return { name, engine, program, plan, graph, chosen, passes, walk };
}

/** The instructions of a phase: { op, node, start, end, args } with arena offsets. */
export function instructions({ program }, phase, { OPS, Instruction }) {
  const names = new Map(Object.entries(OPS).map(([name, { opcode }]) => [opcode, name]));
  const words = new Int32Array(program.image.slice(0, program.image.length & ~3).buffer);
  const list = [];
  const { start, end } = program.entries[phase];
  for (let at = start; at < end; ) {
    const w = (at - program.programOffset) / 4;
    const next = at + 4 * words[w + Instruction.Words];
    const args = words.subarray(w + Instruction.Arguments, w + words[w + Instruction.Words]);
    list.push({
      phase,
      op: names.get(words[w + Instruction.Op]),
      node: program.symbols[words[w + Instruction.Node]],
      start: at,
      end: next,
      args,
    });
    at = next;
  }
  return list;
}
