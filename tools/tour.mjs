// The numbers of docs/tour: one bias of models/sketch-vit, followed from the file into the arena, through one step, into an adapter.
//   npm run tour               prints the blocks
//   npm run tour -- --write    puts them into the pages, between <!-- tour NAME --> and <!-- /tour -->
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { source } from './parity/source.mjs';
import { readClass } from './pictures/quickdraw.mjs';

const FOLDER = 'models/sketch-vit';
/** What is followed: this number of this tensor. */
const [TENSOR, NUMBER] = ['vit.encoder.layer.2.intermediate.dense.bias', 7];
const LAYER = TENSOR.replace(/\.bias$/, '');
/** Two drawings of each: what the step learns from. */
const CLASSES = ['cat', 'fish'];

const s = await source(
  'tour',
  `export { Codebook } from './assembly/abi/codebook.ts'; export { State } from './assembly/abi/head.ts'; export { Instruction } from './assembly/abi/ops.ts'; export { Io } from './assembly/abi/program.ts';
export { compile } from './src/compile.ts';
export { createEngine, loadWeights } from './src/engine/engine.ts'; export { engineBytes } from './src/engine/wasm.ts';
export { openSafetensors } from './src/formats/safetensors.ts'; export { readAdapter, writeAdapter } from './src/formats/adapterfile.ts';
export { readModel } from './src/import/index.ts'; export { openModelFolder, identity, preprocessOf } from './src/import/modelfolder.ts';
export { resizeRgb } from './src/input/preprocess.ts';
export { ACTIVATIONS } from './src/ops/activations.ts';
export { printProgram } from './src/program/print.ts'; export { adapterTensors, headNames } from './src/training/adapter.ts';
export { measureRates } from './src/training/measure.ts'; export { startRun, TRAIN_DEFAULTS } from './src/training/train.ts';`,
);

/** A number as a tour shows it. */
const short = (x) => (x !== 0 && Math.abs(x) < 1e-3 ? x.toExponential(3) : String(Number(x.toPrecision(5))));
const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ');
/** 16 bits of IEEE half precision. */
const half = (bits) => {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
};

/** Pictures as the network takes them, 28 × 28 × 3 bytes each, and their labels. */
function drawings(preprocess) {
  const list = CLASSES.flatMap((name, label) =>
    readClass(name)
      .slice(0, 2)
      .map((grey) => ({ grey, label })),
  );
  return list.map(({ grey, label }) => {
    const rgb = Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)]);
    return { label, pixels: s.resizeRgb(rgb, 28, 28, preprocess) };
  });
}

/** The tensor in its file: where the header says it lies, and the number's own bytes. */
function inFile() {
  const path = join(FOLDER, 'model.safetensors');
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, 8 + headerBytes).toString());
  const {
    dtype,
    shape,
    data_offsets: [from, to],
  } = header[TENSOR];
  const at = 8 + headerBytes + from + 2 * NUMBER;
  const value = half(file.readUInt16LE(at));
  const text = [
    `${path}: ${file.length.toLocaleString('en')} bytes`,
    `  bytes 0 to 7        ${headerBytes}, the length of the header`,
    `  the header          "${TENSOR}": {"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${from},${to}]}`,
    `  bytes ${at}, ${at + 1}  ${hex(file.subarray(at, at + 2))} = ${short(value)}, number ${NUMBER} of the tensor`,
  ];
  return { value, text: text.join('\n') };
}

/** A program's lines about the layer, wrapped so that a page can show them. */
function instructions(compiled, names) {
  const lines = s.printProgram(compiled.program, compiled).split('\n');
  return names
    .map((name) => {
      const at = lines.findIndex((line) => line.endsWith(`; ${name}`));
      const list = lines[at + 1].trim().split(', ');
      return [lines[at].replace(/^ +/, ''), ...list.map((one) => `    ${one}`)].join('\n');
    })
    .join('\n');
}

const trainNode = ({ program, graph }, name) => {
  const { image, programOffset, entries, symbols } = program;
  const words = new Int32Array(image.buffer, image.byteOffset, image.byteLength >> 2);
  let at = (entries.train.start - programOffset) >> 2;
  while (symbols[words[at + s.Instruction.Node]] !== name) at += words[at + s.Instruction.Words];
  const node = graph.phases.train.find((n) => n.name === name);
  return { node, start: programOffset + 4 * at, end: programOffset + 4 * (at + words[at + s.Instruction.Words]) };
};

