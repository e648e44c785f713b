/** A run folder: checkpoints, the best parameters so far, and going on from them. */
import { join } from 'node:path';
import { State } from '../../assembly/abi/head.ts';
import { digest } from '../base/digest.ts';
import { InputError } from '../base/error.ts';
import { isFolder, removeLeftovers } from '../base/files.ts';
import type { Engine } from '../engine/engine.ts';
import { coreSections, type Program } from '../program/program.ts';
import { type Belongs, clearCheckpoints, readLatest, type Settings, writeCheckpoint } from './checkpointfile.ts';
import { History } from './history.ts';
import { parametersOf } from './runner.ts';
import type { Keeper, TrainOptions } from './train.ts';

export interface RunFolder extends Keeper {
  history: History;
  /** Step that the run goes on from; undefined for a fresh one. */
  resumedAt: number | undefined;
  /** Keeps the parameters before the first step, for the watch; the rest of the region is known without. */
  keepStart(): void;
}

export interface RunOptions {
  options: TrainOptions;
  /** Digest of the base weights and of the pictures with their split. */
  weights: string;
  data: string;
  /** The classes' names. */
  labels: readonly string[];
  /** Digest of the adapter that the run goes on from, where there is one. */
  from?: string;
  /** Where new rows of the head began, unless as is usual for the method. */
  head?: string | undefined;
  resume: boolean;
  /** Throws where the folder is no longer this run's: asked before anything is written there. */
  check(): void;
  warn(sentence: string): void;
}

/** What a run is started with, by name: whatever is not in the program's code and may differ between two runs. */
export function settingsOf(
  { about }: Program,
  { options, weights, labels, from, head }: Pick<RunOptions, 'options' | 'weights' | 'labels' | 'from' | 'head'>,
): Settings {
  const { image, weights: precision, classWeights, ...rest } = about;
  const short = (hash: string): string => hash.slice(0, 12);
  return {
    ...rest,
    image: image.join('x'),
    precision,
    ...options,
    ...(classWeights ? { classWeights: classWeights.map((w) => Number(w.toPrecision(6))).join(',') } : {}),
    weights: short(weights),
    labels: short(digest(JSON.stringify(labels))),
    ...(from ? { from: short(from) } : {}),
    ...(head ? { head } : {}),
  };
}

/** SHA-256 by which a checkpoint knows its program: the arena's size, then each section's id, length and bytes. */
export function programDigest(program: Program): string {
  const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
  const parts = coreSections(program).flatMap(([id, bytes]) => [words(id, bytes.length), bytes]);
  return digest(words(program.linearBytes), ...parts);
}

/** Opens the folder. Without `resume`, or where nothing is there to go on from, earlier checkpoints are removed and the run is fresh. */
export function openRun(folder: string, engine: Engine, { data, resume, check, warn, ...settings }: RunOptions): RunFolder {
  const [bestFolder, startFolder] = [join(folder, 'best'), join(folder, 'start')];
  const belongs: Belongs = { program: programDigest(engine.program), data, settings: settingsOf(engine.program, settings) };
  const parameters = parameterBytes(engine);
  const { state } = engine;
  let history = new History();
  let resumedAt: number | undefined;

  for (const each of [folder, bestFolder, startFolder]) if (isFolder(each)) removeLeftovers(each);
  const checkpoint = resume ? readLatest(folder, belongs, warn) : undefined;
  if (checkpoint) {
    checkpoint.read(engine.region);
    history = checkpoint.history;
    resumedAt = checkpoint.step;
    checkpoint.close();
  } else {
    for (const each of [folder, bestFolder, startFolder]) clearCheckpoints(each);
  }
  const position = () => ({
    step: state.getInt32(State.Step, true),
    epoch: state.getUint32(State.Epoch, true),
    position: state.getUint32(State.Position, true),
    ...belongs,
  });
  const write = (where: string, bytes: Uint8Array, memory = new History()): void => {
    check();
    writeCheckpoint(where, { ...position(), history: memory }, bytes);
  };
  return {
    history,
    resumedAt,
    save: () => write(folder, engine.region, history),
    keepBest: () => write(bestFolder, parameters),
    keepStart: () => write(startFolder, parameters),
    restore(epoch) {
      const where = epoch === 0 ? startFolder : bestFolder;
      const kept = readLatest(where, belongs, warn, epoch);
      if (kept?.epoch !== epoch)
        throw new InputError({
          where,
          what: epoch === 0 ? 'does not hold the start of the run' : 'does not hold the best epoch',
          got: kept?.epoch ?? 'nothing',
          expected: epoch,
          hint: 'it was changed while the run went on; start anew without --resume',
        });
      kept.read(parameters);
      kept.close();
    },
  };
}

/** The parameters' own part of the checkpoint region. */
function parameterBytes({ program, memory }: Engine): Uint8Array {
  const { offset, bytes } = parametersOf(program);
  return new Uint8Array(memory.buffer, offset, bytes);
}
