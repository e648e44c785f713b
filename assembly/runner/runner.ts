/**
 * The training loop, once: order of pictures and passes, accumulation, tally, best epoch, patience, checkpoints, the way back. It does no I/O: `next`
 * says what is wanted (`Want`), the host does it and calls again. Where the host stops calling, the region and the run's head are whole at every Learn
 * and Judge, so a checkpoint there goes on exactly.
 *
 *     begin ─► Learn … ─► Update ─► Step ─► (Save) ─┐   Judge … ─► (KeepBest) ─► Epoch ─► (Save) ─► begin
 *                ▲                                  │     ▲                          └─► Restore ─► Save ─► Back ─► begin
 *                └────────── more pictures ─────────┴─────┘ the epoch's pictures are through
 */
import { CheckpointHead as Head, EpochRecord } from '../abi/checkpoint.ts';
import { State } from '../abi/head.ts';
import { Rates } from '../abi/rates.ts';
import { Better } from '../abi/task.ts';
import { Astray } from '../abi/watch.ts';
import { clearAnswers, countAnswers, putAnswers } from './answers.ts';
import { addHeadWord, clearTally, headWord, recordAt, Run, Stage, setHeadWord, setStateWord, stateWord, takeTally, Want } from './run.ts';
import { beginWatch, hasLearnt, isSound, look, rewind, wayBack } from './watch.ts';

/** Begins to train from wherever the state block and the run's head say it stands. The labels of both parts are counted. */
export function beginRun(run: Run): void {
  beginWatch(run);
  run.isJudging = false;
  run.stage = Stage.Begin;
}
/** Begins to judge the pictures of a part, and nothing else. */
export function beginJudging(run: Run): void {
  run.isJudging = true;
  run.stage = Stage.Begin;
}
/** Begins to measure what relative rates are set from. */
export function beginMeasuring(run: Run): void {
  setStateWord(run, State.Measured, Math.ceil(Rates.MeasuredPictures / run.microBatch));
  run.rows = run.microBatch;
  run.first = -run.rows;
  run.stage = Stage.Measured;
}

/** A pass met numbers that are not finite: false where the run may not go back, so that the host ends it. */
export function fail(run: Run): boolean {
  run.stage = Stage.Failed;
  return mayGoBack(run);
}
/** The host stops here. What was counted of an epoch that was not judged to its end is counted anew. */
export function interrupt(run: Run): void {
  if (run.stage === Stage.Judged) clearTally(run);
}

/** What comes next; what was wanted before is done. */
export function next(run: Run): Want {
  if (run.stage === Stage.Learnt) return learnt(run);
  if (run.stage === Stage.Weighed) return weighed(run);
  if (run.stage === Stage.Updated) return stepped(run);
  if (run.stage === Stage.Stepped) return afterStep(run);
  if (run.stage === Stage.Judged) {
    countAnswers(run);
    return judge(run, run.first + run.rows);
  }
  if (run.stage === Stage.Kept) return want(run, Stage.Told, Want.Epoch);
  if (run.stage === Stage.Told && run.reason !== Astray.No) return goBack(run, run.reason);
  if (run.stage === Stage.Told && isDue(run)) return want(run, Stage.Begin, Want.Save);
  if (run.stage === Stage.Failed) return goBack(run, Astray.NotFinite);
  if (run.stage === Stage.Restored) return wentBack(run);
  if (run.stage === Stage.SavedBack) return want(run, Stage.Begin, Want.Back);
  if (run.stage === Stage.Measured) return measure(run);
  if (run.stage === Stage.RatesSet) return ratesSet(run);
  return run.stage === Stage.Over ? Want.Done : begin(run);
}

function want(run: Run, stage: Stage, what: Want): Want {
  run.stage = stage;
  return what;
}

export function mayGoBack(run: Run): boolean {
  return headWord(run, Head.Backs) < run.retries;
}
function isDue(run: Run): boolean {
  return run.saveEvery > 0 && stateWord(run, State.Step) % run.saveEvery === 0;
}

