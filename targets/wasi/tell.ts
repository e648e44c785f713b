/** What a run says while it goes and when it ends: to a person on the standard streams, to a program in metrics.jsonl. */
import { CheckpointHead, EpochRecord } from '../../assembly/abi/checkpoint';
import { State } from '../../assembly/abi/head';
import { Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Answer } from '../../assembly/abi/task';
import { classCount, fewestOf, mostFrequent } from '../../assembly/runner/classes';
import { headWord, Part, recordAt } from '../../assembly/runner/run';
import { isFalling, textOf, Verdict, verdictOf } from '../../assembly/runner/verdict';
import { reasonOf } from '../../assembly/runner/watch';
import { state } from './arena';
import { countOf, JUDGE, LEARN } from './data';
import { closeFile } from './files';
import { epochCount, runWord, selectLine } from './program';
import { current, steps } from './runner';
import { flush, logged, say, STDERR, STDOUT, to } from './text';
import { written } from './write';

const NOTHING_JUDGED = 'nothing to judge by: the last epoch is kept, and no accuracy is known\n';
let metrics: u32 = 0;

export function logTo(fd: u32): void {
  metrics = fd;
}

function isClass(): bool {
  return runWord(RunField.Answer) == Answer.Class;
}
function total(): u32 {
  return load<u32>(state(), State.TotalSteps);
}
function remembered(field: CheckpointHead): f64 {
  return headWord(current, field);
}
/** A sum of an epoch's record. */
function sum(record: usize, field: EpochRecord): f64 {
  return load<f64>(record + field);
}
function count(record: usize, field: EpochRecord): u32 {
  return load<u32>(record + field);
}
function selectLabel(label: f64): void {
  selectLine(Section.Labels, <u32>label);
}

export function tellStart(goesOn: bool): void {
  to(STDERR);
  say('# pictures to learn from, # to judge by', countOf(LEARN), countOf(JUDGE));
  if (goesOn) say('; going on from step # of #', steps(), total());
  say('\n');
  if (countOf(JUDGE) == 0) say(NOTHING_JUDGED);
  flush();
}

export function tellStep(): void {
  const epoch = current.epoch + 1;
  const loss = current.loss / current.count;
  const rate = load<f32>(state(), State.Rate);
  to(metrics);
  say('{"step":#,"epoch":#,"loss":~,"rate":~,"norm":~}\n', steps(), epoch, loss, rate, load<f32>(state(), State.Norm));
  to(STDERR);
  const accuracy = (100 * remembered(CheckpointHead.Correct)) / remembered(CheckpointHead.Count);
  say('epoch #/#  step #/#  loss @4', epoch, epochCount, steps(), total(), loss);
  if (isClass()) say('  accuracy @1 %', accuracy);
  say('\n');
  flush();
}

export function tellEpoch(): void {
  const epoch = current.epoch + 1;
  const r = <usize>recordAt(current, current.epoch);
  const isBest = (count(r, EpochRecord.Flags) & 1) != 0;
  const trainLoss = sum(r, EpochRecord.TrainLoss) / <f64>count(r, EpochRecord.TrainCount);
  const n = <f64>count(r, EpochRecord.ValCount);
  const loss = sum(r, EpochRecord.ValLoss) / n;
  const score = isClass() ? <f64>count(r, EpochRecord.ValCorrect) / n : n > 0 ? sum(r, EpochRecord.Balanced) : NaN;
  to(metrics);
  const learnt = count(r, EpochRecord.TrainCount);
  const right = count(r, EpochRecord.TrainCorrect);
  say('{"epoch":#,"trainLoss":~,"trainCount":#,"trainCorrect":#,"valLoss":~', epoch, trainLoss, learnt, right, loss);
  say(isClass() ? ',"valAccuracy":~' : ',"valScore":~', score);
  say(isBest ? ',"best":true}\n' : ',"best":false}\n');
  to(STDERR);
  say('epoch #/#  train loss @4', epoch, epochCount, trainLoss);
  if (n > 0) {
    say('  val loss @4  val ', loss);
    tellScore(score);
  }
  say(n > 0 && isBest ? '  best\n' : '\n');
  flush();
}

/** The score by the name that the program gives it. */
export function tellScore(score: f64): void {
  selectLine(Section.Score, 0);
  if (runWord(RunField.IsShare) != 0) say('& @1 %', 100 * score);
  else say('& @4', score);
}

/** The run has gone back to the end of an epoch, or to its start. */
export function tellBack(): void {
  const rate = load<f32>(state(), State.BaseRate);
  const reason = reasonOf(current.reason);
  const epoch = current.epoch + 1;
  to(metrics);
  say('{"back":#,"epoch":#,"to":#,"reason":"', remembered(CheckpointHead.Backs), epoch, current.to);
  say(reason);
  say('","rate":~}\n', rate);
  to(STDERR);
  say('epoch #: ', epoch);
  say(reason);
  say(current.to == 0 ? '; the run goes back to its start' : '; the run goes back to the end of epoch #', current.to);
  say(' and goes on with a tenth of the rate: ~\n', rate);
  flush();
}

/** The figures of the kept epoch, and a warning where they say no more than the most frequent class would. */
export function summary(): void {
  closeFile(metrics);
  const bestEpoch = remembered(CheckpointHead.BestEpoch);
  const r = <usize>recordAt(current, bestEpoch - 1);
  const n = count(r, EpochRecord.ValCount);
  const correct = count(r, EpochRecord.ValCorrect);
  const label = mostFrequent(current, Part.Judge);
  const most = classCount(current, Part.Judge, label);
  to(STDOUT);
  if (n == 0) say(NOTHING_JUDGED);
  else if (!isClass()) tellScored(r, <f64>n);
  else tellFigures(r, <f64>correct, <f64>n, label, most);
  say('written # bytes\n', <f64>(written + logged));
  const verdict = verdictOf(current.own, current.headAt, isClass(), most);
  if (verdict == Verdict.Learnt) return;
  say('warning: ');
  say(textOf(verdict));
  selectLabel(label);
  if (verdict >= Verdict.MostFrequent) say('&');
  const backs = remembered(CheckpointHead.Backs);
  if (backs > 0) say(backs == 1 ? ' even with a tenth of the rate' : ' even with a hundredth of the rate');
  say(isFalling(current.own, current.headAt) ? '; pack with more --epochs, another --lr' : '; pack with a smaller --lr');
  say(', more pictures, another checkpoint, or --depth\n');
}

/** Of another task than classification. */
function tellScored(r: usize, n: f64): void {
  tellScore(sum(r, EpochRecord.Balanced));
  selectLabel(count(r, EpochRecord.Worst));
  say(' on # pictures, epoch #; worst &\n', n, remembered(CheckpointHead.BestEpoch));
}

function tellFigures(r: usize, correct: f64, n: f64, label: f64, most: f64): void {
  const isUneven = 2 * most > 3 * fewestOf(current, Part.Judge);
  const epoch = remembered(CheckpointHead.BestEpoch);
  say('accuracy @1 % on # pictures, epoch #; chance @1 %', (100 * correct) / n, n, epoch, (100 * most) / n);
  selectLabel(label);
  say(isUneven ? ' (always &)\n' : '\n');
  if (!isUneven) return;
  selectLabel(count(r, EpochRecord.Worst));
  say('balanced @1 %, the mean over classes; worst &: ', 100 * sum(r, EpochRecord.Balanced));
  say('# of #\n', count(r, EpochRecord.WorstCorrect), count(r, EpochRecord.WorstCount));
}
