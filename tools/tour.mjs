// The numbers of docs/tour: one bias of models/sketch-vit, followed from the file into the arena, through one step, into an adapter.
//   npm run tour               prints the blocks
//   npm run tour -- --write    puts them into the pages, between <!-- tour NAME --> and <!-- /tour -->
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { source } from './parity/source.mjs';
import { readClass } from './pictures/quickdraw.mjs';

const FOLDER = 'models/sketch-vit';
/** What is followed: this number of this tensor. */
const [TENSOR, NUMBER] = ['vit.encoder.layer.2.intermediate.dense.bias', 7];
const LAYER = TENSOR.replace(/\.bias$/, '');
/** Tokens of four pictures, channels of the layer, and the token that is looked at. */
const [ROWS, WIDTH, TOKEN] = [68, 512, 3];
/** Two drawings of each: what the step learns from. */
const CLASSES = ['cat', 'fish'];

const s = await source(
  'tour',
  `export { Codebook } from './assembly/abi/codebook.ts'; export { State } from './assembly/abi/head.ts'; export { Instruction } from './assembly/abi/ops.ts'; export { Io } from './assembly/abi/program.ts';
export { compile } from './src/compile.ts';
export { createEngine, loadWeights } from './src/engine/engine.ts'; export { engineBytes } from './src/engine/wasm.ts';
export { openWeightsFile } from './src/formats/weightsfolder.ts'; export { readAdapter, writeAdapter } from './src/formats/adapterfile.ts';
export { readModel } from './src/import/index.ts'; export { openModelFolder, identity, preprocessOf } from './src/import/modelfolder.ts';
export { resizePacked } from './src/input/preprocess.ts';
export { ACTIVATIONS } from './src/ops/activations.ts';
export { printProgram } from './src/program/print.ts'; export { adapterTensors, headNames } from './src/training/adapter.ts';
export { measureRates } from './src/training/measure.ts'; export { startRun, TRAIN_DEFAULTS } from './src/training/train.ts';`,
);

/** A number as a tour shows it. */
const short = (x) => (x !== 0 && Math.abs(x) < 1e-3 ? x.toExponential(3) : String(Number(x.toPrecision(5))));
const count = (n) => n.toLocaleString('en');
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
    return { label, pixels: s.resizePacked(rgb, 28, 28, preprocess) };
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
    `${path}: ${count(file.length)} bytes`,
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

/** The job, its engine with the weights in it, and where things lie. */
function openJob() {
  const folder = s.openModelFolder(FOLDER);
  const preprocess = s.preprocessOf(folder);
  const normalize = { scale: 1 / 255, mean: preprocess.mean, std: preprocess.std };
  const compiled = s.compile({ model: folder.model, classes: CLASSES.length, microBatch: 4, rates: 'relative', normalize });
  const { plan, graph, program } = compiled;
  const weights = s.openWeightsFile(FOLDER);
  const engine = s.createEngine(program, s.engineBytes());
  s.loadWeights(engine, weights);
  const valueNamed = (name) => graph.values.find((value) => value.name === name);
  return {
    ...{ folder, preprocess, compiled, plan, program, weights, engine, valueNamed },
    pictures: drawings(preprocess),
    addressOf: (name) => plan.offsets[valueNamed(name).id],
    bytes: new Uint8Array(engine.memory.buffer),
    /** Number `i` of the f32 value at an address. */
    at: (address, i) => new Float32Array(engine.memory.buffer, address)[i],
  };
}

/** The run begins: its constants, rates measured on the pictures, and the pictures at their port. */
async function begin({ engine, pictures }) {
  const samples = {
    count: pictures.length,
    readInto: (i, target) => target.set(pictures[i].pixels),
    label: (i) => pictures[i].label,
  };
  s.startRun(engine, { ...s.TRAIN_DEFAULTS, epochs: 2, batchSize: 4, rate: 1, seed: 1 }, samples.count);
  await s.measureRates(engine, samples, 1);
  for (const [row, { pixels, label }] of pictures.entries()) {
    engine.bytes(s.Io.Pictures).set(pixels, row * pixels.length);
    engine.ints(s.Io.Labels)[row] = label;
    engine.ints(s.Io.Samples)[row] = row;
  }
  engine.state.setFloat32(s.State.LossScale, 1 / 4, true);
}