/** An epoch, unless all are done or so many went by without a better one. */
function begin(run: Run): Want {
  if (run.isJudging) return judge(run, 0);
  run.epoch = stateWord(run, State.Epoch);
  run.reason = Astray.No;
  run.isWeighed = false;
  run.sum = 0;
  const isTired = run.patience > 0 && run.epoch - headWord(run, Head.BestEpoch) >= run.patience;
  if (run.epoch >= run.epochs || isTired) return want(run, Stage.Over, Want.Done);
  return learn(run);
}

/** The next pass of the epoch; after its last one judging begins. */
function learn(run: Run): Want {
  const position = stateWord(run, State.Position);
  if (position >= run.train) return judge(run, 0);
  const start = batchStart(run, position);
  const end = batchEnd(run, position);
  if (run.weightsAt !== 0 && !run.isWeighed) return weigh(run, start, end);
  run.arena.setF32(run.stateAt + State.LossScale, 1 / (run.weightsAt === 0 ? end - start : run.weight));
  run.first = position;
  run.rows = Math.min(run.microBatch, end - position);
  run.partner = partnerOf(run, position - start, start, end);
  return want(run, Stage.Learnt, Want.Learn);
}
function batchStart(run: Run, position: number): number {
  return position - (position % run.batchSize);
}
function batchEnd(run: Run, position: number): number {
  return Math.min(run.train, batchStart(run, position) + run.batchSize);
}

/** Pictures of a batch are paired by place, 2k and 2k+1: which one is missing where a pass begins at place `from` of it and has an odd number. */
function partnerOf(run: Run, from: number, start: number, end: number): number {
  if (run.microBatch % 2 === 0) return -1;
  if (from % 2 === 1) return start + from - 1;
  const behind = start + from + run.microBatch;
  return behind < end ? behind : -1;
}

/**
 * The mean over a batch is divided by the weights of all its labels, however many passes it takes: so they are summed before the first, from place `from` on.
 * Of pictures that are mixed too: what a label gives its pair's loss and what it lacks in its own add up to 1.
 */
function weigh(run: Run, from: number, end: number): Want {
  run.first = from;
  run.rows = Math.min(run.microBatch, end - from);
  return want(run, Stage.Weighed, Want.Weigh);
}
function weighed(run: Run): Want {
  for (let row: number = 0; row < run.rows; row++) run.sum += run.arena.f32(run.weightsAt + 4 * run.arena.u32(run.labelsAt + 4 * row));
  const end = batchEnd(run, run.first);
  if (run.first + run.rows < end) return weigh(run, run.first + run.rows, end);
  run.weight = run.sum;
  run.isWeighed = true;
  run.sum = 0;
  return learn(run);
}

function learnt(run: Run): Want {
  const position = run.first + run.rows;
  setStateWord(run, State.Position, position);
  return position === run.train || position % run.batchSize === 0 ? want(run, Stage.Updated, Want.Update) : learn(run);
}

/** A step's sums go to the epoch's. */
function stepped(run: Run): Want {
  takeTally(run);
  // The weighted mean, as many times as there are pictures: so an epoch's mean is that of its batches.
  if (run.weightsAt !== 0) run.loss *= run.count / run.weight;
  run.isWeighed = false;
  const loss = run.headAt + Head.Loss;
  run.own.setF64(loss, run.own.f64(loss) + run.loss);
  addHeadWord(run, Head.Correct, run.correct);
  addHeadWord(run, Head.Count, run.count);
  if (stateWord(run, State.Step) === 1) run.own.setF32(run.headAt + Head.FirstLoss, run.loss / run.count);
  return want(run, Stage.Stepped, Want.Step);
}

function afterStep(run: Run): Want {
  run.stage = Stage.Begin;
  return stateWord(run, State.Position) < run.train && isDue(run) ? Want.Save : learn(run);
}

/** The next pass of judging, from picture `from` on. */
function judge(run: Run, from: number): Want {
  if (from === 0) {
    clearTally(run);
    clearAnswers(run);
  }
  if (from >= run.val) return judged(run);
  run.first = from;
  run.rows = Math.min(run.microBatch, run.val - from);
  return want(run, Stage.Judged, Want.Judge);
}

