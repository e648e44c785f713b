/**
 * The weights of a model folder: model.safetensors, or shards of it with an index or without; else pytorch_model.bin, or shards of it, or the
 * one .pth, .pt or .bin that is there.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, shown, shownValue } from '../base/error.ts';
import { type ByteSource, fileExists, guarded, isFolder, openFile, readJson } from '../base/files.ts';
import { isRecord } from '../base/json.ts';
import type { Shape } from '../base/tensor.ts';
import { refuseOtherWeights } from './otherfiles.ts';
import { openSource, readHeader, type SafetensorsFile, type Tensor, view } from './safetensors.ts';
import { openTorch } from './torch/index.ts';

/** How a library calls its weights, and how such a file is opened as one of safetensors. */
interface Naming {
  single: string;
  index: string;
  shard: RegExp;
  shardName: (number: string, count: string) => string;
  /** What an index may name. */
  named: RegExp;
  open: (path: string) => ByteSource;
}

const SAFE: Naming = {
  single: 'model.safetensors',
  index: 'model.safetensors.index.json',
  shard: /^model-(\d{5})-of-(\d{5})\.safetensors$/,
  shardName: (number, count) => `model-${number}-of-${count}.safetensors`,
  named: /^[\w-][\w.-]*\.safetensors$/,
  open: openFile,
};
const TORCH: Naming = {
  single: 'pytorch_model.bin',
  index: 'pytorch_model.bin.index.json',
  shard: /^pytorch_model-(\d{5})-of-(\d{5})\.bin$/,
  shardName: (number, count) => `pytorch_model-${number}-of-${count}.bin`,
  named: /^[\w-][\w.-]*\.bin$/,
  open: openTorch,
};
const MOST_SHARDS = 1000;
/** Of an index: room for some 100,000 tensors. */
const MOST_INDEX = 16 << 20;

/** Files of torch.save, by their names. */
const TORCH_FILE = /\.(bin|pth|pt|pth\.tar)$/i;
/** What trainers leave beside the weights. */
const OTHERS = /^(training_args|optimizer|scheduler|scaler|rng_state.*)\./;

/** Where a folder's weights are: in one file, or in shards of one library's naming. */
type Place = { file: string; open: Naming['open'] } | { shards: Naming };

/** Whether a file is opened as torch.save's, by its name. */
export const isTorchFile = (path: string): boolean => TORCH_FILE.test(path);

/** Opens a weights file, or the one (sharded or not) in a model folder. Reads what says where the tensors are, and no tensor. */
export function openWeightsFile(path: string): SafetensorsFile {
  if (!isFolder(path)) return openSource(path, (isTorchFile(path) ? openTorch : openFile)(path));
  const place = placeOf(path);
  if (place !== undefined) return 'file' in place ? openSource(place.file, place.open(place.file)) : openShards(path, place.shards);
  refuseOtherWeights(path);
  throw new InputError({ where: path, what: 'no weights in this folder', expected: 'model.safetensors' });
}

/** Whether a folder has weights of safetensors. */
export const hasSafetensors = (folder: string): boolean =>
  [SAFE.single, SAFE.index].some((name) => fileExists(join(folder, name))) || shardsOf(folder, SAFE) !== undefined;

export const hasWeights = (path: string): boolean => (isFolder(path) ? placeOf(path) !== undefined : fileExists(path));

/** Shapes of a model's tensors by name; undefined where there are no weights. */
export function tensorShapes(path: string): ReadonlyMap<string, Shape> | undefined {
  if (!hasWeights(path)) return undefined;
  const file = openWeightsFile(path);
  file.close();
  return new Map([...file.tensors.values()].map(({ name, shape }) => [name, shape]));
}