/** Everything that the pages show, by the name of the block. */
export async function tourBlocks() {
  const folder = s.openModelFolder(FOLDER);
  const preprocess = s.preprocessOf(folder);
  const { mean, std } = preprocess;
  const file = inFile();
  const compiled = s.compile({
    model: folder.model,
    classes: CLASSES.length,
    microBatch: 4,
    rates: 'relative',
    normalize: { scale: 1 / 255, mean, std },
  });
  const { plan, graph, program } = compiled;
  const idOf = (name) => graph.values.find((value) => value.name === name).id;
  const addressOf = (name) => plan.offsets[idOf(name)];
  const weights = s.openSafetensors(FOLDER);
  const engine = s.createEngine(program, s.engineBytes());
  s.loadWeights(engine, weights);
  const floats = new Float32Array(engine.memory.buffer);
  const bytes = new Uint8Array(engine.memory.buffer);
  const at = (address, i) => floats[address / 4 + i];

  // The run begins: constants, then rates measured on the pictures.
  const pictures = drawings(preprocess);
  const samples = {
    count: pictures.length,
    readInto: (i, target) => target.set(pictures[i].pixels),
    label: (i) => pictures[i].label,
  };
  s.startRun(engine, { ...s.TRAIN_DEFAULTS, epochs: 2, batchSize: 4, rate: 1, seed: 1 }, samples.count);
  await s.measureRates(engine, samples, 1);
  const rate = at(addressOf(`${TENSOR}.rate`), NUMBER);

  // A first step of the same four pictures: the new head is zero, so the loss asks nothing of what is below it, and the head alone moves.
  for (const [row, { pixels, label }] of pictures.entries()) {
    engine.bytes(s.Io.Pictures).set(pixels, row * pixels.length);
    engine.ints(s.Io.Labels)[row] = label;
    engine.ints(s.Io.Samples)[row] = row;
  }
  engine.state.setFloat32(s.State.LossScale, 1 / 4, true);
  engine.run('train');
  const firstLoss = engine.state.getFloat64(s.State.LossSum, true) / 4;
  const firstGradient = at(addressOf(`${TENSOR}.grad`), NUMBER);
  engine.run('update');
  engine.state.setFloat64(s.State.LossSum, 0, true);

  // The second, stopped around the activation behind the layer and around the sum of its bias.
  const activation = trainNode(compiled, LAYER.replace('intermediate.dense', 'activation'));
  const [x, code] = [plan.offsets[activation.node.inputs[0]], plan.offsets[activation.node.outputs[1]]];
  const [width, token] = [512, 3];
  const element = token * width + NUMBER;
  engine.walk(program.entries.train.start, activation.start);
  const before = at(x, element);
  engine.walk(activation.start, activation.end);
  const after = at(plan.offsets[activation.node.outputs[0]], element);
  // Codes lie in blocks of 32 elements: the low halves of 16 bytes, then their high halves.
  const codeAt = code + (element >> 5) * 16 + (element & 15);
  const nibble = (bytes[codeAt] >> (element & 16 ? 4 : 0)) & 15;
  const codebook = plan.offsets[activation.node.inputs[1]];
  const level = new Float32Array(
    Uint32Array.of(((bytes[codebook + s.Codebook.LevelHigh + nibble] << 8) | bytes[codebook + s.Codebook.LevelLow + nibble]) << 16).buffer,
  )[0];
  const slope = s.ACTIVATIONS.Gelu.df(before);
  const backward = trainNode(compiled, `${LAYER}.db`);
  engine.walk(activation.end, backward.start);
  const dy = plan.offsets[backward.node.inputs[0]];
  const columns = Array.from({ length: 68 }, (_, row) => at(dy, row * width + NUMBER));
  engine.walk(backward.start, backward.end);
  const gradient = at(addressOf(`${TENSOR}.grad`), NUMBER);
  engine.walk(backward.end, program.entries.train.end);
  const loss = engine.state.getFloat64(s.State.LossSum, true) / 4;
  engine.run('update');
  const f32 = (field) => engine.state.getFloat32(field, true);
  const learnt = at(addressOf(TENSOR), NUMBER);
  const [clip, schedule] = [f32(s.State.ClipFactor), f32(s.State.Rate)];
  const g = gradient * clip;
  // The first step's gradient was zero, and so were both means.
  const [m, v] = [0.1 * g, 0.001 * g * g];
  const step = (schedule * rate * (m / (1 - 0.9 ** 2))) / (Math.sqrt(v / (1 - 0.999 ** 2)) + 1e-8);

  const out = mkdtempSync(join(tmpdir(), 's2a-tour-'));
  const blocks = {
    file: file.text,
    plan: [
      `linear memory ${plan.linearBytes.toLocaleString('en')} bytes`,
      ...[
        [TENSOR, 'the number, times 512'],
        [`${TENSOR}.grad`, 'sum of its gradients'],
        [`${TENSOR}.rate`, 'how far it may go'],
        [`${TENSOR}.mean`, 'AdamW: mean of gradients'],
        [`${TENSOR}.variance`, 'AdamW: mean of their squares'],
        [`${LAYER}.weight`, 'frozen: no gradient, no moments'],
      ].map(
        ([name, what]) =>
          `  @${addressOf(name)}  ${String(graph.values[idOf(name)].bytes).padStart(6)} bytes  ${name.replace(LAYER, '…')}  (${what})`,
      ),
    ].join('\n'),
    instruction: instructions(compiled, [LAYER]),
    kept: [
      `x  = ${short(before)}      picture 0, token ${token}, channel ${NUMBER} of ${LAYER}`,
      `y  = ${short(after)}      gelu(x): what the next layer reads, written over x`,
      `gelu'(x) = ${short(slope)}      what backward will multiply by, in full precision`,
      `code ${nibble} of 0 to 15      half a byte at @${codeAt}: all that is kept of x; its level is ${short(level)}`,
      `the plan keeps ${graph.values[activation.node.outputs[1]].bytes.toLocaleString('en')} bytes for 4 × 17 × 512 numbers; f32 would take ${(4 * 4 * 17 * 512).toLocaleString('en')}`,
    ].join('\n'),
    backward: [
      instructions(compiled, [`${LAYER}.db`]),
      `68 rows (4 pictures × 17 tokens) of column ${NUMBER}: …, ${columns.slice(1, 4).map(short).join(', ')}, … sum to ${short(columns.reduce((a, b) => a + b, 0))}`,
      `db[${NUMBER}] = ${short(gradient)}`,
    ].join('\n'),
    update: [
      `step 1          loss ${short(firstLoss)} = ln 2: the head is zero, both classes are as likely, and db[${NUMBER}] = ${short(firstGradient)}: only the head moves`,
      `step 2          loss ${short(loss)}`,
      `gradient norm   ${short(f32(s.State.Norm))}, so each gradient is taken times ${short(clip)}`,
      `rate            ${short(rate)} measured for this number, times the schedule's ${short(schedule)}`,
      `AdamW           m = 0.1·g = ${short(m)}, v = 0.001·g² = ${short(v)}; m/(1 − 0.9²) ÷ √(v/(1 − 0.999²)) × rate = ${short(step)}`,
      `the number      ${short(file.value)} − (${short(step)}) = ${short(learnt)}`,
    ].join('\n'),
  };
  if (Math.abs(file.value - step - learnt) > 1e-6 * Math.max(1, Math.abs(learnt)))
    throw new Error(`tour: expected ${file.value - step}, got ${learnt}`);

  // The adapter: what learnt, under the checkpoint's own names.
  s.writeAdapter(
    join(out, 'adapter'),
    {
      method: program.about.method,
      base: s.identity(folder, weights),
      precision: 'f32',
      head: s.headNames(program),
      labels: CLASSES,
      preprocessing: { ...preprocess },
      createdBy: 'tour',
    },
    s.adapterTensors(engine),
  );
  const adapter = s.readAdapter(join(out, 'adapter'));
  const tensor = adapter.weights.tensor(TENSOR);
  const data = new Float32Array(tensor.bytes / 4);
  adapter.weights.read(tensor, new Uint8Array(data.buffer));
  const numbers = program.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  blocks.adapter = [
    `adapter_model.safetensors   ${statSync(join(out, 'adapter', 'adapter_model.safetensors')).size.toLocaleString('en')} bytes: ${program.parameters.length} tensors, ${numbers.toLocaleString('en')} numbers`,
    `  "${TENSOR}": F32 [${tensor.shape}], number ${NUMBER} = ${short(data[NUMBER])}`,
    `${readdirSync(join(out, 'adapter'))
      .filter((name) => name.endsWith('.json'))
      .join(', ')}        method, labels, how pictures are prepared, digest of the base`,
  ].join('\n');
  adapter.weights.close();
  weights.close();
  rmSync(out, { recursive: true });
  return blocks;
}

const MARKS = (name) => new RegExp(`(<!-- tour ${name} -->\\n\`\`\`text\\n)[\\s\\S]*?(\\n\`\`\`\\n<!-- /tour -->)`);

/** The pages with these blocks in them, by path. */
export function tourPages(blocks) {
  const pages = readdirSync('docs/tour')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs/tour', name));
  const left = new Set(Object.keys(blocks));
  const texts = pages.map((path) => {
    let text = readFileSync(path, 'utf8');
    for (const [name, block] of Object.entries(blocks))
      if (MARKS(name).test(text)) {
        left.delete(name);
        text = text.replace(MARKS(name), (_, head, tail) => head + block + tail);
      }
    return [path, text];
  });
  if (left.size > 0) throw new Error(`docs/tour: no page shows ${[...left].join(', ')}`);
  return new Map(texts);
}

if (process.argv[1] !== undefined && existsSync(process.argv[1]) && import.meta.url.endsWith(process.argv[1].split('/').at(-1))) {
  const blocks = await tourBlocks();
  if (process.argv.includes('--write')) for (const [path, text] of tourPages(blocks)) writeFileSync(path, text);
  else for (const [name, block] of Object.entries(blocks)) console.log(`== ${name}\n${block}\n`);
}
