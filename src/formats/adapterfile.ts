/**
 * An adapter on disk, in the folder layout of PEFT:
 *
 *     adapter_model.safetensors   the learnt tensors; its `__metadata__.s2a` holds all of AdapterInfo, so the file is whole by itself
 *     adapter_config.json         the same information for people and other programs
 *
 * The rename of the weights file is the commit. The config beside it is a copy: a power cut between the two renames leaves the new weights
 * with the earlier config, which is then known by its own digest to be an earlier one, and ignored. A config edited by hand is refused,
 * since the edit would have no effect. The bytes depend on the contents alone: no dates, no paths, no name of a machine, and nothing
 * about how the adapter was trained that does not change how it is used.
 */
import { join } from 'node:path';
import { digest } from '../base/digest.ts';
import { InputError, shownValue } from '../base/error.ts';
import { fileExists, makeFolder, readJson, writeAtomic } from '../base/files.ts';
import { isRecord, parseJson, stableJson } from '../base/json.ts';
import { PRECISIONS, type Precision } from '../base/precision.ts';
import { shapeText } from '../base/tensor.ts';
import { layTensors, openSafetensors, type SafetensorsFile, type TensorData, writeTensors } from './safetensors.ts';
import { isTaskSettings, type TaskSettings } from './tasksettings.ts';

/** What an adapter says about itself. */
export interface AdapterInfo {
  /** What was trained: bias, probe, full. */
  method: string;
  /** The model that it was trained on, and goes with alone. */
  base: {
    /** The architecture's name, as its config.json has it. */
    type: string;
    /** `baseDigest` of its weights. */
    digest: string;
    /** Height and width in pixels. */
    imageSize: readonly [number, number];
  };
  /** What the frozen weights were while it was trained, and are to be when it is used. */
  precision: Precision;
  /** How it was trained, where not by plain sums: by fused multiply-add (`--arithmetic fast`), or `lossy`. */
  arithmetic?: 'relaxed' | 'lossy';
  /** What it was taught, where that is not one class of several (src/task). */
  task?: TaskSettings;
  /** What its classes weighed in the loss of training, by name; absent: all the same. Its probabilities are those of classes as frequent as their weights make them. */
  classWeights?: Readonly<Record<string, number>>;
  /** Names of the tensors that make up the classifier; the first axis of each counts the classes. */
  head: readonly string[];
  /** The classes' names, in the order of the logits. */
  labels: readonly string[];
  /** How a picture becomes the model's input, in the terms of preprocessor_config.json. */
  preprocessing: Record<string, unknown>;
  /** Program and version that wrote it. */
  createdBy: string;
}

/** An adapter folder that has been read and checked. */
export interface AdapterFile extends AdapterInfo {
  /** The weights file: adapter_model.safetensors of the folder. */
  path: string;
  /** Its tensors by name, f32, each of the shape that the model gives it; `close` it after use. */
  weights: SafetensorsFile;
}

const formatVersion = 1;
const weightsName = 'adapter_model.safetensors';
const configName = 'adapter_config.json';

/** Writes the folder. Whatever fails, an earlier adapter in it stays as it was. */
export function writeAdapter(folder: string, info: AdapterInfo, tensors: readonly TensorData[]): void {
  makeFolder(folder);
  const weights = join(folder, weightsName);
  checkHead(weights, info, new Map(tensors.map((tensor) => [tensor.name, tensor])));
  const { metadata, config } = textsOf(info);
  // The config's bytes are on disk before the weights are renamed, so a full disk stops the pair, not half of it.
  writeAtomic(join(folder, configName), (writeConfig) => {
    writeConfig(config);
    writeAtomic(weights, (write) => writeTensors(weights, write, tensors, metadata));
  });
}

/** The weights file's metadata and the whole config file. */
function textsOf(info: AdapterInfo): { metadata: Record<string, string>; config: Uint8Array } {
  const fields = fieldsOf(info);
  return {
    metadata: { format: 'pt', s2a: stableJson(fields) },
    config: new TextEncoder().encode(`${stableJson(configOf(fields), 2)}\n`),
  };
}

