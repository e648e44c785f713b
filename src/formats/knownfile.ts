/**
 * What an adapter knows of what it was taught, beside it in its folder:
 *
 *     known.safetensors     means [N,F], lengths [N], directions [K,F], variances [K+1], judged [J]; metadata s2a: adapter, pictures
 *
 * Features are what the classifier reads. `means` are of features scaled to length 1, by class; `directions` are orthonormal, along which features of a
 * class differ most, with their variances; the last variance is that of every other direction. A file of its own: the adapter's stays what other
 * programs load, byte by byte. It names its adapter by digest, so that one of another run is never taken for it.
 */
import { join } from 'node:path';
import { writeAtomic } from '../base/files.ts';
import { stableJson } from '../base/json.ts';
import { sameShape, shapeText } from '../base/tensor.ts';
import type { AdapterFile } from './adapterfile.ts';
import { type Companion, readCompanion } from './companionfile.ts';
import { writeTensors } from './safetensors.ts';

/** The file's name in an adapter's folder. */
export const KNOWN = 'known.safetensors';

/** The first version had a `temperature` too, by which logits were divided: measured on other pictures it made calibration no better (docs/unknown.md). */
const VERSIONS = [1, 2] as const;
/** Most directions, and most judged distances, that are believed. */
const MOST_DIRECTIONS = 4096;
const MOST_JUDGED = 1 << 20;

/** Statistics of what was learnt. N classes, F features, K directions. */
export interface Known {
  /** Pictures that means and directions are of. */
  pictures: number;
  /** Numbers that the classifier reads. */
  features: number;
  /** [N,F]: the mean of each class's features, scaled to length 1 picture by picture. */
  means: Float32Array;
  /** [N]: the mean length of each class's features before they were scaled. */
  lengths: Float32Array;
  /** [K,F]: orthonormal, along which features of a class differ most. */
  directions: Float32Array;
  /** [K+1]: the variance along each direction, and at the end along every other; shrunk, so above 0. */
  variances: Float32Array;
  /** Distances of the pictures that were judged, rising. */
  judged: Float32Array;
}

/** Writes the statistics of an adapter that is there already. */
export function writeKnown(folder: string, adapter: string, known: Known): void {
  const { pictures, features, means, lengths, directions, variances, judged } = known;
  const path = join(folder, KNOWN);
  const tensor = (name: string, values: Float32Array, shape: number[]) => ({
    name,
    shape,
    dtype: 'F32' as const,
    data: () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  const tensors = [
    tensor('means', means, [lengths.length, features]),
    tensor('lengths', lengths, [lengths.length]),
    tensor('directions', directions, [variances.length - 1, features]),
    tensor('variances', variances, [variances.length]),
    tensor('judged', judged, [judged.length]),
  ];
  const metadata = { s2a: stableJson({ version: VERSIONS.at(-1), adapter, pictures }) };
  writeAtomic(path, (write) => writeTensors(path, write, tensors, metadata));
}

/**
 * The statistics of an adapter; where there are none that belong to it, why, as a part of a sentence. Throws InputError where the file is damaged, or
 * does not fit its adapter.
 */
export function readKnown(adapter: AdapterFile): Known | { why: string } {
  const found = readCompanion(adapter, KNOWN, VERSIONS, (of) => parse(of, adapter.labels.length));
  if (found === 'absent') return { why: `${KNOWN} is not beside it` };
  return found === 'foreign' ? { why: `${KNOWN} beside it belongs to another adapter` } : found;
}

function parse({ file, fields: { version, temperature, pictures }, need }: Companion, classes: number): Known {
  if (version === 1) need(typeof temperature === 'number' && temperature > 0, 'temperature', temperature, 'a number above 0');
  need(Number.isSafeInteger(pictures) && (pictures as number) > 0, 'pictures', pictures, 'a count');
  const features = file.tensor('means').shape[1] ?? 0;
  const count = (name: string, most: number): number => {
    const n = file.tensor(name).shape[0] ?? 0;
    need(n <= most, name, n, `at most ${most}`);
    return n;
  };
  const rows = count('variances', MOST_DIRECTIONS + 1);
  need(rows > 0, 'variances', rows, 'one or more');
  const read = (name: string, shape: readonly number[], isFine: (value: number) => boolean): Float32Array => {
    const tensor = file.tensor(name);
    need(
      tensor.dtype === 'F32' && sameShape(tensor.shape, shape),
      name,
      `${tensor.dtype} ${shapeText(tensor.shape)}`,
      `F32 ${shapeText(shape)}`,
    );
    const values = new Float32Array(tensor.bytes / 4);
    file.read(tensor, new Uint8Array(values.buffer));
    need(
      values.every((value) => Number.isFinite(value) && isFine(value)),
      name,
      'a number out of range',
      'finite numbers in range',
    );
    return values;
  };
  const judged = read('judged', [count('judged', MOST_JUDGED)], (value) => value >= 0);
  need(
    judged.every((value, i) => i === 0 || judged[i - 1]! <= value),
    'judged',
    'out of order',
    'rising numbers',
  );
  return {
    pictures: pictures as number,
    features,
    means: read('means', [classes, features], (value) => Math.abs(value) <= 1.001),
    lengths: read('lengths', [classes], (value) => value >= 0),
    directions: read('directions', [rows - 1, features], (value) => Math.abs(value) <= 1.001),
    variances: read('variances', [rows], (value) => value > 0),
    judged,
  };
}
