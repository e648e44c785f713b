/**
 * The training loop, twin of src/training/train.ts: micro-batches, accumulation, evaluation, and a position that can be saved at any boundary and continued
 * exactly, here or there. test/wasi/train.test.ts holds both to the same adapter.
 */
import { EpochRecord } from '../../assembly/abi/checkpoint';
import { State } from '../../assembly/abi/head';
import { LayoutWord, ParameterWord, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Astray } from '../../assembly/abi/watch';
import { sampleAt } from '../../assembly/engine/random';
import { writeAdapter } from './adapter';
import { clearTally, EVAL, run, state, TRAIN, takeTally, tallyCorrect, tallyCount, tallyLoss, UPDATE } from './arena';
import {
  addTally,
  backs,
  bestEpoch,
  clearCheckpoints,
  dataDigest,
  endEpoch,
  forgetEpochs,
  readEpoch,
  readLatest,
  record,
  setFirstLoss,
  writeCheckpoint,
} from './checkpoint';
import { clearLabels, countOf, digestData, fillRow, JUDGE, LEARN, setCounter } from './data';
import { guardEarlier } from './earlier';
import { clearChoices, sumChoices, takeChoices } from './figures';
import { need, opened } from './files';
import { headMetrics, startHead } from './headstart';
import { copyPath, enter, lengthOf, textOf } from './path';
import { arena, countRecords, epochCount, layoutWord, runWord, section } from './program';
import { measureRates, tellRates } from './rates';
import { begin, ENGINE, finish, INTERRUPTED, refuseNumbers } from './refuse';
import { logTo, summary, tellBack, tellEpoch, tellStart, tellStep } from './tell';
import { number } from './text';
import { beginWatch, hasLearnt, look, rewind } from './watch';
import { makeFolder, openToWrite, removeLeftovers } from './write';

const runFolder = memory.data(1024);
const bestFolder = memory.data(1024);
const startFolder = memory.data(1024);
const metricsPath = memory.data(1024);

let saveEvery: u32 = 0;
let mostSteps: u32 = 0;
let stepsDone: u32 = 0;
let firstParameter: usize = 0;
let parameterBytes: usize = 0;

/** Trains to the end, or for `steps` steps (0: no limit), and writes the adapter to `out`. The data's parts are open, the base is loaded. */
export function train(out: usize, resume: bool, overwrite: bool, every: u32, steps: u32): void {
  saveEvery = every;
  mostSteps = steps;
  makeFolder(out);
  copyPath(runFolder, out);
  enter(runFolder, 'run');
  copyPath(bestFolder, runFolder);
  enter(bestFolder, 'best');
  copyPath(startFolder, runFolder);
  enter(startFolder, 'start');
  copyPath(metricsPath, runFolder);
  enter(metricsPath, 'metrics.jsonl');
  makeFolder(runFolder);
  if (!resume && !overwrite) guardEarlier(out, runFolder);
  removeLeftovers(out);
  removeLeftovers(runFolder);
  removeLeftovers(bestFolder);
  removeLeftovers(startFolder);
  findParameters();
  digestData(dataDigest);
  const goesOn = resume && readLatest(runFolder, state(), layoutWord(LayoutWord.RegionBytes), true);
  if (!goesOn) {
    clearCheckpoints(runFolder);
    clearCheckpoints(bestFolder);
    clearCheckpoints(startFolder);
    startRun();
    if (runWord(RunField.Head) != 0) startHead(runFolder);
    measureRates();
    if (runWord(RunField.Retries) > 0) writeCheckpoint(startFolder, firstParameter, parameterBytes, false);
  }
  need(openToWrite(metricsPath, goesOn), textOf(metricsPath), lengthOf(metricsPath), 'cannot be written: ');
  logTo(opened);
  headMetrics(opened);
  tellStart(goesOn);
  tellRates(opened, !goesOn);
  const finished = loop();
  // Saved at the end too: a finished run that is resumed has nothing left to do.
  save();
  if (!finished) {
    begin(textOf(runFolder), lengthOf(runFolder), 'stopped, and saved at step ');
    number(load<u32>(state(), State.Step));
    finish('--resume continues it', INTERRUPTED);
  }
  if (countOf(JUDGE) > 0) restore(bestEpoch);
  writeAdapter(out);
  summary();
}

