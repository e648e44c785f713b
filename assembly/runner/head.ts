/** The head's start (assembly/ridge): which layer it is, and which pictures are taken for it. */
import { LinearArg } from '../abi/ops/dense.ts';
import { Instruction, Op } from '../abi/ops.ts';
import { Encoding } from '../abi/weights.ts';
import { classCount, clearClasses, countClass } from './classes.ts';
import { Part, Run } from './run.ts';

/** The classifier: offset of its instruction, of what it reads, numbers of a row of that, and which parameters it has. */
export let instruction: number = 0;
export let x: number = 0;
export let features: number = 0;
export let weight: number = -1;
export let bias: number = -1;

/**
 * Finds the last layer among the instructions of evaluation, from `start` to `end`, whose weight has a row for each class and learns. `parameterAt` gives
 * the parameter at an offset, of so many numbers, that learns and is not the side branch's; -1: none. False where there is no such layer.
 */
export function findClassifier(run: Run, start: number, end: number, parameterAt: (offset: number, numbers: number) => number): boolean {
  weight = -1;
  for (let at = start; at < end; at += 4 * run.arena.u32(run.arenaAt + at + 4 * Instruction.Words)) {
    if (run.arena.u32(run.arenaAt + at + 4 * Instruction.Op) !== Op.Linear) continue;
    const isPlain = argument(run, at, LinearArg.ENCODING) === Encoding.F32 && argument(run, at, LinearArg.M) === run.microBatch;
    if (!isPlain || argument(run, at, LinearArg.N) !== run.classes) continue;
    const k = argument(run, at, LinearArg.K);
    const w = parameterAt(argument(run, at, LinearArg.W), run.classes * k);
    const b = parameterAt(argument(run, at, LinearArg.B), run.classes);
    if (w < 0 || b < 0) continue;
    instruction = at;
    x = argument(run, at, LinearArg.X);
    features = k;
    weight = w;
    bias = b;
  }
  return weight >= 0;
}
function argument(run: Run, at: number, i: LinearArg): number {
  return run.arena.u32(run.arenaAt + at + 4 * (Instruction.Arguments + i));
}

/** Pictures of a class at most, so that there are `most` in all or fewer; those to learn from are counted. Begins to take some. */
export function quotaOf(run: Run, most: number): number {
  clearClasses(run, Part.Answered);
  if (run.train <= most) return run.train;
  let quota: number = 0;
  while (taken(run, quota + 1) <= most) quota += 1;
  return quota;
}
function taken(run: Run, quota: number): number {
  let sum: number = 0;
  for (let c: number = 0; c < run.classes; c++) sum += Math.min(classCount(run, Part.Learn, c), quota);
  return sum;
}
/** Whether the next picture, of that class, is taken: the first ones of each. */
export function isTaken(run: Run, label: number, quota: number): boolean {
  if (classCount(run, Part.Answered, label) >= quota) return false;
  countClass(run, Part.Answered, label);
  return true;
}
