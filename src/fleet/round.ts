/** One round's learning on a node: the global adapter, so many epochs over its own pictures, what came of it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileExists, makeFolder, writeText } from '../base/files.ts';
import { readLimitedText } from '../base/reading.ts';
import type { Prepared } from '../data/prepare.ts';
import type { AdapterInfo } from '../formats/adapterfile.ts';
import { clearCheckpoints } from '../training/checkpointfile.ts';
import { trainJob } from '../training/job.ts';
import type { JobHooks, JobResult, TrainJob } from '../training/jobtypes.ts';
import { type Board, countsOf, rowsAmong } from './board.ts';
import type { Asks } from './contract.ts';
import { headAlone } from './headalone.ts';
import type { Metadata } from './message.ts';
import { makePrivate, uniformOf } from './privacy.ts';
import { RATES, readTensorsOf, type Tensors, withRows, writeTensorsTo } from './tensors.ts';

/** What a node learnt in a round. */
export interface Learnt {
  info: AdapterInfo;
  tensors: Tensors;
  /** Pictures learnt from: all, and by label of `info`. */
  count: number;
  counts: number[];
  loss: number;
  accuracy: number;
  linearBytes: number;
}

/** The fleet's adapter. */
export interface Global {
  info: AdapterInfo;
  tensors: Tensors;
}

/** Who learns: `secret` is for noise that nobody else can tell. */
interface Node {
  board: Board;
  secret: Uint8Array;
}

const MARK = 'round.txt';

/**
 * The run of a round is kept in `out`: one that was killed goes on at its last checkpoint, one of another round, which may have been of other labels, is
 * thrown away with its adapter. `mark` names the message, and with it the round.
 */
function beginRun(out: string, mark: string): void {
  const folder = join(out, 'run');
  makeFolder(folder);
  const path = join(folder, MARK);
  if (fileExists(path) && readLimitedText(path, 1 << 12, 'a mark') === mark) return;
  for (const each of [folder, join(folder, 'best'), join(folder, 'start')]) clearCheckpoints(each);
  for (const name of ['adapter_model.safetensors', 'adapter_config.json']) rmSync(join(out, name), { force: true });
  writeText(path, mark);
}

/** Where a round begins: the adapter, with the node's own rows where these alone are to learn; and the rows of the node's labels in it. */
export function beginningOf(
  { job, info: own }: Board,
  global: Global,
  { classes }: Asks,
): { info: AdapterInfo; before: Tensors; rows: number[] } {
  const rows = rowsAmong(job.data, own.labels, global.info.labels);
  if (classes === 'all') return { info: global.info, before: global.tensors, rows };
  return {
    info: { ...global.info, labels: own.labels },
    before: withRows(global.tensors, global.info.head, rows),
    rows: [...own.labels.keys()],
  };
}

/** A node's job as a round asks for it. */
export const jobOfRound = (job: TrainJob, { seed, epochs, rate, prox, batchSize }: Asks): TrainJob => ({
  ...job,
  seed,
  epochs,
  rate: rate ?? '1x',
  patience: 0,
  retries: 0,
  ...(prox === 0 ? {} : { prox }),
  ...(batchSize === undefined ? {} : { batchSize }),
});

/** What leaves the node of what it learnt: shortened and noisy where that is asked. `secret` and the message's name make the noise. */
export function leaving(learnt: Tensors, before: Tensors, asks: Asks, secret: Uint8Array, id: string): Tensors {
  if (asks.clip === 0 && asks.noise === 0) return learnt;
  // Rates would tell of the pictures what neither clip nor noise hides.
  const tensors = new Map([...learnt].filter(([name]) => name !== RATES));
  makePrivate(tensors, before, asks, uniformOf(secret, id));
  return tensors;
}

/** Learns a round from the global adapter; `asked` names the message and the fleet's run. */
export async function learnRound(
  { board, secret }: Node,
  global: Global,
  asks: Asks,
  asked: Pick<Metadata, 'id' | 'run'>,
  hooks: JobHooks,
): Promise<Learnt> {
  const { job, splitSeed, info: own } = board;
  const { info, before } = beginningOf(board, global, asks);
  const from = join(job.out, 'from');
  writeTensorsTo(from, info, before);
  const isAlone = asks.local === 'probe' && own.method !== 'probe';
  const alone = isAlone ? headAlone(board, from, info, before) : undefined;
  beginRun(job.out, asked.id);
  let prepared: Prepared | undefined;
  const how: TrainJob = { ...jobOfRound(alone?.job ?? { ...job, from }, asks), resume: true };
  let counts: number[] = [];
  const result = await trainJob(
    how,
    {
      ...hooks,
      onPrepared: (found) => {
        prepared = found;
        counts = countsOf(board, found, found.train, info.labels);
      },
    },
    { splitSeed, ...(asks.optimizer === 'kept' ? { keptBy: String(asked.run) } : {}) },
  );
  for (const failure of result.failures) hooks.warn?.(failure);
  const { tensors: learnt } = readTensorsOf(job.out);
  const tensors = leaving(alone ? alone.tensorsOf(learnt) : learnt, before, asks, secret, asked.id);
  return { info, tensors, count: prepared!.train.length, counts, ...lastOf(result) };
}

function lastOf({ epochs, memory }: JobResult): Pick<Learnt, 'loss' | 'accuracy' | 'linearBytes'> {
  const { train } = epochs.at(-1)!;
  return { loss: train.loss, accuracy: train.correct / train.count, linearBytes: memory.linearBytes };
}