function placeOf(folder: string): Place | undefined {
  for (const naming of [SAFE, TORCH]) {
    const single = join(folder, naming.single);
    if (fileExists(single)) return { file: single, open: naming.open };
    if (fileExists(join(folder, naming.index)) || shardsOf(folder, naming) !== undefined) return { shards: naming };
  }
  const [file, ...more] = namesOf(folder).filter(
    (name) => TORCH_FILE.test(name) && !OTHERS.test(name) && !/^(adapter|open_clip)_/.test(name),
  );
  if (file === undefined) return undefined;
  if (more.length === 0) return { file: join(folder, file), open: openTorch };
  throw new InputError({
    where: folder,
    what: 'has several files of weights, and none is called model.safetensors or pytorch_model.bin',
    got: [file, ...more].slice(0, 4).map(shown).join(', '),
    hint: 'give one of them its own folder, or say which: FILE --arch NAME in place of the folder',
  });
}

const namesOf = (folder: string): string[] => guarded(folder, 'cannot be read', () => readdirSync(folder)).sort();

/** Shards that have lost their index, by their own names (model-00001-of-00003.safetensors): all of them, or an InputError. */
function shardsOf(folder: string, { shard, shardName, index }: Naming): string[] | undefined {
  const names = namesOf(folder).filter((name) => shard.test(name));
  const [first] = names;
  if (first === undefined) return undefined;
  const [, , count] = shard.exec(first) as unknown as [string, string, string];
  const all = Array.from({ length: Math.min(Number(count), MOST_SHARDS) }, (_, i) => shardName(String(i + 1).padStart(5, '0'), count));
  const missing = all.find((name) => !names.includes(name));
  const odd = names.find((name) => !all.includes(name));
  if (missing === undefined && odd === undefined) return all;
  throw new InputError({
    where: join(folder, (missing ?? odd)!),
    what: missing === undefined ? 'does not belong to the other shards' : 'a shard of the weights is missing',
    got: `${names.length} of ${Number(count)}, and no ${index}`,
    hint: 'download the folder again',
  });
}

/** The shards that an index names, as one file. The index must agree with what the shards hold; without one their names say which they are. */
function openShards(folder: string, naming: Naming): SafetensorsFile {
  const index = join(folder, naming.index);
  const hasIndex = fileExists(index);
  const map = hasIndex ? readJson(index, MOST_INDEX).weight_map : undefined;
  if (hasIndex && !isRecord(map)) throw new InputError({ where: index, what: 'weight_map is missing' });
  const placed = isRecord(map) ? map : undefined;
  const files: { path: string; source: ByteSource }[] = [];
  const tensors = new Map<string, Tensor>();
  try {
    // By name: the digest of the weights does not depend on the order of the index.
    for (const file of placed ? [...new Set(Object.values(placed))].sort() : shardsOf(folder, naming)!) {
      if (typeof file !== 'string' || !naming.named.test(file)) {
        throw new InputError({
          where: hasIndex ? index : folder,
          what: 'bad shard name',
          got: shownValue(file),
          expected: `a ${naming.single.replace(/^.*\./, '.')} file in the same folder`,
        });
      }
      const path = join(folder, file);
      const source = naming.open(path);
      const shard = files.push({ path, source }) - 1;
      for (const tensor of readHeader(path, source).tensors.values()) {
        if (placed ? placed[tensor.name] !== file : tensors.has(tensor.name)) {
          throw new InputError({
            where: `${path}, tensor ${shown(tensor.name)}`,
            what: placed ? 'is in this shard but not so in the index' : 'is in two shards',
            ...(hasIndex ? { hint: index } : {}),
          });
        }
        tensors.set(tensor.name, { ...tensor, file: shard });
      }
    }
    for (const [name, file] of Object.entries(placed ?? {})) {
      if (!tensors.has(name))
        throw new InputError({ where: join(folder, String(file)), what: `tensor ${shown(name)} of the index is missing` });
    }
    return view(folder, files, tensors, new Map());
  } catch (error) {
    for (const { source } of files) source.close();
    throw error;
  }
}
