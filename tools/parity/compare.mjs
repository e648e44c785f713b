// One folder's logits, by this project and by PyTorch.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { noise, scenes } from './pictures.mjs';
import { source } from './source.mjs';

const s2a = await source(
  'parity',
  `export { openInference } from './src/use/classifier.ts';
export { writeSafetensors } from './src/formats/safetensors.ts';
export { openWeightsFile } from './src/formats/weightsfolder.ts';
export { Io } from './assembly/abi/program.ts';
export { scanFolder } from './src/data/scan.ts';
export { decodePicture } from './src/input/decode.ts';`,
);

export const TOLERANCE = 1e-4;
const COUNT = 2;

/** Runs a Python program of this folder; its last words are the message where it fails. */
export function python(interpreter, script, ...args) {
  try {
    return execFileSync(interpreter, [resolve('tools/parity', script), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, OMP_NUM_THREADS: '1', HF_HUB_OFFLINE: '1', PYTHONWARNINGS: 'ignore' },
      maxBuffer: 1 << 26,
    });
  } catch (error) {
    const said = String(error.stderr ?? error.message)
      .trim()
      .split('\n');
    throw new Error(said.at(-1));
  }
}

/** Largest difference over the largest logit, and the distance of all of them relative to their norm. */
export function distance(got, want) {
  let [most, largest, sum, norm] = [0, 0, 0, 0];
  want.forEach((x, i) => {
    const d = got[i] - x;
    most = Math.max(most, Math.abs(d));
    largest = Math.max(largest, Math.abs(x));
    sum += d * d;
    norm += x * x;
  });
  const finite = got.every(Number.isFinite) && got.length === want.length;
  return finite ? { largest: most / (largest || 1), norm: Math.sqrt(sum / (norm || 1)) } : { largest: Infinity, norm: Infinity };
}

/**
 * Compares the logits of a folder, by the model's own head; with `adapter` ours are those of base `model` and that adapter. Returns a row
 * for each set of pictures: {name, largest, norm, classes}. With `peft` PyTorch puts that folder of PEFT's on the one it loads.
 *
 * @param {string} folder
 * @param {{ interpreter?: string, pictures?: string, model?: string, adapter?: string, peft?: string }} [options]
 */
export async function compareLogits(folder, { interpreter = 'python3', pictures, model = folder, adapter, peft } = {}) {
  const { engine, preprocess } = s2a.openInference(adapter, { model, microBatch: COUNT });
  const [h, w] = engine.program.about.image;
  const sets = { noise: noise(COUNT, h, w, 11), scenes: scenes(COUNT, h, w, 12) };
  if (pictures) Object.assign(sets, await photos(pictures, preprocess, h * w * 3));
  const work = mkdtempSync(join(tmpdir(), 's2a-parity-'));
  try {
    const floats = (values) => new Uint8Array(Float32Array.from(values).buffer);
    const tensors = Object.entries(sets).map(([name, data]) => ({ name, dtype: 'U8', shape: [COUNT, h, w, 3], data }));
    for (const [name, values] of Object.entries({
      mean: preprocess.mean,
      std: preprocess.std,
      scale: [preprocess.scale],
      reversed: [preprocess.reversed ? 1 : 0],
    }))
      tensors.push({ name, dtype: 'F32', shape: [values.length], data: floats(values) });
    const [given, out] = [join(work, 'in.safetensors'), join(work, 'out.safetensors')];
    s2a.writeSafetensors(given, tensors);
    python(interpreter, 'logits.py', resolve(folder), given, out, ...(peft ? [resolve(peft)] : []));
    const file = s2a.openWeightsFile(out);
    const rows = Object.entries(sets).map(([name, data]) => {
      engine.bytes(s2a.Io.Pictures).set(data);
      engine.ints(s2a.Io.Labels).fill(-1);
      engine.run('eval');
      const tensor = file.tensor(name);
      const bytes = new Uint8Array(tensor.bytes);
      file.read(tensor, bytes);
      return { name, classes: tensor.shape[1], ...distance(engine.floats(s2a.Io.Logits), new Float32Array(bytes.buffer)) };
    });
    file.close();
    return rows;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The first pictures of a folder of classes, as training would prepare them. */
async function photos(root, preprocess, bytes) {
  const { readFileSync } = await import('node:fs');
  const list = s2a.scanFolder(root).train.slice(0, COUNT);
  const data = new Uint8Array(COUNT * bytes);
  for (let i = 0; i < COUNT; i++)
    data.set(await s2a.decodePicture(readFileSync(join(root, list[i % list.length].path)), preprocess), i * bytes);
  return { photos: data };
}
