/** What the end of a run says of its learning: whether a person has to be warned, and of what. */
import { CheckpointHead as Head, EpochRecord } from '../abi/checkpoint.ts';
import { Words } from '../formats/words.ts';

export const enum Verdict {
  /** Nothing to warn of. */
  Learnt = 0,
  /** Answers that are no class, and no epoch showed learning. */
  OneAnswer,
  /** Nothing was judged, and the last epoch of several showed no learning. */
  OnlyLoss,
  /** As many were right as are of the most frequent class, or fewer; and one class was the answer for all. */
  MostFrequent,
  OneClass,
}

/** Of the run whose head and records stand at `head` (abi/checkpoint.ts); `most`: judged pictures of the most frequent class. */
export function verdictOf(own: Words, head: number, isClass: boolean, most: number): Verdict {
  const epochs = own.u32(head + Head.Epochs);
  const best = recordOf(head, own.u32(head + Head.BestEpoch));
  if (own.u32(best + EpochRecord.ValCount) === 0)
    return epochs === 1 || hasLearnt(own, recordOf(head, epochs)) ? Verdict.Learnt : Verdict.OnlyLoss;
  if (!isClass) {
    for (let epoch: number = 1; epoch <= epochs; epoch++) if (hasLearnt(own, recordOf(head, epoch))) return Verdict.Learnt;
    return Verdict.OneAnswer;
  }
  if (own.u32(best + EpochRecord.ValCorrect) > most) return Verdict.Learnt;
  return own.u32(best + EpochRecord.Answers) === 1 ? Verdict.OneClass : Verdict.MostFrequent;
}

/** The verdict as the beginning of a sentence, which the most frequent class ends where it speaks of it. */
export function textOf(verdict: Verdict): string {
  if (verdict === Verdict.OneAnswer) return 'no better than one answer for every picture';
  if (verdict === Verdict.OnlyLoss) return 'the training loss is hardly better than that of one answer for every picture';
  return verdict === Verdict.OneClass
    ? 'the same answer for every picture: no better than always saying '
    : 'no better than always saying ';
}

/** Whether the training loss has fallen below that of the first step: then the step has not destroyed it. */
export function isFalling(own: Words, head: number): boolean {
  const last = recordOf(head, own.u32(head + Head.Epochs));
  return own.f64(last + EpochRecord.TrainLoss) < own.f32(head + Head.FirstLoss) * own.u32(last + EpochRecord.TrainCount);
}

/** Address of an epoch's record, 1 is the first. */
function recordOf(head: number, epoch: number): number {
  return head + Head.Bytes + (epoch - 1) * EpochRecord.Bytes;
}
function hasLearnt(own: Words, record: number): boolean {
  return own.u32(record + EpochRecord.Flags) >= 2;
}
