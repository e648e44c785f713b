/**
 * A round that learns the head alone while biases or the like stay as the fleet has them: they are merged into the base once, and the head learns over
 * that network as `probe` does, at its cost.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { digest } from '../base/digest.ts';
import { InputError } from '../base/error.ts';
import { fileExists, writeText } from '../base/files.ts';
import { readLimitedText } from '../base/reading.ts';
import type { AdapterInfo } from '../formats/adapterfile.ts';
import type { TrainJob } from '../training/jobtypes.ts';
import { mergeAdapter } from '../use/merge/merge.ts';
import { type Board, openBoard } from './board.ts';
import { NotDone } from './contract.ts';
import { RATES, type Tensors, writeTensorsTo } from './tensors.ts';

/** A run of the head, and how its head becomes the fleet's again. */
export interface HeadAlone {
  job: TrainJob;
  /** What was learnt, in the place of the fleet's rows. */
  tensorsOf(learnt: Tensors): Tensors;
}

const MARK = 'of.txt';

/** Which tensors are merged, as a text that tells them apart. */
const bodyOf = (info: AdapterInfo, tensors: Tensors): string => {
  const body = [...tensors].filter(([name]) => !info.head.includes(name) && name !== RATES);
  return digest(...body.flatMap(([name, { values }]) => [name, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]));
};

/** Sets a run of the head up, over the adapter that lies in `from`. NotDone where its method cannot be merged. */
export function headAlone({ job, splitSeed }: Board, from: string, info: AdapterInfo, tensors: Tensors): HeadAlone {
  const merged = join(job.out, 'merged');
  const body = `${info.base.digest} ${info.labels.length} ${bodyOf(info, tensors)}`;
  const mark = join(merged, MARK);
  if (!fileExists(mark) || readLimitedText(mark, 1 << 12, 'a mark') !== body) {
    rmSync(merged, { recursive: true, force: true });
    try {
      mergeAdapter({ model: job.model, adapter: from, out: merged });
    } catch (error) {
      if (error instanceof InputError && error.code !== 'S2A_DISK') throw new NotDone(error.parts);
      throw error;
    }
    writeText(mark, body);
  }
  const run: TrainJob = { ...job, model: merged, method: 'probe', imageSize: info.base.imageSize };
  const { info: own } = openBoard(run, splitSeed, () => {});
  // Of a bare backbone the merged folder may call its head otherwise; weight and bias are told apart by their axes.
  const placeOf = (name: string, names: readonly string[], axes: (one: string) => number): string =>
    names.find((one) => axes(one) === axes(name))!;
  const axes = (name: string): number => (name.endsWith('.bias') ? 1 : 2);
  const head: Tensors = new Map(own.head.map((name) => [name, tensors.get(placeOf(name, info.head, axes))!]));
  const start = join(job.out, 'head');
  writeTensorsTo(start, { ...own, labels: info.labels }, head);
  return {
    job: { ...run, from: start },
    tensorsOf: (learnt) =>
      new Map([...tensors].map(([name, one]) => [name, info.head.includes(name) ? learnt.get(placeOf(name, own.head, axes))! : one])),
  };
}
