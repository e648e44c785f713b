/** Of which ends of a run a person is warned. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EpochRecord, CheckpointHead as Head } from '../../../assembly/abi/checkpoint.ts';
import { isFalling, textOf, Verdict, verdictOf } from '../../../assembly/runner/verdict.ts';
import { wordsOf } from '../../../src/base/words.ts';

interface Epoch {
  learnt?: boolean;
  count?: number;
  correct?: number;
  answers?: number;
  trainLoss?: number;
}

/** A head with these epochs. */
function head(best: number, epochs: readonly Epoch[], firstLoss = 1) {
  const view = new DataView(new ArrayBuffer(Head.Bytes + EpochRecord.Bytes * epochs.length));
  const words = wordsOf(() => view);
  words.setU32(Head.Epochs, epochs.length);
  words.setU32(Head.BestEpoch, best);
  words.setF32(Head.FirstLoss, firstLoss);
  for (const [i, { learnt = false, count = 10, correct = 0, answers = 2, trainLoss = 20 }] of epochs.entries()) {
    const at = Head.Bytes + i * EpochRecord.Bytes;
    words.setU32(at + EpochRecord.Flags, learnt ? 2 : 0);
    words.setU32(at + EpochRecord.ValCount, count);
    words.setU32(at + EpochRecord.ValCorrect, correct);
    words.setU32(at + EpochRecord.Answers, answers);
    words.setU32(at + EpochRecord.TrainCount, 10);
    words.setF64(at + EpochRecord.TrainLoss, trainLoss);
  }
  return words;
}

test('classes: more right than always saying the most frequent', () => {
  const of = (correct: number, answers = 2) => verdictOf(head(1, [{ correct, answers }]), 0, true, 5);
  assert.equal([of(6), of(5), of(0), of(5, 1)], [Verdict.Learnt, Verdict.MostFrequent, Verdict.MostFrequent, Verdict.OneClass]);
});

test('labels and numbers: any epoch that showed learning, the first and only one too', () => {
  const of = (best: number, ...learnt: boolean[]) =>
    verdictOf(
      head(
        best,
        learnt.map((l) => ({ learnt: l })),
      ),
      0,
      false,
      0,
    );
  assert.equal(
    [of(1, true, false), of(2, false, false, true), of(1, false, false), of(1, false)],
    [0, 0, Verdict.OneAnswer, Verdict.OneAnswer],
  );
});

test('where nothing was judged the last epoch speaks, and of one alone nobody can say', () => {
  const of = (...learnt: boolean[]) =>
    verdictOf(
      head(
        learnt.length,
        learnt.map((l) => ({ learnt: l, count: 0 })),
      ),
      0,
      true,
      0,
    );
  assert.equal([of(false), of(true, false), of(false, true)], [Verdict.Learnt, Verdict.OnlyLoss, Verdict.Learnt]);
});

test('a loss below that of the first step is falling; every verdict has its words', () => {
  assert.equal([isFalling(head(1, [{ trainLoss: 9 }]), 0), isFalling(head(1, [{ trainLoss: 11 }]), 0)], [true, false]);
  const texts = [Verdict.OneAnswer, Verdict.OnlyLoss, Verdict.MostFrequent, Verdict.OneClass].map(textOf);
  assert.is(new Set(texts).size, 4);
});

test.run();
