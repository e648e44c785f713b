/** Training's host: what the run wants (assembly/runner) is done here. test/wasi/train.test.ts holds it to the adapter of src/training/train.ts. */
import { CheckpointHead } from '../../assembly/abi/checkpoint';
import { State } from '../../assembly/abi/head';
import { LayoutWord, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { headWord, Part, setStateWord, Want } from '../../assembly/runner/run';
import { beginJudging, beginRun, fail as failed, interrupt, mayGoBack, next } from '../../assembly/runner/runner';
import { stepsOf, warmupSteps } from '../../assembly/runner/schedule';
import { writeAdapter } from './adapter';
import { EVAL, run, state, TRAIN, UPDATE } from './arena';
import { clearCheckpoints, dataDigest, readEpoch, readLatest, writeCheckpoint } from './checkpoint';
import { countOf, digestData, fillLabels, fillOrder, fillPart, JUDGE } from './data';
import { guardEarlier } from './earlier';
import { need, opened } from './files';
import { headMetrics, startHead } from './headstart';
import { pathIn } from './path';
import { arena, countRecords, elements, layoutWord, runWord, section, tensorOf } from './program';
import { measureRates, tellRates } from './rates';
import { begin, ENGINE, fail, finish, INTERRUPTED, refuse } from './refuse';
import { countPass } from './judging';
import { current, openRun, steps } from './runner';
import { closeStored, isStored, openStored } from './stored';
import { logTo, summary, tellBack, tellEpoch, tellStart, tellStep } from './tell';
import { say } from './text';
import { applyAdapter, loadBase } from './weights';
import { makeFolder, openToWrite, remove, removeLeftovers } from './write';

const runFolder = memory.data(1024);
const bestFolder = memory.data(1024);
const startFolder = memory.data(1024);
const metricsPath = memory.data(1024);
const storedPath = memory.data(1024);

/**
 * Trains to the end, or for `most` steps (0: no limit), and writes the adapter to `out`. The data's parts are open, and so is the model folder. `stored`: the
 * file for weights that are streamed, 0: in the run's folder. `from`: the adapter that it begins with; 0: none.
 */
export function train(model: usize, out: usize, stored: usize, from: usize, resume: bool, overwrite: bool, every: u32, most: u32): void {
  makeFolder(out);
  pathIn(runFolder, out, 'run');
  pathIn(bestFolder, runFolder, 'best');
  pathIn(startFolder, runFolder, 'start');
  pathIn(metricsPath, runFolder, 'metrics.jsonl');
  makeFolder(runFolder);
  if (!resume && !overwrite) guardEarlier(out, runFolder);
  removeLeftovers(out);
  removeLeftovers(runFolder);
  removeLeftovers(bestFolder);
  removeLeftovers(startFolder);
  const streams = isStored(-1);
  if (stored != 0 && !streams) refuse(stored, 'is of use only where weights are streamed');
  pathIn(storedPath, runFolder, 'weights.s2aw');
  if (streams) openStored(stored != 0 ? stored : storedPath);
  loadBase(model);
  if (from != 0) applyAdapter(from);
  openRun();
  current.saveEvery = every;
  digestData(dataDigest);
  const goesOn = resume && readLatest(runFolder, state(), layoutWord(LayoutWord.RegionBytes), true);
  if (!goesOn) startRun(from == 0);
  need(openToWrite(metricsPath, goesOn), metricsPath, 'cannot be written: ');
  logTo(opened);
  headMetrics(opened);
  tellStart(goesOn);
  tellRates(opened, !goesOn);
  const finished = loop(most);
  // Saved at the end too: a finished run that is resumed has nothing left to do.
  save();
  if (!finished) fail(INTERRUPTED, runFolder, 'stopped, and saved at step #', '--resume continues it', steps());
  if (countOf(JUDGE) > 0) restore(<u32>headWord(current, CheckpointHead.BestEpoch));
  writeAdapter(out);
  if (streams) closeStored();
  if (streams && stored == 0) remove(storedPath);
  summary();
}

/** The state block as it was packed, its steps counted anew, for the pictures may be others; the head, the rates. */
function startRun(isNew: bool): void {
  clearCheckpoints(runFolder);
  clearCheckpoints(bestFolder);
  clearCheckpoints(startFolder);
  const s = state();
  memory.copy(s, section(Section.Run) + RunField.State, State.Bytes);
  const total = stepsOf(current.epochs, current.train, current.batchSize);
  setStateWord(current, State.TotalSteps, total);
  setStateWord(current, State.WarmupSteps, warmupSteps(total, load<f64>(section(Section.Run) + RunField.Warmup)));
  if (isNew && runWord(RunField.Head) != 0) startHead(runFolder);
  measureRates();
  if (runWord(RunField.Retries) > 0) keep(startFolder);
}

/** What the state block and the run's head were at the last step's start, where the sums of gradients were nothing. */
const stateBefore = memory.data(State.Bytes);
const headBefore = memory.data(CheckpointHead.Bytes);
let isMarked = false;
let isJudging = false;

function mark(): void {
  isJudging = false;
  if (load<u32>(state(), State.Position) % runWord(RunField.BatchSize) != 0) return;
  memory.copy(stateBefore, state(), State.Bytes);
  memory.copy(headBefore, <usize>current.headAt, CheckpointHead.Bytes);
  isMarked = true;
}

/** Saves the run as it stood before the pass that broke off, or before its step; false where none is under way. */
export function saveBefore(): bool {
  if (!isMarked) return false;
  if (isJudging) interrupt(current);
  else {
    memory.copy(state(), stateBefore, State.Bytes);
    memory.copy(<usize>current.headAt, headBefore, CheckpointHead.Bytes);
    for (let i: u32 = 0, n = countRecords(Section.Parameters); i < n; i++) {
      const t = tensorOf(Section.Parameters, i);
      if (t.start != 0) memory.fill(arena + t.start, 0, (<usize>elements(t)) << 2);
    }
  }
  save();
  return true;
}

function save(): void {
  writeCheckpoint(runFolder, state(), layoutWord(LayoutWord.RegionBytes), true);
}
function keep(folder: usize): void {
  writeCheckpoint(folder, <usize>current.parametersAt, <usize>current.parameterBytes, false);
}

/** Trains from wherever the state block says it stands. False where the limit of steps ended it. */
function loop(most: u32): bool {
  let taken: u32 = 0;
  beginRun(current);
  for (let want = next(current); want != Want.Done; want = next(current)) {
    if ((want == Want.Learn || want == Want.Judge) && most != 0 && taken == most) {
      interrupt(current);
      return false;
    }
    if (want == Want.Step) taken++;
    serve(want);
  }
  return true;
}

/** Does what the run wants. */
function serve(want: Want): void {
  if (want == Want.Learn) {
    mark();
    fillOrder(<u32>current.epoch);
    runSoundly(TRAIN);
  } else if (want == Want.Judge) {
    isJudging = true;
    fillPart(Part.Judge);
    runSoundly(EVAL);
  } else if (want == Want.Weigh) fillLabels(<u32>current.epoch);
  else if (want == Want.Update) runSoundly(UPDATE);
  else if (want == Want.Step) tellStep();
  else if (want == Want.Epoch) tellEpoch();
  else if (want == Want.Save) save();
  else if (want == Want.KeepBest) keep(bestFolder);
  else if (want == Want.Restore) restore(<u32>current.to);
  else if (want == Want.Back) tellBack();
  else fail(ENGINE, runFolder, 'a number that was learnt is NaN or infinite', 'pack with a smaller --lr');
}

/** Numbers that are not finite end the program only where the run may not go back. */
function runSoundly(phase: u32): void {
  if (!run(phase, mayGoBack(current))) failed(current);
}

/** Loss and accuracy over all pictures of a part, in order: `current` then holds them. */
export function judge(part: u32): void {
  openRun();
  current.val = countOf(part);
  beginJudging(current);
  while (next(current) == Want.Judge) {
    fillPart(part);
    run(EVAL);
    countPass();
  }
}

/** Puts the parameters of the best epoch back; those of the start where `epoch` is 0. */
function restore(epoch: u32): void {
  const folder = epoch == 0 ? startFolder : bestFolder;
  const found = readLatest(folder, <usize>current.parametersAt, <usize>current.parameterBytes, false, epoch);
  const got = found ? readEpoch() : 0;
  if (found && got == epoch) return;
  begin(folder);
  say(epoch == 0 ? 'does not hold the start of the run' : 'does not hold the best epoch');
  say(', got #, expected #', got, epoch);
  finish('it was changed while the run went on; start anew without --resume');
}
