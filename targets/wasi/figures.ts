/** Pictures by class, and what the choices say of those that are judged: the twin of src/training/figures.ts. */
import { Io } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { port } from './arena';
import { classTable, runWord } from './program';

/** Rows of the table, one u32 a class: pictures to learn from, pictures to judge by; of judged ones those that were right, and the answers. */
const CORRECT: u32 = 2;
const ANSWERED: u32 = 3;

function at(row: u32, label: u32): usize {
  return classTable + ((row * runWord(RunField.Classes) + label) << 2);
}
function add(row: u32, label: u32): void {
  store<u32>(at(row, label), load<u32>(at(row, label)) + 1);
}

/** Pictures of a part (LEARN, JUDGE) with that label. */
export function labelled(part: u32, label: u32): u32 {
  return load<u32>(at(part, label));
}
export function clearLabelled(part: u32): void {
  memory.fill(at(part, 0), 0, (<usize>runWord(RunField.Classes)) << 2);
}
export function countLabel(part: u32, label: u32): void {
  add(part, label);
}

/** The most frequent label of a part: the first of equals, its pictures, the fewest of any other, and in how many classes there is a picture. */
export let mostLabel: u32 = 0;
export let mostCount: u32 = 0;
export let fewestCount: u32 = 0;
export let classesThere: u32 = 0;

export function findMost(part: u32): void {
  mostLabel = 0;
  mostCount = 0;
  fewestCount = u32.MAX_VALUE;
  classesThere = 0;
  for (let c: u32 = 0, n = runWord(RunField.Classes); c < n; c++) {
    const count = labelled(part, c);
    if (count == 0) continue;
    classesThere++;
    fewestCount = min(fewestCount, count);
    if (count <= mostCount) continue;
    mostCount = count;
    mostLabel = c;
  }
}

export function clearChoices(): void {
  clearLabelled(CORRECT);
  clearLabelled(ANSWERED);
}
/** Takes the first `count` choices of a pass of judging. */
export function takeChoices(count: u32): void {
  for (let row: u32 = 0; row < count; row++) {
    const choice = load<u32>(port(Io.EvalChoices) + (row << 2));
    add(ANSWERED, choice);
    if (choice == load<u32>(port(Io.Labels) + (row << 2))) add(CORRECT, choice);
  }
}

/** What all choices say: see Judged in src/training/figures.ts. */
export let answers: u32 = 0;
export let balanced: f64 = 0;
export let worst: u32 = 0;
export let worstCorrect: u32 = 0;
export let worstCount: u32 = 0;

export function sumChoices(part: u32): void {
  answers = 0;
  worst = 0;
  worstCorrect = 0;
  worstCount = 0;
  let shares: f64 = 0;
  let classes: u32 = 0;
  for (let c: u32 = 0, n = runWord(RunField.Classes); c < n; c++) {
    if (labelled(ANSWERED, c) > 0) answers++;
    const seen = labelled(part, c);
    if (seen == 0) continue;
    const correct = labelled(CORRECT, c);
    classes++;
    shares += <f64>correct / <f64>seen;
    const mine = <u64>correct * worstCount;
    const its = <u64>worstCorrect * seen;
    if (worstCount > 0 && (mine > its || (mine == its && seen <= worstCount))) continue;
    worst = c;
    worstCorrect = correct;
    worstCount = seen;
  }
  balanced = classes == 0 ? 0 : shares / <f64>classes;
}
