/** What goes with an adapter in its folder: what unknown pictures are told by, and pictures that are remembered. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseBytes } from '../base/bytes.ts';
import { InputError } from '../base/error.ts';
import type { Engine } from '../engine/engine.ts';
import { adapterDigest, readAdapter } from '../formats/adapterfile.ts';
import { KNOWN, type Known, writeKnown } from '../formats/knownfile.ts';
import { MEMORY, type Memory, writeMemory } from '../formats/memoryfile.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import { type Preparation, portOf } from '../input/index.ts';
import type { Start } from './fromadapter.ts';
import type { JobResult, TrainJob } from './jobtypes.ts';
import { extendKnown, learnKnown } from './known/learn.ts';
import type { Continuing } from './memory/continuing.ts';
import { type Data, unjudgedOf } from './memory/rehearse.ts';
import { leastBytes, remember } from './memory/remember.ts';
import { unusualTask } from './taskchoice.ts';

/** What has been found out for them. */
export interface Companions {
  known: Known | { why: string };
  memory: Memory | undefined;
}

interface Source {
  job: TrainJob;
  start: Start | undefined;
  continuing: Continuing;
  task: TaskSettings;
  preprocess: Preparation;
  runFolder: string;
  /** The pictures of the folder alone. */
  own: Data;
  drawn: readonly number[];
}

/** Most bytes that the adapter is to remember pictures in: as asked, else as the adapter that it goes on from does; 0: none. InputError for what cannot be remembered. */
export function memoryBudget({ job, start, task, preprocess, own }: Pick<Source, 'job' | 'start' | 'task' | 'preprocess' | 'own'>): number {
  const { memory: asked } = job;
  if (asked === 0 || asked === '0') return 0;
  const budget = asked === undefined ? (start?.memory?.budget ?? 0) : parseBytes(asked, '--memory');
  if (budget === 0) return 0;
  const refuse = (what: string): never => {
    throw new InputError({ where: '--memory', what }, 'S2A_OPTION');
  };
  if (unusualTask(task)) refuse('remembers pictures of classes alone, and the task is another');
  if (portOf(preprocess).element === 'f32') refuse('remembers pictures, and these are arrays of floats');
  const least = leastBytes(own.train, start?.memory?.entries ?? [], shapeOf(preprocess));
  if (least > budget)
    throw new InputError({
      where: '--memory',
      what: 'is too small for one picture of each class',
      got: `${budget} bytes`,
      expected: `${least} or more`,
    });
  return budget;
}

const shapeOf = (preprocess: Preparation): Memory['shape'] => {
  const { height, width, channels } = portOf(preprocess);
  return [height, width, channels];
};

/** Looks at the pictures once more, through the parameters that are kept. */
export async function companionsOf(engine: Engine, data: Data, source: Source): Promise<Companions> {
  const { start, continuing, task, preprocess, runFolder, own } = source;
  const path = join(runFolder, '.known.tmp');
  const earlier = continuing.isHeld && start && !('why' in start.known) ? start.known : undefined;
  const known = unusualTask(task)
    ? { why: 'the task has no classes' }
    : earlier
      ? await extendKnown(engine, data, { path, earlier })
      : await learnKnown(engine, data, path);
  const budget = memoryBudget(source);
  const before = start?.memory?.entries ?? [];
  const memory = budget === 0 ? undefined : await remember(engine, own, { budget, shape: shapeOf(preprocess), before, path });
  return { known, memory };
}

/** What a result says of rehearsing and remembering. */
export const rememberingOf = (
  { labels, own, drawn, data, continuing }: Pick<Source, 'own' | 'drawn' | 'continuing'> & { labels: readonly string[]; data: Data },
  memory: Memory | undefined,
  bytes: number,
): Pick<JobResult, 'remembered' | 'rehearsed' | 'isHeld' | 'unjudged'> => ({
  remembered: memory ? { pictures: memory.entries.length, bytes } : null,
  rehearsed: { train: data.train.count - drawn.length, val: data.val.count - own.val.count },
  isHeld: continuing.isHeld,
  unjudged: unjudgedOf(labels, data.val),
});

/** Makes and writes them beside the adapter that is there now. What a full disk prevents is said; the adapter stays. */
export async function addCompanions(
  folder: string,
  engine: Engine,
  data: Data,
  source: Source,
): Promise<{ companions: Companions; memoryBytes: number; failures: string[] }> {
  try {
    const companions = await companionsOf(engine, data, source);
    return { companions, memoryBytes: keepCompanions(folder, companions), failures: [] };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    removeCompanions(folder);
    return { companions: { known: { why: error.message }, memory: undefined }, memoryBytes: 0, failures: [error.message] };
  }
}

/** What belongs to an earlier adapter does not stay. */
function removeCompanions(folder: string): void {
  for (const name of [KNOWN, MEMORY]) rmSync(join(folder, name), { force: true });
}

/** Writes them beside the adapter that is there now, for it alone; what there is none of does not stay from an earlier one. Returns the memory's bytes. */
export function keepCompanions(folder: string, { known, memory }: Companions): number {
  removeCompanions(folder);
  const adapter = readAdapter(folder);
  const belongs = adapterDigest(adapter);
  adapter.weights.close();
  if (!('why' in known)) writeKnown(folder, belongs, known);
  return memory === undefined ? 0 : writeMemory(folder, belongs, memory);
}
