/**
 * The training loop, twin of src/train.ts: micro-batches, accumulation, evaluation, and a position that can be saved at any boundary and continued
 * exactly, here or there. test/wasi/train.test.ts holds both to the same adapter.
 */
import { fd_close } from 'bindings/wasi_snapshot_preview1';
import { EpochRecord } from '../../assembly/abi/checkpoint';
import { State } from '../../assembly/abi/head';
import { LayoutWord, ParameterWord, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { sampleAt } from '../../assembly/random';
import { writeAdapter } from './adapter';
import { clearTally, EVAL, run, state, TRAIN, takeTally, tallyCorrect, tallyCount, tallyLoss, UPDATE } from './arena';
import {
  addTally,
  bestEpoch,
  clearCheckpoints,
  dataDigest,
  endEpoch,
  epochCorrect,
  epochPictures,
  readEpoch,
  readLatest,
  record,
  writeCheckpoint,
} from './checkpoint';
import { clearLabels, countOf, digestData, fillRow, JUDGE, LEARN, setCounter } from './data';
import { need, opened } from './files';
import { copyPath, enter, lengthOf, textOf } from './path';
import { arena, countRecords, epochCount, layoutWord, runWord, section } from './program';
import { begin, finish, INTERRUPTED, refuseNumbers } from './refuse';
import { flush, json, line, logged, number, real, STDERR, STDOUT, text, to } from './text';
import { makeFolder, openToWrite, removeLeftovers, written } from './write';

const runFolder = memory.data(1024);
const bestFolder = memory.data(1024);
const metricsPath = memory.data(1024);
let metrics: u32 = 0;

let saveEvery: u32 = 0;
let mostSteps: u32 = 0;
let firstParameter: usize = 0;
let parameterBytes: usize = 0;

/** Trains to the end, or for `steps` steps (0: no limit), and writes the adapter to `out`. The data's parts are open, the base is loaded. */
export function train(out: usize, resume: bool, every: u32, steps: u32): void {
  saveEvery = every;
  mostSteps = steps;
  makeFolder(out);
  copyPath(runFolder, out);
  enter(runFolder, 'run');
  copyPath(bestFolder, runFolder);
  enter(bestFolder, 'best');
  copyPath(metricsPath, runFolder);
  enter(metricsPath, 'metrics.jsonl');
  makeFolder(runFolder);
  removeLeftovers(out);
  removeLeftovers(runFolder);
  removeLeftovers(bestFolder);
  findParameters();
  digestData(dataDigest);
  const goesOn = resume && readLatest(runFolder, state(), layoutWord(LayoutWord.RegionBytes), true);
  if (!goesOn) {
    clearCheckpoints(runFolder);
    clearCheckpoints(bestFolder);
    startRun();
  }
  need(openToWrite(metricsPath, goesOn), textOf(metricsPath), lengthOf(metricsPath), 'cannot be written: ');
  metrics = opened;
  to(STDERR);
  number(countOf(LEARN));
  text(' pictures to learn from, ');
  number(countOf(JUDGE));
  text(' to judge by');
  if (goesOn) {
    text('; going on from step ');
    number(load<u32>(state(), State.Step));
    text(' of ');
    number(load<u32>(state(), State.TotalSteps));
  }
  line();
  flush();
  const finished = loop();
  // Saved at the end too: a finished run that is resumed has nothing left to do.
  save();
  if (!finished) {
    begin(textOf(runFolder), lengthOf(runFolder), 'stopped, and saved at step ');
    number(load<u32>(state(), State.Step));
    finish('--resume continues it', INTERRUPTED);
  }
  restoreBest();
  writeAdapter(out);
  fd_close(metrics);
  summary(out);
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
  const n = countOf(LEARN);
  const batch = runWord(RunField.BatchSize);
  const micro = runWord(RunField.MicroBatch);
  let steps: u32 = 0;
  while (load<u32>(s, State.Epoch) < epochCount) {
    const epoch = load<u32>(s, State.Epoch);
    let position = load<u32>(s, State.Position);
    while (position < n) {
      const start = (position / batch) * batch;
      const end = <u32>min<u64>(n, <u64>start + batch);
      store<f32>(s, <f32>(1 / <f64>(end - start)), State.LossScale);
      while (position < end) {
        const count = min(micro, end - position);
        fillTrain(epoch, position, count);
        run(TRAIN);
        position += count;
        store<u32>(s, position, State.Position);
      }
      run(UPDATE);
      takeTally();
      addTally(tallyLoss, tallyCorrect, tallyCount);
      const step = load<u32>(s, State.Step);
      tellStep(epoch + 1, step);
      if (position < n && saveEvery != 0 && step % saveEvery == 0) save();
      steps++;
      if (mostSteps != 0 && steps == mostSteps) return false;
    }
    judge(JUDGE);
    const best = isBetter(tallyLoss, tallyCorrect, tallyCount);
    endEpoch(tallyLoss, tallyCorrect, tallyCount, best);
    store<u32>(s, epoch + 1, State.Epoch);
    store<u32>(s, 0, State.Position);
    if (best) writeCheckpoint(bestFolder, firstParameter, parameterBytes, false);
    tellEpoch(epoch + 1);
    if (saveEvery != 0 && load<u32>(s, State.Step) % saveEvery == 0) save();
  }
  return true;
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

/** Loss and accuracy over all pictures of a part, in order: the tally then holds them. */
export function judge(part: u32): void {
  const n = countOf(part);
  const micro = runWord(RunField.MicroBatch);
  clearTally();
  for (let from: u32 = 0; from < n; from += micro) {
    clearLabels();
    for (let row: u32 = 0, count = min(micro, n - from); row < count; row++) fillRow(part, from + row, row);
    run(EVAL);
  }
  takeTally();
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

function restoreBest(): void {
  const found = readLatest(bestFolder, firstParameter, parameterBytes, false);
  if (!found || readEpoch() != bestEpoch)
    refuseNumbers(
      textOf(bestFolder),
      lengthOf(bestFolder),
      'does not hold the best epoch',
      found ? readEpoch() : 0,
      bestEpoch,
      'it was changed while the run went on; start anew without --resume',
    );
}

function tellStep(epoch: u32, step: u32): void {
  const s = state();
  to(metrics);
  text('{"step":');
  number(step);
  text(',"epoch":');
  number(epoch);
  text(',"loss":');
  json(tallyLoss / <f64>tallyCount);
  text(',"rate":');
  json(load<f32>(s, State.Rate));
  text(',"norm":');
  json(load<f32>(s, State.Norm));
  text('}\n');
  to(STDERR);
  text('epoch ');
  number(epoch);
  text('/');
  number(epochCount);
  text('  step ');
  number(step);
  text('/');
  number(load<u32>(s, State.TotalSteps));
  text('  loss ');
  real(tallyLoss / <f64>tallyCount, 4);
  text('  accuracy ');
  real((100 * <f64>epochCorrect) / <f64>epochPictures, 1);
  text(' %\n');
  flush();
}

function tellEpoch(epoch: u32): void {
  const r = record(epoch - 1);
  const isBest = load<u32>(r, EpochRecord.Best) != 0;
  const trainLoss = load<f64>(r, EpochRecord.TrainLoss) / <f64>load<u32>(r, EpochRecord.TrainCount);
  const count = <f64>load<u32>(r, EpochRecord.ValCount);
  const loss = load<f64>(r, EpochRecord.ValLoss) / count;
  const accuracy = <f64>load<u32>(r, EpochRecord.ValCorrect) / count;
  to(metrics);
  text('{"epoch":');
  number(epoch);
  text(',"trainLoss":');
  json(trainLoss);
  text(',"valLoss":');
  json(loss);
  text(',"valAccuracy":');
  json(accuracy);
  text(isBest ? ',"best":true}\n' : ',"best":false}\n');
  to(STDERR);
  text('epoch ');
  number(epoch);
  text('/');
  number(epochCount);
  text('  train loss ');
  real(trainLoss, 4);
  text('  val loss ');
  real(loss, 4);
  text('  val accuracy ');
  real(100 * accuracy, 1);
  text(isBest ? ' %  best\n' : ' %\n');
  flush();
}

function summary(out: usize): void {
  const r = record(bestEpoch - 1);
  to(STDOUT);
  text('accuracy ');
  real((100 * <f64>load<u32>(r, EpochRecord.ValCorrect)) / <f64>load<u32>(r, EpochRecord.ValCount), 1);
  text(' % on ');
  number(load<u32>(r, EpochRecord.ValCount));
  text(' pictures, epoch ');
  number(bestEpoch);
  text('\nwritten ');
  number(written + logged);
  text(' bytes\n');
}
