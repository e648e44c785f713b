// npm run bench:wasi: a training step under wasmtime beside the same step under Node, one thread; and what the whole process holds.
//
// The step: bias tuning, batch 8 at 224×224, random weights, the packed program. Under wasmtime a run of many steps less a run of few, so that
// loading is not counted, and reading its pictures is; under Node the engine's phases alone. Processor time, the fastest of rounds in turn.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encode } from 'fast-png';
import { wasiRuntimes } from '../tools/runtimes/wasi.mjs';
import { processorTime } from './clock.mjs';
import { CLASSES, NETWORKS, randomWeights, sources } from './network.mjs';

const BATCH = 8;
const FEW = 1;
const MANY = 4;
const ROUNDS = 3;
const SIDE = 224;
/** The smallest command: memory, and a start that returns at once. */
const HELLO = '0061736d01000000010401600000030201000503010001071302066d656d6f72790200065f737461727400000a040102000b';

const runtime = wasiRuntimes().find(({ name }) => name === 'wasmtime');
if (!runtime) {
  console.log('wasmtime is not there: tools/runtimes/wasi.mjs says how to get it');
  process.exit(0);
}
const source = await sources();
const folder = mkdtempSync(join(tmpdir(), 's2a-wasi-'));
const mib = (bytes) => `${(bytes / 1048576).toFixed(1)} MiB`;

function writePictures(root) {
  for (let label = 0; label < 2; label++) {
    mkdirSync(join(root, String(label)), { recursive: true });
    for (let i = 0; i < 20; i++) {
      const data = Uint8Array.from({ length: 48 * 48 * 3 }, (_, k) => (Math.imul(k + 1, 2654435761 + label + 2 * i) >>> 13) & 255);
      writeFileSync(join(root, String(label), `${i}.png`), encode({ width: 48, height: 48, data, channels: 3, depth: 8 }));
    }
  }
}

/** A model folder with random weights. */
function writeModel(path, name) {
  mkdirSync(path);
  writeFileSync(join(path, 'config.json'), JSON.stringify(NETWORKS[name]));
  const processor = name.startsWith('vit') ? 'ViTImageProcessor' : 'MobileNetV2ImageProcessor';
  const size = name.startsWith('vit')
    ? { size: { height: SIDE, width: SIDE } }
    : { size: { shortest_edge: 256 }, crop_size: { height: SIDE, width: SIDE } };
  writeFileSync(join(path, 'preprocessor_config.json'), JSON.stringify({ image_processor_type: processor, ...size }));
  const model = source.parseModel({ where: name, values: NETWORKS[name] }, [SIDE, SIDE]);
  const { program } = source.compile({ model, classes: CLASSES, microBatch: 1 });
  const shapes = new Map(program.weights.map((record) => [record.name, record.shape]));
  const weights = randomWeights();
  const tensors = [...shapes].map(([tensor, shape]) => {
    const data = new Uint8Array(4 * shape.reduce((a, b) => a * b, 1));
    weights.read({ name: tensor, shape }, data);
    return { name: tensor, dtype: 'F32', shape, data };
  });
  source.writeSafetensors(join(path, 'model.safetensors'), tensors);
}

/** Under Node: the same program, `run` measures one step in ms. */
function openNode(model, board) {
  const program = source.decodeProgram(new Uint8Array(readFileSync(join(board, 'program.s2a'))));
  const engine = source.createEngine(program, source.engineBytes());
  source.loadWeights(engine, source.openWeightsFile(model));
  source.startRun(engine, { ...source.TRAIN_DEFAULTS, epochs: 9, batchSize: BATCH, rate: 1e-3 }, 32);
  engine.state.setFloat32(source.State.LossScale, 1 / BATCH, true);
  engine.ints(source.Io.Labels).fill(1);
  return () => {
    const began = processorTime();
    for (let pass = 0; pass < BATCH / program.about.microBatch; pass++) engine.run('train');
    engine.run('update');
    return processorTime() - began;
  };
}

try {
  const pictures = join(folder, 'pictures');
  writePictures(pictures);
  writeFileSync(join(folder, 'hello.wasm'), Buffer.from(HELLO, 'hex'));
  const compiled = (name) => resolve(folder, `${name}.cwasm`);
  const hello = () => runtime.run(join(folder, 'hello.wasm'), [], { folder, compiled: compiled('hello') });
  hello();
  const idle = hello().peak ?? 0;
  console.log(`wasmtime, precompiled modules; hello-world resident ${mib(idle)}\n`);
  for (const name of ['vit-tiny', 'mobilenetv2']) {
    const [model, board] = [join(folder, name), join(folder, `${name}-board`)];
    writeModel(model, name);
    const { memory, plan } = await source.packJob({ model, data: pictures, out: board, batchSize: BATCH, epochs: 9, rate: 1e-3 });
    const train = (steps) => {
      const words = [
        'train',
        `${name}-board/program.s2a`,
        '--model',
        name,
        '--data',
        `${name}-board`,
        '--out',
        'out',
        '--steps',
        String(steps),
      ];
      const ran = runtime.run(join(board, 's2a.wasm'), words, { folder, compiled: compiled(name) });
      if (ran.code !== 5) throw new Error(`${name}: code ${ran.code}: ${ran.err}`);
      return ran;
    };
    train(1);
    const step = openNode(model, board);
    step();
    const best = { node: Infinity, few: Infinity, many: Infinity };
    let peak = 0;
    for (let round = 0; round < ROUNDS; round++) {
      best.node = Math.min(best.node, step(), step());
      best.few = Math.min(best.few, train(FEW).ms ?? Infinity);
      const many = train(MANY);
      best.many = Math.min(best.many, many.ms ?? Infinity);
      peak = Math.max(peak, many.peak ?? 0);
    }
    const there = (best.many - best.few) / (MANY - FEW);
    console.log(`${name}, batch ${BATCH} in passes of ${plan.microBatch}`);
    console.log(`  step            Node ${best.node.toFixed(1)} ms, wasmtime ${there.toFixed(1)} ms: ${(there / best.node).toFixed(2)}×`);
    console.log(`  linear memory   ${mib(memory.planBytes)} planned, ${mib(memory.totalBytes)} with the program's own`);
    console.log(`  resident peak   ${mib(peak)}: linear memory + hello-world + ${mib(peak - memory.planBytes - idle)}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