/** The parameters lie one after the other in the region: what `best` keeps. */
function findParameters(): void {
  let from: u32 = 0xffffffff;
  let end: u32 = 0;
  for (let i: u32 = 0, n = countRecords(Section.Parameters); i < n; i++) {
    const r = section(Section.Parameters) + i * (ParameterWord.Count << 2);
    const offset = load<u32>(r, ParameterWord.Offset << 2);
    const bytes = (load<u32>(r, ParameterWord.D0 << 2) * load<u32>(r, ParameterWord.D1 << 2) * load<u32>(r, ParameterWord.D2 << 2)) << 2;
    from = min(from, offset);
    end = max(end, offset + bytes);
  }
  firstParameter = arena + from;
  parameterBytes = end - from;
}

/** The state block as it was packed, its steps counted anew: the pictures may be others. */
function startRun(): void {
  const s = state();
  memory.copy(s, section(Section.Run) + RunField.State, State.Bytes);
  const batch = runWord(RunField.BatchSize);
  const total = runWord(RunField.Epochs) * ((countOf(LEARN) + batch - 1) / batch);
  const rising = ceil<f64>(<f64>total * load<f64>(section(Section.Run) + RunField.Warmup));
  store<u32>(s, total, State.TotalSteps);
  store<u32>(s, <u32>min<f64>(<f64>total - 1, rising), State.WarmupSteps);
}

function save(): void {
  writeCheckpoint(runFolder, state(), layoutWord(LayoutWord.RegionBytes), true);
}

/** Trains from wherever the state block says it stands. False where the limit of steps ended it. */
function loop(): bool {
  const s = state();
  beginWatch();
  while (!isOver(load<u32>(s, State.Epoch))) {
    const epoch = load<u32>(s, State.Epoch);
    const mayGoBack = backs < runWord(RunField.Retries);
    let reason = Astray.NotFinite;
    const learnt = learnEpoch(epoch, mayGoBack);
    if (learnt == STOPPED) return false;
    if (learnt == DONE && judge(JUDGE, mayGoBack) && isSound(mayGoBack)) {
      reason = mayGoBack ? look(epoch + 1) : Astray.No;
      const isBest = reason == Astray.No && (tallyCount == 0 || isBetter(tallyLoss, tallyCorrect, tallyCount));
      endEpoch(tallyLoss, tallyCorrect, tallyCount, isBest, hasLearnt());
      store<u32>(s, epoch + 1, State.Epoch);
      store<u32>(s, 0, State.Position);
      // Where nothing is judged the last epoch is kept: it lies in the arena.
      if (isBest && tallyCount > 0) writeCheckpoint(bestFolder, firstParameter, parameterBytes, false);
      tellEpoch(epoch + 1);
    }
    if (reason != Astray.No) goBack(epoch + 1, reason);
    else if (saveEvery != 0 && load<u32>(s, State.Step) % saveEvery == 0) save();
  }
  return true;
}

/** After all epochs, or after so many without a better one. */
function isOver(epoch: u32): bool {
  const patience = runWord(RunField.Patience);
  return epoch >= epochCount || (patience > 0 && epoch - bestEpoch >= patience);
}

const DONE: u32 = 0;
const FAILED: u32 = 1;
const STOPPED: u32 = 2;

