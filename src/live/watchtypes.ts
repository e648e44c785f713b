/** What a watch takes, tells and can be asked. */
import type { TrainJob } from '../training/jobtypes.ts';
import type { RunRound } from './round.ts';
import type { Clock, Triggers } from './schedule.ts';
import type { Kept } from './state.ts';

/** A folder of pictures that is learnt from as it grows (docs/serve.md), and how: options of `TrainJob` hold for every run. */
export interface WatchJob
  extends Omit<TrainJob, 'resume' | 'overwrite' | 'task' | 'threshold' | 'loss' | 'normalize' | 'cacheFolder' | 'calibrate'> {
  /** A run once there are so many new pictures; 20 where neither `every` nor `at` is given. */
  after?: number;
  /** A run so long after the last one, where there are new pictures: '15m', '6h', '1d'. */
  every?: string;
  /** Runs at these times of day, by the machine's zone: '03:00' or '03:00,15:30'. */
  at?: string;
  /** How many adapters are kept, with the one in use; 3 where absent. */
  keepLast?: number;
  /** The share of held-out pictures that may be lost, in sum over runs; 2 %, and one picture at least, where absent. */
  tolerance?: number;
  /** How often the folder is looked at: '5s' where absent. */
  look?: string;
  /** Something has happened: a line of the log. */
  onEvent?(event: WatchEvent): void;
}

/** How a folder is watched. */
export interface WatchOptions {
  /** Model, pictures and how is learnt; `from`: the adapter that the first round goes on from. */
  job: Omit<TrainJob, 'out' | 'resume' | 'overwrite' | 'holdOut'>;
  /** The watch's own folder: adapters, log, state. */
  out: string;
  triggers: Triggers;
  /** Accepted adapters that are kept, with the one in use. */
  keep: number;
  /** Share of the pictures of each class that judge. */
  holdOut: number;
  /** The share of held-out pictures that may be lost, in sum over rounds; absent: 2 %, and one picture at least. */
  tolerance?: number | undefined;
  /** How a round is run; in this thread where absent. */
  runRound?: RunRound;
  clock?: Clock;
  /** A round that met a full disk is tried again after so many milliseconds. */
  retryMs?: number;
  onEvent?(event: WatchEvent): void;
}

/** What happened, as a line of the log has it. */
export interface WatchEvent {
  /** By the machine's clock, ISO 8601. */
  at: string;
  /** What sort of thing. */
  event: 'began' | 'accepted' | 'refused' | 'waits' | 'rolled back' | 'note';
  /** The round's number; absent where it is of none. */
  round?: number;
  /** What and why, in a sentence. */
  why: string;
  /** What was counted. */
  counts?: object;
}

/** How a watch stands. */
export interface WatchStatus {
  /** The number of the adapter in use; null before the first. */
  adapter: number | null;
  kept: readonly Kept[];
  /** New pictures that no round has had. */
  fresh: number;
  /** Pictures that were learnt from, judge, and are set aside. */
  pictures: { learn: number; held: number; aside: number };
  /** The round that is going on. */
  round: { number: number; cause: string; step: number; steps: number } | null;
  /** What keeps it from going on, in a sentence. */
  problem: string | null;
  /** Rounds since the program began. */
  rounds: { accepted: number; refused: number };
  /** The last thing that happened. */
  last: WatchEvent | null;
}

export interface Watch {
  /** The folder of the adapter in use; undefined before the first one. */
  current(): string | undefined;
  status(): WatchStatus;
  /** Looks at the folder once; where a round is due, or was broken off, carries it out. Throws what cannot get better by itself, and Interrupted. */
  look(signal?: AbortSignal): Promise<void>;
  /** A round with whatever is new, at the next look. */
  ask(): void;
  /** The adapter before the one in use is in use again, at the next look or when the round that is going on has ended; a round from it is given up. */
  askBack(): void;
  /** Lets go of the folder. */
  close(): void;
}