/** All of an adapter but its numbers: for a board that will write it around the numbers that it learns. */
export function layAdapter(
  info: AdapterInfo,
  tensors: readonly Omit<TensorData, 'data'>[],
): { head: Uint8Array; order: number[]; config: Uint8Array } {
  checkHead(weightsName, info, new Map(tensors.map((tensor) => [tensor.name, tensor])));
  const { metadata, config } = textsOf(info);
  return { ...layTensors(weightsName, tensors, metadata), config };
}

/** All that an adapter says of itself as one text, as it stands in the weights file's metadata: equal adapters have equal texts. */
export const infoText = (info: AdapterInfo): string => stableJson(fieldsOf(info));

/** Reads such a text from elsewhere; `where` names it. Throws InputError for a field that is missing or wrong. */
export const readInfo = (where: string, text: string): AdapterInfo => parseInfo(where, parseJson(where, new TextEncoder().encode(text)));

/**
 * Reads and checks an adapter, given its folder or its weights file alone. Throws InputError where a file is missing or damaged, or was
 * not written by s2a; the error names the file and the field.
 */
export function readAdapter(path: string): AdapterFile {
  const isFile = path.endsWith('.safetensors');
  const weightsPath = isFile ? path : join(path, weightsName);
  const weights = openSafetensors(weightsPath);
  try {
    const text = weights.metadata.get('s2a');
    if (text === undefined) {
      throw new InputError({ where: weightsPath, what: 'its metadata has no s2a entry', hint: 'only adapters that s2a wrote can be used' });
    }
    const info = parseInfo(weightsPath, parseJson(`${weightsPath}, metadata`, new TextEncoder().encode(text)));
    checkHead(weightsPath, info, weights.tensors);
    const config = join(path, configName);
    if (!isFile && fileExists(config)) checkConfig(config, info);
    return { ...info, path: weightsPath, weights };
  } catch (error) {
    weights.close();
    throw error;
  }
}

/** SHA-256 of an adapter's tensors and of everything said about them, 64 hex digits: what its companions in the folder belong to. */
export function adapterDigest({ weights }: AdapterFile): string {
  const parts: (Uint8Array | string)[] = [weights.metadata.get('s2a') ?? ''];
  for (const tensor of weights.tensors.values()) {
    const bytes = new Uint8Array(tensor.bytes);
    weights.read(tensor, bytes);
    parts.push(tensor.name, bytes);
  }
  return digest(...parts);
}

/** Refuses a base model that is not the one which the adapter was trained on; without a digest, as far as its configuration tells. */
export function checkBase(
  adapter: Pick<AdapterFile, 'path' | 'base'>,
  base: Omit<AdapterInfo['base'], 'digest'> & { digest?: string },
): void {
  const refuse = (what: string, got: string, expected: string) => {
    throw new InputError({ where: adapter.path, what, got, expected, hint: 'give the model folder that the adapter was trained on' });
  };
  const { type, digest: hash, imageSize } = adapter.base;
  if (base.type !== type) refuse('the adapter belongs to another architecture', base.type, type);
  if (base.digest !== undefined && base.digest !== hash) refuse('the adapter belongs to other base weights (SHA-256)', base.digest, hash);
  if (base.imageSize[0] !== imageSize[0] || base.imageSize[1] !== imageSize[1]) {
    refuse('the adapter belongs to another image size', base.imageSize.join('×'), imageSize.join('×'));
  }
}

type Fields = Record<string, unknown>;

/** AdapterInfo as it stands in the file. Only what is named here is written. */
function fieldsOf({
  method,
  base,
  precision,
  arithmetic,
  task,
  classWeights,
  head,
  labels,
  preprocessing,
  createdBy,
}: AdapterInfo): Fields {
  const { type, digest: hash, imageSize } = base;
  const how = { precision, ...(arithmetic ? { arithmetic } : {}), ...(task ? { task } : {}), ...(classWeights ? { classWeights } : {}) };
  return { version: formatVersion, method, base: { type, digest: hash, imageSize }, ...how, head, labels, preprocessing, createdBy };
}

/** The config file: the names PEFT's readers look for, the fields, and the digest by which an edit is seen. */
function configOf(fields: Fields): Fields {
  const { base } = fields as { base: AdapterInfo['base'] };
  return {
    peft_type: 'S2A',
    task_type: 'IMAGE_CLASSIFICATION',
    base_model_name_or_path: base.type,
    inference_mode: true,
    s2a: fields,
    digest: digest(stableJson(fields)),
  };
}

