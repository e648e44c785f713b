/** What a run says while it goes and when it ends: to a person on the standard streams, to a program in metrics.jsonl. */
import { fd_close } from 'bindings/wasi_snapshot_preview1';
import { EpochRecord } from '../../assembly/abi/checkpoint';
import { State } from '../../assembly/abi/head';
import { Section } from '../../assembly/abi/program';
import { Astray } from '../../assembly/abi/watch';
import { state, tallyCount, tallyLoss } from './arena';
import { backs, bestEpoch, epochCorrect, epochPictures, epochs, firstLoss, record } from './checkpoint';
import { countOf, JUDGE, LEARN } from './data';
import { fewestCount, findMost, mostCount, mostLabel } from './figures';
import { epochCount, lineAt, lineBytes } from './program';
import { bytes, flush, json, line, logged, number, real, STDERR, STDOUT, text, to } from './text';
import { reasonOf } from './watch';
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

export function tellStep(epoch: u32, step: u32): void {
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

export function tellEpoch(epoch: u32): void {
  const r = record(epoch - 1);
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
  text('epoch ');
  number(epoch);
  text('/');
  number(epochCount);
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

/** The run has gone back from epoch `epoch` to the end of epoch `target`, 0: to its start. */
export function tellBack(epoch: u32, target: u32, reason: Astray): void {
  const rate = load<f32>(state(), State.BaseRate);
  to(metrics);
  text('{"back":');
  number(backs);
  text(',"epoch":');
  number(epoch);
  text(',"to":');
  number(target);
  text(',"reason":"');
  text(reasonOf(reason));
  text('","rate":');
  json(rate);
  text('}\n');
  to(STDERR);
  text('epoch ');
  number(epoch);
  text(': ');
  text(reasonOf(reason));
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
  const r = record(bestEpoch - 1);
  const count = load<u32>(r, EpochRecord.ValCount);
  const correct = load<u32>(r, EpochRecord.ValCorrect);
  findMost(JUDGE);
  to(STDOUT);
  if (count == 0) text(NOTHING_JUDGED);
  else figures(r, correct, count);
  text('written ');
  number(written + logged);
  text(' bytes\n');
  if (count == 0 ? bestEpoch == 1 || (load<u32>(r, EpochRecord.Flags) & 2) != 0 : correct > mostCount) return;
  text('warning: ');
  if (count == 0) text('the training loss is hardly better than that of one answer for every picture');
  else {
    if (load<u32>(r, EpochRecord.Answers) == 1) text('the same answer for every picture: ');
    text('no better than always saying ');
    nameOf(mostLabel);
  }
  if (backs > 0) text(backs == 1 ? ' even with a tenth of the rate' : ' even with a hundredth of the rate');
  // A loss that is still falling has not been destroyed by the step.
  const last = record(epochs - 1);
  const isFalling = load<f64>(last, EpochRecord.TrainLoss) < firstLoss * <f64>load<u32>(last, EpochRecord.TrainCount);
  text(isFalling ? '; pack with more --epochs, another --lr' : '; pack with a smaller --lr');
  text(', more pictures, another checkpoint, or --depth\n');
}

function figures(r: usize, correct: u32, count: u32): void {
  const isUneven = 2 * <u64>mostCount > 3 * <u64>fewestCount;
  text('accuracy ');
  real((100 * <f64>correct) / <f64>count, 1);
  text(' % on ');
  number(count);
  text(' pictures, epoch ');
  number(bestEpoch);
  text('; chance ');
  real((100 * <f64>mostCount) / <f64>count, 1);
  text(' %');
  if (isUneven) {
    text(' (always ');
    nameOf(mostLabel);
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
