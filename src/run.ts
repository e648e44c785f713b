/** A run folder: checkpoints, the best parameters so far, and going on from them. */
import { join } from 'node:path';
import { State } from '../assembly/abi/head.ts';
import { clearCheckpoints, openCheckpoint, readLatest, writeCheckpoint } from './checkpointfile.ts';
import { digest } from './digest.ts';
import type { Engine } from './engine.ts';
import { fileExists, removeLeftovers } from './files.ts';
import { numel } from './graph.ts';
import { encodeProgram } from './program/program.ts';
import { freshHostState, type HostState, type TrainOptions } from './train.ts';

export interface Run {
  host: HostState;
  /** Step that the run goes on from; undefined for a fresh one. */
  resumedAt: number | undefined;
  save(): void;
  keepBest(): void;
  /** Puts the best parameters back into the arena. */
  restoreBest(): void;
}

export interface RunOptions {
  options: TrainOptions;
  /** Digest of the base weights and of the pictures with their split. */
  weights: string;
  data: string;
  resume: boolean;
  warn(sentence: string): void;
}

/** Opens the folder. Without `resume`, or where nothing is there to go on from, earlier checkpoints are removed and the run is fresh. */
export function openRun(folder: string, engine: Engine, { options, weights, data, resume, warn }: RunOptions): Run {
  const bestFolder = join(folder, 'best');
  const program = digest(encodeProgram(engine.program), JSON.stringify(options), weights);
  const parameters = parameterBytes(engine);
  const { state } = engine;
  let host = freshHostState();
  let resumedAt: number | undefined;

  removeLeftovers(folder);
  const checkpoint = resume ? readLatest(folder, { program, data }, warn) : undefined;
  if (checkpoint) {
    checkpoint.read(0, engine.region);
    host = checkpoint.host as unknown as HostState;
    resumedAt = checkpoint.step;
    checkpoint.close();
  } else {
    clearCheckpoints(folder);
    clearCheckpoints(bestFolder);
  }
  const position = () => ({
    step: state.getInt32(State.Step, true),
    epoch: state.getUint32(State.Epoch, true),
    position: state.getUint32(State.Position, true),
    program,
    data,
  });
  let bestPath = '';
  return {
    get host() {
      return host;
    },
    resumedAt,
    save: () => void writeCheckpoint(folder, { ...position(), host: host as unknown as Record<string, unknown> }, [engine.region]),
    keepBest() {
      bestPath = writeCheckpoint(bestFolder, { ...position(), host: {} }, [parameters]);
    },
    restoreBest() {
      const best = bestPath !== '' && fileExists(bestPath) ? openCheckpoint(bestPath) : readLatest(bestFolder, { program, data }, warn);
      best?.read(0, parameters);
      best?.close();
    },
  };
}

/** The parameters' own part of the checkpoint region: they lie one after the other. */
function parameterBytes(engine: Engine): Uint8Array {
  const { parameters } = engine.program;
  const ends = parameters.map((p) => p.offset + 4 * numel(p.dims));
  const from = Math.min(...parameters.map((p) => p.offset));
  return new Uint8Array(engine.memory.buffer, from, Math.max(...ends) - from);
}