/** A step of four pictures: the new head is zero, so the loss asks nothing of what is below it, and the head alone moves. */
function firstStep({ engine, at, addressOf }) {
  engine.run('train');
  const first = { loss: engine.state.getFloat64(s.State.LossSum, true) / 4, gradient: at(addressOf(`${TENSOR}.grad`), NUMBER) };
  engine.run('update');
  engine.state.setFloat64(s.State.LossSum, 0, true);
  return first;
}

/** The second step's forward pass up to the activation behind the layer, and what is kept there. */
function keptBlock({ engine, compiled, plan, program, bytes, at }, activation) {
  const [x, code, codebook] = [activation.node.inputs[0], activation.node.outputs[1], activation.node.inputs[1]].map(
    (id) => plan.offsets[id],
  );
  const element = TOKEN * WIDTH + NUMBER;
  engine.walk(program.entries.train.start, activation.start);
  const before = at(x, element);
  engine.walk(activation.start, activation.end);
  const after = at(plan.offsets[activation.node.outputs[0]], element);
  // Codes lie in blocks of 32 elements: the low halves of 16 bytes, then their high halves.
  const codeAt = code + (element >> 5) * 16 + (element & 15);
  const nibble = (bytes[codeAt] >> (element & 16 ? 4 : 0)) & 15;
  const [high, low] = [s.Codebook.LevelHigh, s.Codebook.LevelLow].map((plane) => bytes[codebook + plane + nibble]);
  const level = new Float32Array(Uint32Array.of(((high << 8) | low) << 16).buffer)[0];
  const kept = compiled.graph.values[activation.node.outputs[1]].bytes;
  return [
    `x  = ${short(before)}      picture 0, token ${TOKEN}, channel ${NUMBER} of ${LAYER}`,
    `y  = ${short(after)}      gelu(x): what the next layer reads, written over x`,
    `gelu'(x) = ${short(s.ACTIVATIONS.Gelu.df(before))}      what backward will multiply by, in full precision`,
    `code ${nibble} of 0 to 15      half a byte at @${codeAt}: all that is kept of x; its level is ${short(level)}`,
    `the plan keeps ${count(kept)} bytes for 4 × 17 × 512 numbers; f32 would take ${count(4 * ROWS * WIDTH)}`,
  ].join('\n');
}

/** Backward up to the sum of the layer's bias. */
function backwardBlock({ engine, compiled, plan, at, addressOf }, from) {
  const { node, start, end } = trainNode(compiled, `${LAYER}.db`);
  engine.walk(from, start);
  const dy = plan.offsets[node.inputs[0]];
  const column = Array.from({ length: ROWS }, (_, row) => at(dy, row * WIDTH + NUMBER));
  engine.walk(start, end);
  const gradient = at(addressOf(`${TENSOR}.grad`), NUMBER);
  const sum = column.reduce((a, b) => a + b, 0);
  const text = [
    instructions(compiled, [`${LAYER}.db`]),
    `${ROWS} rows (4 pictures × 17 tokens) of column ${NUMBER}: …, ${column.slice(1, 4).map(short).join(', ')}, … sum to ${short(sum)}`,
    `db[${NUMBER}] = ${short(gradient)}`,
  ].join('\n');
  return { gradient, end, text };
}

/** The second step's update, computed here once more in f64: AdamW whose first gradient was zero. */
function updateBlock({ engine, at, addressOf }, { first, gradient, value, rate }) {
  const f32 = (field) => engine.state.getFloat32(field, true);
  const loss = engine.state.getFloat64(s.State.LossSum, true) / 4;
  engine.run('update');
  const learnt = at(addressOf(TENSOR), NUMBER);
  const [clip, schedule] = [f32(s.State.ClipFactor), f32(s.State.Rate)];
  const g = gradient * clip;
  const [m, v] = [0.1 * g, 0.001 * g * g];
  const step = (schedule * rate * (m / (1 - 0.9 ** 2))) / (Math.sqrt(v / (1 - 0.999 ** 2)) + 1e-8);
  if (Math.abs(value - step - learnt) > 1e-6) throw new Error(`tour: expected ${value - step}, got ${learnt}`);
  return [
    `step 1          loss ${short(first.loss)} = ln 2: the head is zero, both classes are as likely, and db[${NUMBER}] = ${short(first.gradient)}: only the head moves`,
    `step 2          loss ${short(loss)}`,
    `gradient norm   ${short(f32(s.State.Norm))}, so each gradient is taken times ${short(clip)}`,
    `rate            ${short(rate)} measured for this number, times the schedule's ${short(schedule)}`,
    `AdamW           m = 0.1·g = ${short(m)}, v = 0.001·g² = ${short(v)}; m/(1 − 0.9²) ÷ √(v/(1 − 0.999²)) × rate = ${short(step)}`,
    `the number      ${short(value)} − (${short(step)}) = ${short(learnt)}`,
  ].join('\n');
}

