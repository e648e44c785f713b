/** Pictures by class: how many there are, how many of those that were judged were right, and how often each was the answer. */
import { EpochRecord } from '../abi/checkpoint.ts';
import { Part, Run } from './run.ts';

/** Pictures of a class in a row of the table. */
export function classCount(run: Run, part: Part, label: number): number {
  return run.counts.u32(run.countsAt + 4 * (part * run.classes + label));
}
export function clearClasses(run: Run, part: Part): void {
  run.counts.clear(run.countsAt + 4 * part * run.classes, 4 * run.classes);
}
export function countClass(run: Run, part: Part, label: number): void {
  run.counts.setU32(run.countsAt + 4 * (part * run.classes + label), classCount(run, part, label) + 1);
}

/** Takes the choices of a pass of judging. */
export function countChoices(run: Run): void {
  for (let row: number = 0; row < run.rows; row++) {
    const label = run.arena.u32(run.labelsAt + 4 * row);
    const choice = run.arena.u32(run.choicesAt + 4 * row);
    countClass(run, Part.Judge, label);
    countClass(run, Part.Answered, choice);
    if (choice === label) countClass(run, Part.Correct, choice);
  }
}

/** The most frequent class of a part: the first of equals. */
export function mostFrequent(run: Run, part: Part): number {
  let most: number = 0;
  for (let c: number = 1; c < run.classes; c++) if (classCount(run, part, c) > classCount(run, part, most)) most = c;
  return most;
}
/** In how many classes there is a picture. */
export function classesOf(run: Run, part: Part): number {
  let there: number = 0;
  for (let c: number = 0; c < run.classes; c++) if (classCount(run, part, c) > 0) there += 1;
  return there;
}
/** The fewest pictures of a class that has any. */
export function fewestOf(run: Run, part: Part): number {
  let fewest: number = 0;
  for (let c: number = 0; c < run.classes; c++) {
    const count = classCount(run, part, c);
    if (count > 0 && (fewest === 0 || count < fewest)) fewest = count;
  }
  return fewest;
}

/**
 * What all choices say, into an epoch's record: how many classes were answered; the mean over the classes that are there of the share that was right;
 * the class of which least was right, of equals the one with most pictures, then the first.
 */
export function putChoices(run: Run, record: number): void {
  let answers: number = 0;
  let classes: number = 0;
  let shares: number = 0;
  let worst: number = 0;
  let worstCorrect: number = 0;
  let worstCount: number = 0;
  for (let c: number = 0; c < run.classes; c++) {
    if (classCount(run, Part.Answered, c) > 0) answers += 1;
    const seen = classCount(run, Part.Judge, c);
    if (seen === 0) continue;
    const correct = classCount(run, Part.Correct, c);
    classes += 1;
    shares += correct / seen;
    const mine = correct * worstCount;
    const its = worstCorrect * seen;
    if (worstCount > 0 && (mine > its || (mine === its && seen <= worstCount))) continue;
    worst = c;
    worstCorrect = correct;
    worstCount = seen;
  }
  run.own.setU32(record + EpochRecord.Answers, answers);
  run.own.setF64(record + EpochRecord.Balanced, classes === 0 ? 0 : shares / classes);
  run.own.setU32(record + EpochRecord.Worst, worst);
  run.own.setU32(record + EpochRecord.WorstCorrect, worstCorrect);
  run.own.setU32(record + EpochRecord.WorstCount, worstCount);
}
