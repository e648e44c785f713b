/** What a run has to remember beside the engine's region, as a checkpoint holds it: head and one record for each epoch (assembly/runner/run.ts). */
import { EpochRecord, CheckpointHead as Head } from '../../assembly/abi/checkpoint.ts';
import type { Words } from '../../assembly/formats/words.ts';
import { wordsOf } from '../base/words.ts';
import type { CountedEpoch, Judged, Tally } from './figures.ts';

/** Whole numbers of a record. */
const JUDGED = [
  [EpochRecord.Answers, 'answers'],
  [EpochRecord.Worst, 'worst'],
  [EpochRecord.WorstCorrect, 'worstCorrect'],
  [EpochRecord.WorstCount, 'worstCount'],
] as const;

export class History {
  #view: DataView;
  /** Its bytes to read and to write, as many as are asked for. */
  readonly words: Words;

  /** `bytes`: of a checkpoint, its head and records, which become its own. */
  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array(Head.Bytes)) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.words = wordsOf((end) => this.#upTo(end));
  }

  /** The view, made longer where it ends before that. */
  #upTo(end: number): DataView {
    if (end <= this.#view.byteLength) return this.#view;
    const longer = new Uint8Array(2 * end);
    longer.set(new Uint8Array(this.#view.buffer, this.#view.byteOffset, this.#view.byteLength));
    this.#view = new DataView(longer.buffer);
    return this.#view;
  }

  /** Head and records of the epochs that have ended. */
  get bytes(): Uint8Array {
    const length = Head.Bytes + this.#word(Head.Epochs) * EpochRecord.Bytes;
    return new Uint8Array(this.#upTo(length).buffer, this.#view.byteOffset, length);
  }

  #word(at: number): number {
    return this.words.u32(at);
  }
  #tally(at: number): Tally {
    return { lossSum: this.words.f64(at), correct: this.#word(at + 8), count: this.#word(at + 12) };
  }

  /** Of the epoch that is under way. */
  get epochTally(): Tally {
    return this.#tally(Head.Loss);
  }
  /** The best epoch so far; the last one where there is nothing to judge by. */
  get bestEpoch(): number {
    return this.#word(Head.BestEpoch);
  }
  /** How often the run has gone back. */
  get backs(): number {
    return this.#word(Head.Backs);
  }
  /** Mean loss of the run's first step, as f32. */
  get firstLoss(): number {
    return this.words.f32(Head.FirstLoss);
  }
  /** The epochs that have ended. */
  get epochs(): CountedEpoch[] {
    return Array.from({ length: this.#word(Head.Epochs) }, (_, i) => this.epoch(i));
  }
  /** The record of one, 0 is the first; of the one that has just been judged too, where it does not stand. */
  epoch(i: number): CountedEpoch {
    const at = Head.Bytes + i * EpochRecord.Bytes;
    const flags = this.#word(at + EpochRecord.Flags);
    const [train, val] = [this.#tally(at + EpochRecord.TrainLoss), this.#tally(at + EpochRecord.ValLoss)];
    const whole = Object.fromEntries(JUDGED.map(([field, key]) => [key, this.#word(at + field)]));
    const judged = { ...whole, balanced: this.words.f64(at + EpochRecord.Balanced) } as Judged;
    return { epoch: i + 1, train, val, judged, learnt: (flags & 2) !== 0, best: (flags & 1) !== 0 };
  }
}
