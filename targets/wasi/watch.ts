/** The watch over a run, and the way back: the twin of src/training/watch.ts, by the same rules (assembly/abi/watch.ts). */
import { EpochRecord } from '../../assembly/abi/checkpoint';
import { State } from '../../assembly/abi/head';
import { Instruction, Op } from '../../assembly/abi/ops';
import { AdamWArg, SgdArg } from '../../assembly/abi/ops/update';
import { LayoutWord } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Astray, astray, constantTerm, isTime, SMALLER, showsLearning } from '../../assembly/abi/watch';
import { state, tallyCorrect, tallyCount, tallyLoss, UPDATE } from './arena';
import { epochCorrect, epochLoss, epochPictures, epochs, firstLoss, record } from './checkpoint';
import { countOf, JUDGE, LEARN } from './data';
import { answers, classesThere, findMost, labelled, mostCount } from './figures';
import { arena, epochCount, layoutWord, runWord } from './program';

/** What a constant answer reaches: by part the most right and the least loss, and the loss of all classes alike. */
const most = memory.data(8);
const least = memory.data(16);
let uniform: f64 = 0;
let judgedClasses: u32 = 0;

/** The labels of both parts are counted. */
export function beginWatch(): void {
  const classes = runWord(RunField.Classes);
  const smoothing = <f64>load<f32>(state(), State.Smoothing);
  uniform = 0;
  for (let c: u32 = 0; c < classes; c++) uniform += constantTerm(1, classes, classes, smoothing);
  for (let part = LEARN; part <= JUDGE; part++) {
    const total = countOf(part);
    let loss: f64 = 0;
    if (total > 0) for (let c: u32 = 0; c < classes; c++) loss += constantTerm(labelled(part, c), total, classes, smoothing);
    findMost(part);
    store<u32>(most + (part << 2), mostCount);
    store<f64>(least + (part << 3), loss);
    judgedClasses = classesThere;
  }
}

function shows(part: u32, loss: f64, correct: u32, count: u32): bool {
  return showsLearning(loss, correct, count, load<u32>(most + (part << 2)), load<f64>(least + (part << 3)));
}

/** Whether the epoch whose steps and judging are done shows that something was learnt. */
export function hasLearnt(): bool {
  return shows(LEARN, epochLoss, epochCorrect, epochPictures) || shows(JUDGE, tallyLoss, tallyCorrect, tallyCount);
}

/** What is wrong with it; `epoch` counts from 1. */
export function look(epoch: u32): Astray {
  const steps = load<u32>(state(), State.Step);
  const wasLearnt = epochs > 0 && (load<u32>(record(epochs - 1), EpochRecord.Flags) & 2) != 0;
  if (!isTime(epoch, epochCount, steps, tallyCount, wasLearnt) || hasLearnt()) return Astray.No;
  return astray(epochLoss / <f64>epochPictures, firstLoss, load<f64>(least), uniform, judgedClasses > 1 && answers == 1);
}

/** Puts the state block where `epoch` epochs have ended after `step` steps, with a smaller rate, and forgets gradients and moments. */
export function rewind(epoch: u32, step: u32): void {
  const s = state();
  store<u32>(s, step, State.Step);
  store<f32>(s, <f32>(<f64>load<f32>(s, State.BaseRate) * SMALLER), State.BaseRate);
  store<f32>(s, 0, State.Rate);
  store<f32>(s, 0, State.Norm);
  store<f32>(s, 0, State.ClipFactor);
  store<f64>(s, 0, State.SumSquares);
  store<f64>(s, 0, State.LossSum);
  store<f64>(s, 1, State.Beta1Power);
  store<f64>(s, 1, State.Beta2Power);
  store<u32>(s, 0, State.Correct);
  store<u32>(s, 0, State.Count);
  store<u32>(s, 0, State.Position);
  store<u32>(s, epoch, State.Epoch);
  forget();
}

/** Clears what the update accumulates: every gradient and every moment that its instructions name. */
function forget(): void {
  const end = arena + layoutWord(LayoutWord.Entries + 2 * UPDATE + 1);
  for (let p = arena + layoutWord(LayoutWord.Entries + 2 * UPDATE); p < end; p += <usize>load<u32>(p, Instruction.Words << 2) << 2) {
    const op = load<u32>(p);
    if (op == Op.AdamW) {
      clear(p, AdamWArg.G, AdamWArg.N);
      clear(p, AdamWArg.MEAN, AdamWArg.N);
      clear(p, AdamWArg.VARIANCE, AdamWArg.N);
    } else if (op == Op.Sgd) {
      clear(p, SgdArg.G, SgdArg.N);
      clear(p, SgdArg.MOMENTUM, SgdArg.N);
    }
  }
}

function argumentOf(p: usize, i: u32): usize {
  return <usize>load<u32>(p + ((Instruction.Arguments + i) << 2));
}
function clear(p: usize, value: u32, count: u32): void {
  memory.fill(arena + argumentOf(p, value), 0, argumentOf(p, count) << 2);
}

/** The reason, as src/training/watch.ts has it. */
export function reasonOf(reason: Astray): string {
  if (reason == Astray.NotFinite) return 'the loss or the gradient is not finite';
  if (reason == Astray.Loss) return 'the loss is above its start, and above that of a constant answer';
  return 'one answer for every picture, and a loss no better than a constant one';
}
