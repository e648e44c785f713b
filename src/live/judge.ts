/** Two adapters of one base on the same pictures: what the gate decides by. Neither has learnt from any of them. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { defined } from '../base/defined.ts';
import { writeText } from '../base/files.ts';
import { type Prepared, prepare } from '../data/prepare.ts';
import { readAdapter } from '../formats/adapterfile.ts';
import { csvField } from '../formats/csv.ts';
import { type Memory, readMemory } from '../formats/memoryfile.ts';
import { rowsOfLabels } from '../training/fromadapter.ts';
import type { TrainJob } from '../training/jobtypes.ts';
import { samplesOfMemory } from '../training/memory/rehearse.ts';
import { samplesOf } from '../training/samples.ts';
import { decoderBytesOf } from '../training/share.ts';
import { evaluate, type Samples } from '../training/train.ts';
import { openInference } from '../use/classifier.ts';
import type { Count, Counts } from './gate.ts';

/** A file below the folder of pictures, and its class. */
export interface Labelled {
  path: string;
  label: string;
}

export interface Judging {
  job: TrainJob;
  /** The adapter in use, and the new one. */
  before: string;
  after: string;
  /** Held out of earlier rounds, and of this one. */
  held: readonly Labelled[];
  fresh: readonly Labelled[];
  /** For prepared pictures; gone at the end. */
  folder: string;
  signal?: AbortSignal | undefined;
}

/** A table of labels: what `--labels` names. */
export function writeTable(path: string, rows: readonly (Labelled & { split: 'train' | 'val' })[]): void {
  const lines = rows.map(({ path: file, label, split }) => [file, label, split].map(csvField).join(','));
  writeText(path, `${['file,label,split', ...lines].join('\n')}\n`);
}

/** Counts what each is right on. */
export async function judge(judging: Judging): Promise<Counts> {
  const { before, after, folder, held, fresh } = judging;
  const memory = memoryOf(before);
  mkdirSync(folder, { recursive: true });
  const prepared = held.length + fresh.length > 0 ? await preparedOf(judging) : undefined;
  try {
    const old = await rightOf(judging, before, prepared, memory);
    const now = await rightOf(judging, after, prepared, memory);
    const pair = (name: 'held' | 'fresh' | 'remembered'): Count => ({
      count: now[name].count,
      before: old[name].right,
      after: now[name].right,
    });
    return { held: pair('held'), remembered: pair('remembered'), fresh: pair('fresh') };
  } finally {
    prepared?.cache.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What an adapter remembers, with its labels. */
function memoryOf(path: string): { memory: Memory; labels: readonly string[] } | undefined {
  const adapter = readAdapter(path);
  try {
    const memory = readMemory(adapter);
    return memory && { memory, labels: adapter.labels };
  } finally {
    adapter.weights.close();
  }
}

function preparedOf({ job, before, held, fresh, folder, signal }: Judging): Promise<Prepared> {
  const table = join(folder, 'labels.csv');
  writeTable(
    table,
    [...held, ...fresh].map((one) => ({ ...one, split: 'val' as const })),
  );
  const adapter = readAdapter(before);
  adapter.weights.close();
  return prepare({
    root: job.data,
    labels: table,
    preprocess: adapter.preprocessing as unknown as Parameters<typeof prepare>[0]['preprocess'],
    cacheFolder: folder,
    seed: 0,
    isJudged: true,
    decoderBytes: decoderBytesOf(job),
    ...defined({ signal }),
  });
}

type Right = Record<'held' | 'fresh' | 'remembered', { count: number; right: number }>;

/** What one of them is right on. */
async function rightOf(
  { job, held, signal }: Judging,
  path: string,
  prepared: Prepared | undefined,
  memory: ReturnType<typeof memoryOf>,
): Promise<Right> {
  const { model, budget, threads = 'auto', weights, stored } = job;
  const isStreamed = weights?.endsWith('stream') || job.resident !== undefined;
  const { engine, adapter } = openInference(path, {
    model,
    microBatch: 8,
    threads,
    unknown: 0,
    ...defined({ budget, stored: isStreamed ? stored : undefined }),
    ...(isStreamed ? { weights: 'stream' as const } : {}),
  });
  try {
    const rows = rowsOfLabels(adapter.labels, prepared?.classes ?? []);
    const paths = new Set(held.map(({ path: file }) => file));
    const of = (isHeld: boolean): Samples => {
      if (!prepared) return NONE;
      const indices = prepared.val.filter((i) => paths.has(prepared.cache.pictures[i]!.path) === isHeld);
      return samplesOf(prepared.cache, indices, rows, adapter.labels.length);
    };
    const judges = memory
      ? samplesOfMemory(
          memory.memory.entries.filter(({ isJudge }) => isJudge),
          memory.memory.shape,
        )
      : NONE;
    const remembered: Samples = { ...judges, label: (i) => rowsOfLabels(adapter.labels, [memory!.labels[judges.label(i)]!])[0]! };
    const count = async (samples: Samples): Promise<{ count: number; right: number }> => {
      signal?.throwIfAborted();
      // A class that an adapter lacks has no row: it is wrong on all of it, and is not asked.
      const known = Array.from({ length: samples.count }, (_x, i) => i).filter((i) => samples.label(i) >= 0);
      if (known.length === 0) return { count: samples.count, right: 0 };
      const { correct } = await evaluate(engine, {
        count: known.length,
        label: (i) => samples.label(known[i]!),
        readInto: (i, target) => samples.readInto(known[i]!, target),
      });
      return { count: samples.count, right: correct };
    };
    return { held: await count(of(true)), fresh: await count(of(false)), remembered: await count(remembered) };
  } finally {
    await engine.close();
  }
}

const NONE: Samples = { count: 0, label: () => -1, readInto: () => {} };
