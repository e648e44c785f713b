/**
 * How a run's examples are prepared: pictures as the model folder says, arrays at their own size with a normalisation that an adapter to go on from
 * has, that is measured on the examples to learn from, or that is given.
 */
import { join } from 'node:path';
import { counted } from '../base/counted.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { InputError } from '../base/error.ts';
import type { Folder } from '../data/folder.ts';
import { splitSamples } from '../data/split.ts';
import { firstFacts } from '../data/whicharrays.ts';
import { type ModelFolder, openModelFolder, preprocessOf } from '../import/modelfolder.ts';
import { type ArrayFacts, type ArrayPreparation, arrayReader, isArrayPreparation } from '../input/example.ts';
import { imageSizeOf } from '../input/fields.ts';
import { channelSums } from '../input/measure.ts';
import type { Preparation } from '../input/preparation.ts';
import type { TrainJob } from './jobtypes.ts';

type Wish = Pick<TrainJob, 'model' | 'data' | 'imageSize' | 'normalize' | 'holdOut' | 'seed'>;

/** The model folder, at the size of what the data are: arrays are not resized. */
export function openFor({ model, data, imageSize }: Pick<Wish, 'model' | 'data' | 'imageSize'>): ModelFolder {
  const facts = firstFacts(data);
  if (facts === undefined) return openModelFolder(model, imageSize);
  checkChannels(data, facts, openModelFolder(model));
  const size = [facts.height, facts.width] as const;
  if (imageSize !== undefined) {
    const { height, width } = imageSizeOf(imageSize, '--image-size');
    if (height !== size[0] || width !== size[1])
      throw new InputError({
        where: data,
        what: 'arrays are not resized: the network sees them as they are',
        got: `${height}x${width} (--image-size, or the adapter to go on from)`,
        expected: size.join('x'),
      });
  }
  return openModelFolder(model, size);
}

/** What an example of a listed folder becomes. `before`: of the adapter that the run goes on from. */
export function preparationOf(
  job: Wish,
  base: ModelFolder,
  folder: Folder,
  { before, warn }: { before?: unknown; warn?: ((sentence: string) => void) | undefined } = {},
): Preparation {
  const { arrays } = folder;
  if (arrays === undefined) {
    if (job.normalize !== undefined)
      throw new InputError({ where: '--normalize', what: 'is for arrays (.npy); pictures are normalised as the model folder says' });
    return preprocessOf(base);
  }
  if (before === undefined) return { input: 'array', ...arrays, ...numbersFor(job, base, folder, arrays, warn) };
  if (!isArrayPreparation(before))
    throw new InputError({ where: job.data, what: 'holds arrays, and the adapter to go on from was trained on pictures' });
  if (job.normalize !== undefined)
    throw new InputError({
      where: '--normalize',
      what: 'the adapter to go on from says how its arrays are normalised',
      hint: 'leave it out',
    });
  return before;
}

/** Arrays of other channels than the network reads; those whose first axis are the channels are told how to turn them. */
function checkChannels(where: string, { height, width, channels }: Omit<ArrayFacts, 'element'>, { model }: ModelFolder): void {
  if (channels === model.channels) return;
  const isFirst = height === model.channels;
  throw new InputError({
    where,
    what: 'arrays of other channels than the network reads',
    got: `${channels}, of ${height}x${width}x${channels}`,
    expected: `${model.channels}`,
    hint: isFirst
      ? 'do channels come first? np.save(p, np.moveaxis(np.load(p), -3, -1)) puts them last'
      : 'the last axis counts them, and without one there is one channel',
  });
}

type Numbers = Pick<ArrayPreparation, 'from' | 'scale' | 'mean' | 'std'>;

function numbersFor(job: Wish, base: ModelFolder, folder: Folder, arrays: ArrayFacts, warn: ((s: string) => void) | undefined): Numbers {
  const { normalize = 'measured' } = job;
  if (normalize === 'measured') return measured(job, folder, arrays, warn);
  if (normalize === 'model') {
    if (arrays.element !== 'u8')
      throw new InputError({
        where: '--normalize',
        what: 'the model folder says how bytes are normalised, and these arrays are no bytes',
        got: 'float32',
        expected: 'uint8',
        hint: 'measured, or numbers',
      });
    const { scale, mean, std } = preprocessOf(base);
    return { from: 'model', scale, mean, std };
  }
  return { from: 'given', scale: 1, mean: list('mean', normalize.mean, arrays.channels), std: list('std', normalize.std, arrays.channels) };
}

function list(key: string, value: number | readonly number[], channels: number): readonly number[] {
  if (typeof value === 'number' || value.length === 1) return Array<number>(channels).fill(typeof value === 'number' ? value : value[0]!);
  if (value.length === channels) return value;
  throw new InputError({ where: '--normalize', what: `wrong number of values of ${key}`, got: value.length, expected: `1 or ${channels}` });
}

/** Over the examples to learn from, in the order of the listing: what is held out is not looked at. */
function measured(
  { data, seed = DEFAULTS.seed, holdOut = DEFAULTS.holdOut }: Wish,
  folder: Folder,
  arrays: ArrayFacts,
  warn: ((s: string) => void) | undefined,
): Numbers {
  const learns = folder.val
    ? folder.train
    : splitSamples(
        folder.train.map(({ label }) => label),
        holdOut,
        seed,
      ).train.map((i) => folder.train[i]!);
  const sums = channelSums(arrays.channels);
  const reader = arrayReader();
  try {
    for (const { path } of learns) {
      const { bytes } = reader.read(join(data, path), arrays);
      sums.add(arrays.element === 'u8' ? bytes : new Float32Array(bytes.buffer));
    }
  } finally {
    reader.close();
  }
  const { mean, std, constant } = sums.result();
  const some = (values: readonly number[]): string =>
    `${values.slice(0, 4).join(' ')}${values.length > 4 ? ` and ${values.length - 4} more` : ''}`;
  warn?.(
    `${data}: arrays are normalised by what ${counted(learns.length, 'array')} to learn from have: mean ${some(mean)}, deviation ${some(std)}` +
      (constant.length === 0 ? '' : `; channel ${constant.slice(0, 4).join(', ')} never changes`),
  );
  return { from: 'measured', scale: 1, mean, std };
}
