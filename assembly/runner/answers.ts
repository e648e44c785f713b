/** What judged pictures say, counted by the kind of answer (abi/task.ts): a class, labels or numbers. */
import { EpochRecord } from '../abi/checkpoint.ts';
import { Answer, countBytes, f1, numberLoss } from '../abi/task.ts';
import { Words } from '../formats/words.ts';
import { classCount, clearClasses, countChoices, countClass, putChoices } from './classes.ts';
import { Part, Run } from './run.ts';

/** Of numbers, for each output: sums of squared errors, of standardised targets and of their squares. */
const enum Sums {
  Errors = 0,
  Targets = 8,
  Squares = 16,
}

/** A target in standard deviations from its mean. */
function standardised(run: Run, c: number, target: number): number {
  return (target - run.arena.f32(run.constantsAt + 4 * c)) / run.arena.f32(run.constantsAt + 4 * (run.classes + c));
}

/** Counts a picture of a part before the run begins: its target stands at `at`. */
export function countTarget(run: Run, part: Part, target: Words, at: number): void {
  if (run.answer === Answer.Class) {
    countClass(run, part, target.u32(at));
    return;
  }
  let loss: number = 0;
  for (let c: number = 0; c < run.classes; c++) {
    const value = target.f32(at + 4 * c);
    if (run.answer === Answer.Numbers) loss += numberLoss(standardised(run, c, value), run.delta);
    else if (value >= 0.5) countClass(run, part, c);
  }
  if (part === Part.Learn) run.trainZero += loss / run.classes;
  else run.valZero += loss / run.classes;
}

/** Forgets what was counted of a part. */
export function clearTargets(run: Run, part: Part): void {
  if (run.answer !== Answer.Numbers) clearClasses(run, part);
  else if (part === Part.Learn) run.trainZero = 0;
  else run.valZero = 0;
}

/** Judging begins. */
export function clearAnswers(run: Run): void {
  if (run.answer === Answer.Numbers) {
    run.counts.clear(run.countsAt, countBytes(run.answer) * run.classes);
    return;
  }
  clearClasses(run, Part.Judge);
  clearClasses(run, Part.Correct);
  clearClasses(run, Part.Answered);
}

/** Takes the answers of a pass of judging. */
export function countAnswers(run: Run): void {
  if (run.answer === Answer.Class) countChoices(run);
  else if (run.answer === Answer.Labels) countLabels(run);
  else countNumbers(run);
}

function countLabels(run: Run): void {
  for (let row: number = 0; row < run.rows; row++)
    for (let c: number = 0; c < run.classes; c++) {
      const at = 4 * (row * run.classes + c);
      const has = run.arena.f32(run.labelsAt + at) >= 0.5;
      const isAnswered = run.arena.u32(run.choicesAt + at) === 1;
      if (has) countClass(run, Part.Judge, c);
      if (isAnswered) countClass(run, Part.Answered, c);
      if (has && isAnswered) countClass(run, Part.Correct, c);
    }
}

function countNumbers(run: Run): void {
  for (let row: number = 0; row < run.rows; row++)
    for (let c: number = 0; c < run.classes; c++) {
      const at = 4 * (row * run.classes + c);
      const target = standardised(run, c, run.arena.f32(run.labelsAt + at));
      const error = standardised(run, c, run.arena.f32(run.choicesAt + at)) - target;
      const sums = run.countsAt + countBytes(run.answer) * c;
      addTo(run, sums + Sums.Errors, error * error);
      addTo(run, sums + Sums.Targets, target);
      addTo(run, sums + Sums.Squares, target * target);
    }
}
function addTo(run: Run, at: number, more: number): void {
  run.counts.setF64(at, run.counts.f64(at) + more);
}

/** What all answers say, into an epoch's record. */
export function putAnswers(run: Run, record: number): void {
  if (run.answer === Answer.Class) putChoices(run, record);
  else if (run.answer === Answer.Labels) putLabels(run, record);
  else putNumbers(run, record);
}

/** How many labels were answered; F1, the mean over the labels that are there; the worst of them, of equals the one with most pictures, then the first. */
function putLabels(run: Run, record: number): void {
  let answers: number = 0;
  let there: number = 0;
  let sum: number = 0;
  let worst: number = 0;
  let least: number = 2;
  for (let c: number = 0; c < run.classes; c++) {
    const answered = classCount(run, Part.Answered, c);
    if (answered > 0) answers += 1;
    const seen = classCount(run, Part.Judge, c);
    if (seen === 0) continue;
    const mine = f1(classCount(run, Part.Correct, c), seen, answered);
    there += 1;
    sum += mine;
    if (mine > least || (mine === least && seen <= classCount(run, Part.Judge, worst))) continue;
    least = mine;
    worst = c;
  }
  put(run, record, answers, there === 0 ? 0 : sum / there, worst);
  run.own.setU32(record + EpochRecord.WorstCorrect, classCount(run, Part.Correct, worst));
  run.own.setU32(record + EpochRecord.WorstCount, classCount(run, Part.Judge, worst));
}

/** R², the mean over the outputs whose targets differ; the worst of them. */
function putNumbers(run: Run, record: number): void {
  let there: number = 0;
  let sum: number = 0;
  let worst: number = 0;
  let least: number = 2;
  for (let c: number = 0; c < run.classes; c++) {
    const sums = run.countsAt + countBytes(run.answer) * c;
    const targets = run.counts.f64(sums + Sums.Targets);
    const spread = run.counts.f64(sums + Sums.Squares) - (targets * targets) / run.count;
    if (!(spread > 0)) continue;
    const mine = 1 - run.counts.f64(sums + Sums.Errors) / spread;
    there += 1;
    sum += mine;
    if (mine >= least) continue;
    least = mine;
    worst = c;
  }
  put(run, record, 0, there === 0 ? 0 : sum / there, worst);
  run.own.setU32(record + EpochRecord.WorstCorrect, 0);
  run.own.setU32(record + EpochRecord.WorstCount, run.count);
}

function put(run: Run, record: number, answers: number, score: number, worst: number): void {
  run.own.setU32(record + EpochRecord.Answers, answers);
  run.own.setF64(record + EpochRecord.Balanced, score);
  run.own.setU32(record + EpochRecord.Worst, worst);
}
