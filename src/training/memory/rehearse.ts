/** Remembered pictures among those of a run: an earlier adapter's classes are learnt again with the new ones, and judged with them. */
import { digest } from '../../base/digest.ts';
import { InputError } from '../../base/error.ts';
import type { Memory, Remembered } from '../../formats/memoryfile.ts';
import { type Preparation, portOf } from '../../input/index.ts';
import { decodeSmall } from '../../pictures/coded.ts';
import type { Samples } from '../train.ts';

/** How often a remembered picture may come in an epoch, where its class has fewer than the new ones. */
const MOST_TIMES = 4;

export interface Data {
  train: Samples;
  val: Samples;
}

/** Refuses a memory of pictures that this network does not take. */
export function checkMemory({ shape }: Memory, preprocess: Preparation, where: string): void {
  const { height, width, channels, element } = portOf(preprocess);
  const wanted = [height, width, channels];
  if (element !== 'f32' && shape.every((n, i) => n === wanted[i])) return;
  throw new InputError({ where, what: 'remembers pictures of another shape', got: shape.join('x'), expected: wanted.join('x') });
}

/** Samples of remembered pictures, decoded as they are read. */
export const samplesOfMemory = (entries: readonly Remembered[], [height, width, channels]: Memory['shape']): Samples => ({
  count: entries.length,
  label: (i) => entries[i]!.label,
  readInto: (i, target) => target.set(decodeSmall(entries[i]!.code, { height, width, channels })),
});

/** The pictures of a run and the remembered ones: those to learn from as often as makes their classes about as large as the new ones are. */
export function rehearse(data: Data, memory: Memory): Data {
  const part = (isJudge: boolean): Remembered[] => memory.entries.filter((entry) => entry.isJudge === isJudge);
  const learn = part(false);
  const size = meanSize(data.train);
  const times = (label: number): number => {
    const count = learn.reduce((n, entry) => n + (entry.label === label ? 1 : 0), 0);
    return Math.max(1, Math.min(MOST_TIMES, Math.round(size / count)));
  };
  const often = new Map([...new Set(learn.map(({ label }) => label))].map((label) => [label, times(label)]));
  const repeated = learn.flatMap((entry) => new Array<Remembered>(often.get(entry.label)!).fill(entry));
  return {
    train: joined(data.train, samplesOfMemory(repeated, memory.shape)),
    val: joined(data.val, samplesOfMemory(part(true), memory.shape)),
  };
}

/** Pictures of a class, on average over those that there are. */
export function meanSize(samples: Samples): number {
  const classes = new Set<number>();
  for (let i = 0; i < samples.count; i++) classes.add(samples.label(i));
  return samples.count / Math.max(1, classes.size);
}

/** One list after the other. */
export const joined = (first: Samples, second: Samples): Samples => ({
  count: first.count + second.count,
  label: (i) => (i < first.count ? first.label(i) : second.label(i - first.count)),
  readInto: (i, target) => (i < first.count ? first.readInto(i, target) : second.readInto(i - first.count, target)),
});

/** Of all remembered pictures: what a checkpoint's data belong to beside the folder's. */
export const memoryDigest = ({ entries }: Memory): string =>
  digest(...entries.flatMap(({ label, isJudge, code }) => [`${label} ${isJudge}`, code]));

/** Classes that no picture judges. */
export function unjudgedOf(labels: readonly string[], judges: Samples): string[] {
  const seen = new Set<number>();
  for (let i = 0; i < judges.count; i++) seen.add(judges.label(i));
  return labels.filter((_, row) => !seen.has(row));
}
