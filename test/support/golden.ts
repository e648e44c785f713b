/** Truth from PyTorch (test/golden, written by tools/golden): the cases, their values, and a comparison that knows thinned gradients. */
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from '../../src/base/files.ts';
import { elements, type Shape } from '../../src/base/tensor.ts';
import { type SafetensorsFile, type TensorData, writeSafetensors } from '../../src/formats/safetensors.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { close } from './close.ts';
import { newFolder } from './folder.ts';

const root = 'test/golden';

interface Case {
  /** Height and width. */
  size: [number, number];
  classes: number;
  /** Biases whose gradient is zero but for rounding: they are not trained. */
  keyBiases: string[];
  /** timm's fused biases q, k, v: the same holds for the middle third. */
  fusedBiases: string[];
  /** Image sizes of which there is a file too, with interpolated position embeddings. */
  otherSizes: number[];
  /** Queries and keys are turned by their place. */
  rotary?: boolean;
  /** The rates of the ten losses. */
  rates: Record<'adamw' | 'sgd', number>;
}

export interface Values {
  names: string[];
  shape(name: string): Shape;
  /** Any tensor as f32 (bytes and whole numbers too). */
  get(name: string): Float32Array;
  bytes(name: string): Uint8Array;
}

const index = readJson(join(root, 'index.json')).cases as Record<string, Case>;
export const cases: readonly string[] = Object.keys(index);

const families = readJson(join(root, 'index-families.json')).cases as Record<string, Case>;
/** Cases of the families Swin, ResNet, MobileNetV3 and ConvNeXt. */
export const familyCases: readonly string[] = Object.keys(families);
const channels = readJson(join(root, 'index-channels.json')).cases as Record<string, Case>;
/** Cases whose first convolution reads one channel or four. */
export const channelCases: readonly string[] = Object.keys(channels);
/** Every case: what parity and losses are held against. */
export const builtCases: readonly string[] = [...cases, ...familyCases, ...channelCases];
interface ModuleCase {
  size: [number, number];
  /** Methods as `--method` takes them; each is the prefix of its keys. */
  methods: string[];
}
const modules = readJson(join(root, 'modules', 'index.json')).cases as Record<string, ModuleCase>;
/** Cases whose checkpoints were run with prompt, side and LoRA modules. */
export const moduleCases: readonly string[] = Object.keys(modules);

export function moduleCase(name: string): ModuleCase {
  const found = modules[name];
  if (!found) throw new Error(`no golden modules of ${name}`);
  return found;
}

/** What PyTorch computed with modules: `value/N` is the tensor N of a module, `M/N` its gradient under method M. */
export const moduleValues = (name: string): Values => openValues(join(root, 'modules', `${name}.safetensors`));

export function goldenCase(name: string): Case {
  const found = index[name] ?? families[name] ?? channels[name];
  if (!found) throw new Error(`no golden case ${name}`);
  return found;
}

/** Folders that were made from a recipe. */
const made = new Map<string, string>();

/** The model folder of a case as its library would have saved it. Where the weights are a recipe, they are made into a temporary folder. */
export function modelFolder(name: string): string {
  const folder = join(root, name);
  if (!existsSync(join(folder, 'recipe.json'))) return folder;
  const known = made.get(name);
  if (known !== undefined) return known;
  const target = newFolder();
  made.set(name, target);
  for (const file of ['config.json', 'preprocessor_config.json'])
    if (existsSync(join(folder, file))) copyFileSync(join(folder, file), join(target, file));
  const recipe = readJson(join(folder, 'recipe.json')) as unknown as Recipe;
  const small = openWeightsFile(join(folder, 'small.safetensors'));
  const tensors: TensorData[] = [...small.tensors.values()].map((t) => {
    const data = new Uint8Array(t.bytes);
    small.read(t, data);
    return { name: t.name, dtype: t.dtype, shape: t.shape, data };
  });
  small.close();
  for (const [tensor, part] of Object.entries(recipe.tensors)) {
    const data = uniform(recipe.seed, part);
    if (data[0] !== part.first || data.at(-1) !== part.last) throw new Error(`${tensor} is not what tools/golden made`);
    tensors.push({ name: tensor, dtype: 'F32', shape: part.shape, data: new Uint8Array(data.buffer) });
  }
  writeSafetensors(join(target, 'model.safetensors'), tensors, { format: 'pt' });
  return target;
}

interface Recipe {
  seed: number;
  tensors: Record<string, Part>;
}

interface Part {
  number: number;
  low: number;
  high: number;
  shape: number[];
  first: number;
  last: number;
}

/** The counter-based numbers of tools/golden/models.py: 24 bits of murmur3's finalizer. */
export function uniform(seed: number, { number, low, high, shape }: Omit<Part, 'first' | 'last'>): Float32Array<ArrayBuffer> {
  const start = (seed + Math.imul(number, 0x85ebca6b)) | 0;
  return Float32Array.from({ length: elements(shape) }, (_, i) => {
    let x = (Math.imul(i, 0x9e3779b1) + start) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x ^= x >>> 16;
    return low + (high - low) * ((x >>> 8) / 16777216);
  });
}

/** What PyTorch computed; at another image size than the model's own where one is given. Keys: tools/golden/README.md. */
export function goldenValues(name: string, imageSize?: number): Values {
  return openValues(join(root, name, imageSize ? `golden-${imageSize}.safetensors` : 'golden.safetensors'));
}

export function openValues(path: string): Values {
  const file = openWeightsFile(path);
  return {
    names: [...file.tensors.keys()],
    shape: (name) => file.tensor(name).shape,
    get: (name) => readAsF32(file, name),
    bytes(name) {
      const bytes = new Uint8Array(file.tensor(name).bytes);
      file.read(file.tensor(name), bytes);
      return bytes;
    },
  };
}

function readAsF32(file: SafetensorsFile, name: string): Float32Array {
  const tensor = file.tensor(name);
  const bytes = new Uint8Array(tensor.bytes);
  file.read(tensor, bytes);
  if (tensor.dtype === 'F32') return new Float32Array(bytes.buffer);
  if (tensor.dtype === 'I32') return Float32Array.from(new Int32Array(bytes.buffer));
  if (tensor.dtype === 'U8') return Float32Array.from(bytes);
  throw new Error(`${name}: golden values are F32, I32 or U8, not ${tensor.dtype}`);
}

/** Fails unless a gradient is within `tolerance` of the golden one, relative to its norm; a thinned one is compared where it has values. */
export function agrees(got: Float32Array, values: Values, key: string, tolerance: number): void {
  const want = values.get(key);
  const step = thinning(values, got.length, want.length);
  close(step === 1 ? got : got.filter((_, i) => i % step === 0), want, tolerance, key);
}

/** Of a gradient of `all` numbers of which `kept` are there: every so manieth is. */
export function thinning(values: Values, all: number, kept: number): number {
  if (all === kept) return 1;
  const k = Math.ceil(all / (values.names.includes('thin') ? values.get('thin')[0]! : 2048));
  const odd = k + 1 - (k % 2);
  if (Math.ceil(all / odd) !== kept) throw new Error(`${kept} numbers are not what tools/golden keeps of ${all}`);
  return odd;
}

/** What tools/golden keeps of a large gradient where a case's weights are a recipe. */
export function thinned(gradient: Float32Array): Float32Array {
  const k = Math.ceil(gradient.length / 2048);
  const odd = k + 1 - (k % 2);
  return gradient.filter((_, i) => i % odd === 0);
}