function judged(run: Run): Want {
  takeTally(run);
  if (run.isJudging) return want(run, Stage.Over, Want.Done);
  // Where nothing is judged, nobody has yet seen what the last step made.
  if (run.count === 0 && !isSound(run)) return mayGoBack(run) ? goBack(run, Astray.NotFinite) : Want.Unsound;
  putRecord(run);
  if (mayGoBack(run)) run.reason = look(run);
  if (run.reason !== Astray.No) return want(run, Stage.Told, Want.Epoch);
  const isBest = isBetter(run);
  run.own.setU32(recordAt(run, run.epoch) + EpochRecord.Flags, (isBest ? 1 : 0) + (hasLearnt(run) ? 2 : 0));
  addHeadWord(run, Head.Epochs, 1);
  if (isBest) setHeadWord(run, Head.BestEpoch, run.epoch + 1);
  clearEpoch(run);
  setStateWord(run, State.Epoch, run.epoch + 1);
  setStateWord(run, State.Position, 0);
  // Without judged pictures the last epoch is kept: it lies in the arena.
  return isBest && run.count > 0 ? want(run, Stage.Kept, Want.KeepBest) : want(run, Stage.Told, Want.Epoch);
}

/** What was counted while learning and judging. */
function putRecord(run: Run): void {
  const record = recordAt(run, run.epoch);
  run.own.setF64(record + EpochRecord.TrainLoss, run.own.f64(run.headAt + Head.Loss));
  run.own.setU32(record + EpochRecord.TrainCorrect, headWord(run, Head.Correct));
  run.own.setU32(record + EpochRecord.TrainCount, headWord(run, Head.Count));
  run.own.setF64(record + EpochRecord.ValLoss, run.loss);
  run.own.setU32(record + EpochRecord.ValCorrect, run.correct);
  run.own.setU32(record + EpochRecord.ValCount, run.count);
  run.own.setU32(record + EpochRecord.Flags, 0);
  putAnswers(run, record);
}

/** Nothing to judge by, or what the task says is better; between equals a smaller loss. */
function isBetter(run: Run): boolean {
  const epoch = headWord(run, Head.BestEpoch);
  if (epoch === 0 || run.count === 0) return true;
  const best = recordAt(run, epoch - 1);
  const count = run.own.u32(best + EpochRecord.ValCount);
  let mine: number = 0;
  let its: number = 0;
  if (run.better === Better.Correct) {
    mine = run.correct * count;
    its = run.own.u32(best + EpochRecord.ValCorrect) * run.count;
  } else if (run.better === Better.Score) {
    mine = run.own.f64(recordAt(run, run.epoch) + EpochRecord.Balanced);
    its = run.own.f64(best + EpochRecord.Balanced);
  }
  return mine > its || (mine === its && run.loss * count < run.own.f64(best + EpochRecord.ValLoss) * run.count);
}

function clearEpoch(run: Run): void {
  run.own.setF64(run.headAt + Head.Loss, 0);
  setHeadWord(run, Head.Correct, 0);
  setHeadWord(run, Head.Count, 0);
}

function goBack(run: Run, reason: Astray): Want {
  run.reason = reason;
  run.to = wayBack(run);
  return want(run, Stage.Restored, Want.Restore);
}

/** A checkpoint that is ahead of where the run has gone back to would be taken for the newest: so one is written here. */
function wentBack(run: Run): Want {
  rewind(run);
  clearEpoch(run);
  return want(run, Stage.SavedBack, Want.Save);
}

/** Whole passes, over the first pictures again where there are fewer. */
function measure(run: Run): Want {
  run.first += run.rows;
  return run.first < Rates.MeasuredPictures ? Want.Measure : want(run, Stage.RatesSet, Want.SetRates);
}
function ratesSet(run: Run): Want {
  setStateWord(run, State.Measured, 0);
  clearTally(run);
  return want(run, Stage.Over, Want.Done);
}