function checkConfig(path: string, info: AdapterInfo): void {
  const config = readJson(path);
  const expected = fieldsOf(info);
  if (stableJson(config) === stableJson(configOf(expected))) return;
  const { s2a: fields } = config;
  const isEarlier = isRecord(fields) && isRecord(fields.base) && stableJson(config) === stableJson(configOf(fields));
  if (isEarlier) return;
  const differs = isRecord(fields) && Object.keys(expected).find((key) => stableJson(fields[key]) !== stableJson(expected[key]));
  throw new InputError({
    where: path,
    what: `${differs ? `${differs} differs` : 'it differs'} from what ${weightsName} says`,
    hint: 'the file is a copy and editing it has no effect; delete it or restore it',
  });
}

/** Every field checked: the file may come from anywhere. */
function parseInfo(path: string, fields: Fields): AdapterInfo {
  const need = (ok: boolean, name: string, got: unknown, expected: string) => {
    if (!ok) throw new InputError({ where: `${path}, metadata`, what: `bad ${name}`, got: shownValue(got), expected });
  };
  const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
  const isTexts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.length > 0 && value.every(isText) && new Set(value).size === value.length;

  // Adapters from before there was a choice were trained over f32.
  const { version, method, base, precision = 'f32', arithmetic, task, classWeights, head, labels, preprocessing, createdBy } = fields;
  need(version === formatVersion, 'format version', version, `${formatVersion}`);
  need(isText(method), 'method', method, 'a name');
  need(isText(createdBy), 'createdBy', createdBy, 'program and version');
  need(PRECISIONS.includes(precision as Precision), 'precision', precision, PRECISIONS.join(', '));
  need(
    arithmetic === undefined || arithmetic === 'relaxed' || arithmetic === 'lossy',
    'arithmetic',
    arithmetic,
    'relaxed, lossy, or nothing',
  );
  need(isTexts(head), 'head', head, 'a list of different tensor names');
  need(isTexts(labels), 'labels', labels, 'a list of different class names');
  need(
    task === undefined || isTaskSettings(task, (labels as string[]).length),
    'task',
    task,
    `a name, and ${(labels as string[]).length} numbers under each of its constants`,
  );
  need(
    classWeights === undefined || areWeights(classWeights, labels as string[]),
    'classWeights',
    classWeights,
    'a number above 0 for each label',
  );
  need(isRecord(preprocessing), 'preprocessing', preprocessing, 'an object');
  need(isRecord(base), 'base', base, 'an object');
  const { type, digest: hash, imageSize } = base as Fields;
  need(isText(type), 'base.type', type, 'the name of an architecture');
  need(typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash), 'base.digest', hash, '64 hex digits');
  const isSize = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;
  need(Array.isArray(imageSize) && imageSize.length === 2 && imageSize.every(isSize), 'base.imageSize', imageSize, '[height, width]');
  const how = { precision, ...(arithmetic ? { arithmetic } : {}), ...(task ? { task } : {}), ...(classWeights ? { classWeights } : {}) };
  return { method, base: { type, digest: hash, imageSize }, ...how, head, labels, preprocessing, createdBy } as AdapterInfo;
}

const areWeights = (value: unknown, labels: readonly string[]): boolean =>
  isRecord(value) &&
  Object.keys(value).length === labels.length &&
  labels.every((label) => Object.hasOwn(value, label) && Number.isFinite(value[label]) && (value[label] as number) > 0);

/** A head that is not there, or that has another number of classes than there are labels, is the classic broken adapter. */
function checkHead(path: string, info: AdapterInfo, tensors: ReadonlyMap<string, { shape: readonly number[] }>): void {
  for (const name of info.head) {
    const tensor = tensors.get(name);
    const where = `${path}, tensor ${name}`;
    if (!tensor) throw new InputError({ where, what: 'the head names a tensor that is missing' });
    if (tensor.shape[0] !== info.labels.length) {
      throw new InputError({
        where,
        what: 'does not fit the labels',
        got: shapeText(tensor.shape),
        expected: `${info.labels.length} classes`,
      });
    }
  }
}