/** The steps of an epoch that are still to be done: whether all are, or numbers are not finite any more, or the limit of steps ended them. */
function learnEpoch(epoch: u32, mayFail: bool): u32 {
  const s = state();
  const n = countOf(LEARN);
  const batch = runWord(RunField.BatchSize);
  const micro = runWord(RunField.MicroBatch);
  let position = load<u32>(s, State.Position);
  while (position < n) {
    const start = (position / batch) * batch;
    const end = <u32>min<u64>(n, <u64>start + batch);
    store<f32>(s, <f32>(1 / <f64>(end - start)), State.LossScale);
    while (position < end) {
      const count = min(micro, end - position);
      fillTrain(epoch, position, count);
      if (!run(TRAIN, mayFail)) return FAILED;
      position += count;
      store<u32>(s, position, State.Position);
    }
    if (!run(UPDATE, mayFail)) return FAILED;
    takeTally();
    addTally(tallyLoss, tallyCorrect, tallyCount);
    const step = load<u32>(s, State.Step);
    if (step == 1) setFirstLoss(tallyLoss / <f64>tallyCount);
    tellStep(epoch + 1, step);
    if (position < n && saveEvery != 0 && step % saveEvery == 0) save();
    stepsDone++;
    if (mostSteps != 0 && stepsDone == mostSteps) return STOPPED;
  }
  return DONE;
}

/** Where nothing is judged, nobody has yet seen what the last step made: whether every learnable number is finite. */
function isSound(mayFail: bool): bool {
  if (tallyCount > 0) return true;
  for (let p = firstParameter, end = firstParameter + parameterBytes; p < end; p += 4) {
    if (isFinite<f32>(load<f32>(p))) continue;
    if (mayFail) return false;
    begin(textOf(runFolder), lengthOf(runFolder), 'a number that was learnt is NaN or infinite');
    finish('pack with a smaller --lr', ENGINE);
  }
  return true;
}

/** To the best epoch if something had been learnt by then, else to the start; from there with a smaller step. */
function goBack(epoch: u32, reason: Astray): void {
  const isGood = bestEpoch > 0 && countOf(JUDGE) > 0 && (load<u32>(record(bestEpoch - 1), EpochRecord.Flags) & 2) != 0;
  const to = isGood ? bestEpoch : 0;
  const batch = runWord(RunField.BatchSize);
  restore(to);
  rewind(to, to * ((countOf(LEARN) + batch - 1) / batch));
  forgetEpochs(to);
  // A checkpoint that is ahead of it would be taken for the newest.
  save();
  tellBack(epoch, to, reason);
}

/** One micro-batch; rows past `count` are padding. */
function fillTrain(epoch: u32, position: u32, count: u32): void {
  const n = countOf(LEARN);
  const seed = load<u32>(state(), State.Seed);
  clearLabels();
  for (let row: u32 = 0; row < count; row++) {
    setCounter(row, epoch * n + position + row);
    fillRow(LEARN, sampleAt(position + row, n, seed, epoch), row);
  }
}

/** Loss and accuracy over all pictures of a part, in order: the tally then holds them. False where they are not finite. */
export function judge(part: u32, mayFail: bool = false): bool {
  const n = countOf(part);
  const micro = runWord(RunField.MicroBatch);
  clearTally();
  clearChoices();
  for (let from: u32 = 0; from < n; from += micro) {
    const count = min(micro, n - from);
    clearLabels();
    for (let row: u32 = 0; row < count; row++) fillRow(part, from + row, row);
    if (!run(EVAL, mayFail)) return false;
    takeChoices(count);
  }
  takeTally();
  sumChoices(part);
  return true;
}

/** More correct, or as many with a smaller loss. */
function isBetter(loss: f64, correct: u32, count: u32): bool {
  if (bestEpoch == 0) return true;
  const b = record(bestEpoch - 1);
  const bestCount = <f64>load<u32>(b, EpochRecord.ValCount);
  const mine = <f64>correct * bestCount;
  const its = <f64>load<u32>(b, EpochRecord.ValCorrect) * <f64>count;
  return mine > its || (mine == its && loss * bestCount < load<f64>(b, EpochRecord.ValLoss) * <f64>count);
}

/** Puts the parameters of the best epoch back; those of the start where `epoch` is 0. */
function restore(epoch: u32): void {
  const folder = epoch == 0 ? startFolder : bestFolder;
  const found = readLatest(folder, firstParameter, parameterBytes, false, epoch);
  if (!found || readEpoch() != epoch)
    refuseNumbers(
      textOf(folder),
      lengthOf(folder),
      epoch == 0 ? 'does not hold the start of the run' : 'does not hold the best epoch',
      found ? readEpoch() : 0,
      epoch,
      'it was changed while the run went on; start anew without --resume',
    );
}
