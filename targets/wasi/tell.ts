/** What a run says while it goes and when it ends: to a person on the standard streams, to a program in metrics.jsonl. */
import { fd_close } from 'bindings/wasi_snapshot_preview1';
import { State } from '../../assembly/abi/head';
import { Section } from '../../assembly/abi/program';
import { classCount, fewestOf, mostFrequent } from '../../assembly/runner/classes';
import { headWord, Part, recordAt } from '../../assembly/runner/run';
import { reasonOf } from '../../assembly/runner/watch';
import { CheckpointHead, EpochRecord } from '../../assembly/abi/checkpoint';
import { state } from './arena';
import { countOf, JUDGE, LEARN } from './data';
import { epochCount, lineAt, lineBytes } from './program';
import { current, steps } from './runner';
import { bytes, flush, json, line, logged, number, real, STDERR, STDOUT, text, to } from './text';
import { written } from './write';

const NOTHING_JUDGED = 'nothing to judge by: the last epoch is kept, and no accuracy is known\n';
let metrics: u32 = 0;

export function logTo(fd: u32): void {
  metrics = fd;
}

export function tellStart(goesOn: bool): void {
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
  if (countOf(JUDGE) == 0) text(NOTHING_JUDGED);
  flush();
}

export function tellStep(): void {
  const s = state();
  const epoch = <u64>current.epoch + 1;
  const loss = current.loss / current.count;
  to(metrics);
  text('{"step":');
  number(steps());
  text(',"epoch":');
  number(epoch);
  text(',"loss":');
  json(loss);
  text(',"rate":');
  json(load<f32>(s, State.Rate));
  text(',"norm":');
  json(load<f32>(s, State.Norm));
  text('}\n');
  to(STDERR);
  place(epoch);
  text('  step ');
  number(steps());
  text('/');
  number(load<u32>(s, State.TotalSteps));
  text('  loss ');
  real(loss, 4);
  text('  accuracy ');
  real((100 * remembered(CheckpointHead.Correct)) / remembered(CheckpointHead.Count), 1);
  text(' %\n');
  flush();
}

function place(epoch: u64): void {
  text('epoch ');
  number(epoch);
  text('/');
  number(epochCount);
}

function remembered(field: CheckpointHead): f64 {
  return headWord(current, field);
}
function record(i: f64): usize {
  return <usize>recordAt(current, i);
}

export function tellEpoch(): void {
  const epoch = <u64>current.epoch + 1;
  const r = record(current.epoch);
  const isBest = (load<u32>(r, EpochRecord.Flags) & 1) != 0;
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
  place(epoch);
  text('  train loss ');
  real(trainLoss, 4);
  if (count > 0) {
    text('  val loss ');
    real(loss, 4);
    text('  val accuracy ');
    real(100 * accuracy, 1);
    text(isBest ? ' %  best' : ' %');
  }
  line();
  flush();
}

/** The run has gone back to the end of an epoch, or to its start. */
export function tellBack(): void {
  const rate = load<f32>(state(), State.BaseRate);
  const reason = reasonOf(current.reason);
  const epoch = <u64>current.epoch + 1;
  const target = <u64>current.to;
  to(metrics);
  text('{"back":');
  number(<u64>remembered(CheckpointHead.Backs));
  text(',"epoch":');
  number(epoch);
  text(',"to":');
  number(target);
  text(',"reason":"');
  text(reason);
  text('","rate":');
  json(rate);
  text('}\n');
  to(STDERR);
  text('epoch ');
  number(epoch);
  text(': ');
  text(reason);
  text('; the run goes back to ');
  if (target == 0) text('its start');
  else {
    text('the end of epoch ');
    number(target);
  }
  text(' and goes on with a tenth of the rate: ');
  json(rate);
  line();
  flush();
}

function nameOf(label: u32): void {
  const n = lineBytes(Section.Labels, label);
  bytes(lineAt, n);
}

/** The figures of the kept epoch, and a warning where they say no more than the most frequent class would. */
export function summary(): void {
  fd_close(metrics);
  const bestEpoch = remembered(CheckpointHead.BestEpoch);
  const r = record(bestEpoch - 1);
  const count = load<u32>(r, EpochRecord.ValCount);
  const correct = load<u32>(r, EpochRecord.ValCorrect);
  const label = mostFrequent(current, Part.Judge);
  const most = <u32>classCount(current, Part.Judge, label);
  to(STDOUT);
  if (count == 0) text(NOTHING_JUDGED);
  else figures(r, correct, count, <u32>label, most);
  text('written ');
  number(written + logged);
  text(' bytes\n');
  if (count == 0 ? bestEpoch == 1 || (load<u32>(r, EpochRecord.Flags) & 2) != 0 : correct > most) return;
  text('warning: ');
  if (count == 0) text('the training loss is hardly better than that of one answer for every picture');
  else {
    if (load<u32>(r, EpochRecord.Answers) == 1) text('the same answer for every picture: ');
    text('no better than always saying ');
    nameOf(<u32>label);
  }
  const backs = remembered(CheckpointHead.Backs);
  if (backs > 0) text(backs == 1 ? ' even with a tenth of the rate' : ' even with a hundredth of the rate');
  // A loss that is still falling has not been destroyed by the step.
  const last = record(remembered(CheckpointHead.Epochs) - 1);
  const isFalling =
    load<f64>(last, EpochRecord.TrainLoss) <
    current.own.f32(current.headAt + CheckpointHead.FirstLoss) * <f64>load<u32>(last, EpochRecord.TrainCount);
  text(isFalling ? '; pack with more --epochs, another --lr' : '; pack with a smaller --lr');
  text(', more pictures, another checkpoint, or --depth\n');
}

function figures(r: usize, correct: u32, count: u32, label: u32, most: u32): void {
  const isUneven = 2 * <f64>most > 3 * fewestOf(current, Part.Judge);
  text('accuracy ');
  real((100 * <f64>correct) / <f64>count, 1);
  text(' % on ');
  number(count);
  text(' pictures, epoch ');
  number(<u64>remembered(CheckpointHead.BestEpoch));
  text('; chance ');
  real((100 * <f64>most) / <f64>count, 1);
  text(' %');
  if (isUneven) {
    text(' (always ');
    nameOf(label);
    text(')');
  }
  line();
  if (!isUneven) return;
  text('balanced ');
  real(100 * load<f64>(r, EpochRecord.Balanced), 1);
  text(' %, the mean over classes; worst ');
  nameOf(load<u32>(r, EpochRecord.Worst));
  text(': ');
  number(load<u32>(r, EpochRecord.WorstCorrect));
  text(' of ');
  number(load<u32>(r, EpochRecord.WorstCount));
  line();
}
