/** The watch over a run, by the rules of abi/watch.ts, and the way back. */
import { CheckpointHead as Head, EpochRecord } from '../abi/checkpoint.ts';
import { State } from '../abi/head.ts';
import { AdamWArg, SgdArg } from '../abi/ops/update.ts';
import { Instruction, Op } from '../abi/ops.ts';
import { Answer } from '../abi/task.ts';
import { Astray, astray, constantTerm, isTime, SMALLER, showsLearning } from '../abi/watch.ts';
import { classCount, classesOf, mostFrequent } from './classes.ts';
import { stepsOf } from './schedule.ts';
import { headWord, hadLearnt, Part, recordAt, Run, setHeadWord, setStateWord, stateWord } from './run.ts';

/** The least mean loss of an answer that does not look at the picture; of numbers that of their means. */
function constantLoss(run: Run, part: Part, total: number): number {
  if (run.answer === Answer.Numbers) return total > 0 ? (part === Part.Learn ? run.trainZero : run.valZero) / total : 0;
  if (run.answer === Answer.Labels) return constantLabels(run, part, total);
  const smoothing = run.arena.f32(run.stateAt + State.Smoothing);
  let loss: number = 0;
  if (total > 0)
    for (let c: number = 0; c < run.classes; c++) loss += constantTerm(classCount(run, part, c), total, run.classes, smoothing);
  return loss;
}

/**
 * The least mean loss of training's where classes are weighed: of target m for a class, Σ -m·ln(m/M), M = Σ m, for the answer m/M. Those targets add up to 1 but where
 * labels are smoothed: then the loss of all classes alike is M times what it was.
 */
function weightedConstant(run: Run, smoothing: number): number {
  let labels: number = 0;
  for (let c: number = 0; c < run.classes; c++) labels += weightOf(run, c) * classCount(run, Part.Learn, c);
  let loss: number = 0;
  let whole: number = 0;
  for (let c: number = 0; c < run.classes; c++) {
    const part = weightOf(run, c) * ((1 - smoothing) * classCount(run, Part.Learn, c) + (smoothing * run.train) / run.classes);
    loss += constantTerm(part, labels, 1, 0);
    whole += part / labels;
  }
  run.uniform *= whole;
  return loss - constantTerm(whole, 1, 1, 0);
}
function weightOf(run: Run, c: number): number {
  return run.arena.f32(run.weightsAt + 4 * c);
}

/** Of every label how frequent it is. */
function constantLabels(run: Run, part: Part, total: number): number {
  const smoothing = run.arena.f32(run.stateAt + State.Smoothing);
  let loss: number = 0;
  if (total > 0)
    for (let c: number = 0; c < run.classes; c++) {
      const there = classCount(run, part, c);
      loss += constantTerm(there, total, 2, smoothing) + constantTerm(total - there, total, 2, smoothing);
    }
  return loss / run.classes;
}

/** The same of answers that are no class: no number of right ones shows learning, and the start is as good as any answer. */
function beginOther(run: Run): void {
  run.trainConstant = constantLoss(run, Part.Learn, run.train);
  run.valConstant = constantLoss(run, Part.Judge, run.val);
  run.trainMost = run.train;
  run.valMost = run.val;
  run.uniform = run.answer === Answer.Labels ? 2 * constantTerm(1, 2, 2, 0) : run.trainConstant;
  run.valClasses = 0;
}

/** The targets of both parts are counted. */
export function beginWatch(run: Run): void {
  if (run.answer !== Answer.Class) {
    beginOther(run);
    return;
  }
  const smoothing = run.arena.f32(run.stateAt + State.Smoothing);
  run.uniform = 0;
  for (let c: number = 0; c < run.classes; c++) run.uniform += constantTerm(1, run.classes, run.classes, smoothing);
  run.trainConstant = run.weightsAt === 0 || run.train === 0 ? constantLoss(run, Part.Learn, run.train) : weightedConstant(run, smoothing);
  run.trainMost = classCount(run, Part.Learn, mostFrequent(run, Part.Learn));
  run.valConstant = constantLoss(run, Part.Judge, run.val);
  run.valMost = classCount(run, Part.Judge, mostFrequent(run, Part.Judge));
  run.valClasses = classesOf(run, Part.Judge);
}