/** The adapter: what learnt, under the checkpoint's own names. */
function adapterBlock({ folder, preprocess, program, weights, engine }) {
  const out = mkdtempSync(join(tmpdir(), 's2a-tour-'));
  const info = {
    method: program.about.method,
    base: s.identity(folder, weights),
    precision: 'f32',
    head: s.headNames(program),
    labels: CLASSES,
    preprocessing: { ...preprocess },
    createdBy: 'tour',
  };
  s.writeAdapter(out, info, s.adapterTensors(engine));
  const adapter = s.readAdapter(out);
  const tensor = adapter.weights.tensor(TENSOR);
  const data = new Float32Array(tensor.bytes / 4);
  adapter.weights.read(tensor, new Uint8Array(data.buffer));
  adapter.weights.close();
  const numbers = program.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const file = statSync(join(out, 'adapter_model.safetensors')).size;
  rmSync(out, { recursive: true });
  return [
    `adapter_model.safetensors   ${count(file)} bytes: ${program.parameters.length} tensors, ${count(numbers)} numbers`,
    `  "${TENSOR}": F32 [${tensor.shape}], number ${NUMBER} = ${short(data[NUMBER])}`,
    'adapter_config.json         method, labels, how pictures are prepared, digest of the base',
  ].join('\n');
}

/** Where the plan puts what belongs to the number. */
function planBlock({ plan, addressOf, valueNamed }) {
  const rows = [
    [TENSOR, 'what learns'],
    [`${TENSOR}.grad`, 'sum of its gradients'],
    [`${TENSOR}.rate`, 'how far it may go'],
    [`${TENSOR}.mean`, 'AdamW: mean of gradients'],
    [`${TENSOR}.variance`, 'AdamW: mean of their squares'],
    [`${LAYER}.weight`, 'frozen: no gradient, no moments'],
  ].map(
    ([name, what]) => `  @${addressOf(name)}  ${String(valueNamed(name).bytes).padStart(6)} bytes  ${name.replace(LAYER, '…')}  (${what})`,
  );
  return [`linear memory ${count(plan.linearBytes)} bytes`, ...rows].join('\n');
}

/** Everything that the pages show, by the name of the block. */
export async function tourBlocks() {
  const file = inFile();
  const job = openJob();
  const { engine, program, compiled, at, addressOf } = job;
  await begin(job);
  const rate = at(addressOf(`${TENSOR}.rate`), NUMBER);
  const first = firstStep(job);
  const activation = trainNode(compiled, LAYER.replace('intermediate.dense', 'activation'));
  const kept = keptBlock(job, activation);
  const backward = backwardBlock(job, activation.end);
  engine.walk(backward.end, program.entries.train.end);
  const update = updateBlock(job, { first, gradient: backward.gradient, value: file.value, rate });
  const adapter = adapterBlock(job);
  job.weights.close();
  const instruction = instructions(compiled, [LAYER]);
  return { file: file.text, plan: planBlock(job), instruction, kept, backward: backward.text, update, adapter };
}

const MARKS = (name) => new RegExp(`(<!-- tour ${name} -->\\n\`\`\`text\\n)[\\s\\S]*?(\\n\`\`\`\\n<!-- /tour -->)`);

/** The pages with these blocks in them, by path. */
export function tourPages(blocks) {
  const pages = readdirSync('docs/tour')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs/tour', name));
  const left = new Set(Object.keys(blocks));
  /** @type {[string, string][]} */
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

if (process.argv[1] !== undefined && existsSync(process.argv[1]) && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const blocks = await tourBlocks();
  if (process.argv.includes('--write')) for (const [path, text] of tourPages(blocks)) writeFileSync(path, text);
  else for (const [name, block] of Object.entries(blocks)) console.log(`== ${name}\n${block}\n`);
}
