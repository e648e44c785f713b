/** One round's learning on a node: the global adapter, so many epochs over its own pictures, what came of it. */
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

interface Global {
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
 * The run of a round is kept in its folder: one that was killed goes on at its last checkpoint, one of another round is thrown away. `mark` names the
 * message, and with it the round.
 */
function beginRun(folder: string, mark: string): void {
  makeFolder(folder);
  const path = join(folder, MARK);
  if (fileExists(path) && readLimitedText(path, 1 << 12, 'a mark') === mark) return;
  for (const each of [folder, join(folder, 'best'), join(folder, 'start')]) clearCheckpoints(each);
  writeText(path, mark);
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
  const rows = rowsAmong(job.data, own.labels, global.info.labels);
  const isOwn = asks.classes === 'own';
  const info = isOwn ? { ...global.info, labels: own.labels } : global.info;
  const from = join(job.out, 'from');
  const before = isOwn ? withRows(global.tensors, global.info.head, rows) : global.tensors;
  writeTensorsTo(from, info, before);
  const isAlone = asks.local === 'probe' && own.method !== 'probe';
  const alone = isAlone ? headAlone(board, from, info, before) : undefined;
  beginRun(join(job.out, 'run'), asked.id);
  let prepared: Prepared | undefined;
  const how: TrainJob = {
    ...(alone?.job ?? { ...job, from }),
    resume: true,
    seed: asks.seed,
    epochs: asks.epochs,
    rate: asks.rate ?? '1x',
    patience: 0,
    retries: 0,
    ...(asks.prox === 0 ? {} : { prox: asks.prox }),
    ...(asks.batchSize === undefined ? {} : { batchSize: asks.batchSize }),
  };
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
  const tensors = alone ? alone.tensorsOf(learnt) : learnt;
  if (asks.clip > 0 || asks.noise > 0) {
    // Rates would tell of the pictures what neither clip nor noise hides.
    tensors.delete(RATES);
    makePrivate(tensors, before, asks, uniformOf(secret, asked.id));
  }
  return { info, tensors, count: prepared!.train.length, counts, ...lastOf(result) };
}

function lastOf({ epochs, memory }: JobResult): Pick<Learnt, 'loss' | 'accuracy' | 'linearBytes'> {
  const { train } = epochs.at(-1)!;
  return { loss: train.loss, accuracy: train.correct / train.count, linearBytes: memory.linearBytes };
}