/** Whether the epoch whose steps and judging are done shows that something was learnt. */
export function hasLearnt(run: Run): boolean {
  const loss = run.own.f64(run.headAt + Head.Loss);
  return (
    showsLearning(loss, headWord(run, Head.Correct), headWord(run, Head.Count), run.trainMost, run.trainConstant) ||
    showsLearning(run.loss, run.correct, run.count, run.valMost, run.valConstant)
  );
}

/** What is wrong with it; its choices stand in its record. */
export function look(run: Run): Astray {
  const steps = stateWord(run, State.Step);
  if (!isTime(run.epoch + 1, run.epochs, steps, run.count, hadLearnt(run, headWord(run, Head.Epochs))) || hasLearnt(run)) return Astray.No;
  const mean = run.own.f64(run.headAt + Head.Loss) / headWord(run, Head.Count);
  const isOneAnswer = run.valClasses > 1 && run.own.u32(recordAt(run, run.epoch) + EpochRecord.Answers) === 1;
  return astray(mean, run.own.f32(run.headAt + Head.FirstLoss), run.trainConstant, run.uniform, isOneAnswer);
}

/** Whether every learnable number is finite. */
export function isSound(run: Run): boolean {
  const end = run.parametersAt + run.parameterBytes;
  for (let at = run.parametersAt; at < end; at += 4) if (!isFinite(run.arena.f32(at))) return false;
  return true;
}

/** To the best epoch if something had been learnt by then, else to the start. */
export function wayBack(run: Run): number {
  const best = headWord(run, Head.BestEpoch);
  return run.val > 0 && hadLearnt(run, best) ? best : 0;
}

/** Where epoch `to` has ended, with a smaller rate, and without gradients, moments and what came after. */
export function rewind(run: Run): void {
  const state = run.stateAt;
  const arena = run.arena;
  setStateWord(run, State.Step, stepsOf(run.to, run.train, run.batchSize));
  arena.setF32(state + State.BaseRate, arena.f32(state + State.BaseRate) * SMALLER);
  arena.setF32(state + State.Rate, 0);
  arena.setF32(state + State.Norm, 0);
  arena.setF32(state + State.ClipFactor, 0);
  arena.setF64(state + State.SumSquares, 0);
  arena.setF64(state + State.LossSum, 0);
  arena.setF64(state + State.Beta1Power, 1);
  arena.setF64(state + State.Beta2Power, 1);
  setStateWord(run, State.Correct, 0);
  setStateWord(run, State.Count, 0);
  setStateWord(run, State.Position, 0);
  setStateWord(run, State.Epoch, run.to);
  forget(run);
  setHeadWord(run, Head.Epochs, run.to);
  setHeadWord(run, Head.BestEpoch, run.to);
  setHeadWord(run, Head.Backs, headWord(run, Head.Backs) + 1);
}

/** Clears what the update accumulates: every gradient and every moment that its instructions name. */
function forget(run: Run): void {
  for (let at = run.updateAt; at < run.updateEnd; at += 4 * run.arena.u32(at + 4 * Instruction.Words)) {
    const op = run.arena.u32(at + 4 * Instruction.Op);
    const first = at + 4 * Instruction.Arguments;
    if (op === Op.AdamW) {
      forgetValue(run, first, AdamWArg.G, AdamWArg.N);
      forgetValue(run, first, AdamWArg.MEAN, AdamWArg.N);
      forgetValue(run, first, AdamWArg.VARIANCE, AdamWArg.N);
    } else if (op === Op.Sgd) {
      forgetValue(run, first, SgdArg.G, SgdArg.N);
      forgetValue(run, first, SgdArg.MOMENTUM, SgdArg.N);
    }
  }
}
function forgetValue(run: Run, first: number, value: number, count: number): void {
  run.arena.clear(run.arenaAt + run.arena.u32(first + 4 * value), 4 * run.arena.u32(first + 4 * count));
}

/** The reason as the end of "the run goes back: ". */
export function reasonOf(reason: Astray): string {
  if (reason === Astray.NotFinite) return 'the loss or the gradient is not finite';
  if (reason === Astray.Loss) return 'the loss is above its start, and above that of a constant answer';
  return 'one answer for every picture, and a loss no better than a constant one';
}
