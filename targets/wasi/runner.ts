/** The run of this program, as assembly/runner moves it on: laid over static memory, its numbers in this program's own. */
import { State } from '../../assembly/abi/head';
import { Io, LayoutWord, ParameterWord, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Run, stateWord } from '../../assembly/runner/run';
import { port, state, UPDATE } from './arena';
import { countOf, JUDGE, LEARN } from './data';
import { arena, classTable, countRecords, epochCount, layoutWord, runHead, runWord, section } from './program';
import { words } from './words';

export const current = changetype<Run>(memory.data(512));
if (offsetof<Run>() > 512) ERROR('the run is larger than the memory that it is laid over');

/** What the program says of its run; the parts of the pictures are open. */
export function openRun(): void {
  current.arena = words;
  current.own = words;
  current.counts = words;
  current.arenaAt = arena;
  current.stateAt = state();
  current.labelsAt = port(Io.Labels);
  current.choicesAt = port(Io.EvalChoices);
  current.updateAt = arena + layoutWord(LayoutWord.Entries + 2 * UPDATE);
  current.updateEnd = arena + layoutWord(LayoutWord.Entries + 2 * UPDATE + 1);
  current.headAt = runHead;
  current.countsAt = classTable;
  current.epochs = epochCount;
  current.batchSize = runWord(RunField.BatchSize);
  current.microBatch = runWord(RunField.MicroBatch);
  current.classes = runWord(RunField.Classes);
  current.patience = runWord(RunField.Patience);
  current.retries = runWord(RunField.Retries);
  current.train = countOf(LEARN);
  current.val = countOf(JUDGE);
  findParameters();
}

/** The parameters lie one after the other in the region: what `best` keeps. */
function findParameters(): void {
  let from: u32 = u32.MAX_VALUE;
  let end: u32 = 0;
  for (let i: u32 = 0, n = countRecords(Section.Parameters); i < n; i++) {
    const r = section(Section.Parameters) + i * (ParameterWord.Count << 2);
    const offset = load<u32>(r, ParameterWord.Offset << 2);
    const bytes = (load<u32>(r, ParameterWord.D0 << 2) * load<u32>(r, ParameterWord.D1 << 2) * load<u32>(r, ParameterWord.D2 << 2)) << 2;
    from = min(from, offset);
    end = max(end, offset + bytes);
  }
  current.parametersAt = arena + from;
  current.parameterBytes = end - from;
}

/** Optimizer steps that are done. */
export function steps(): u32 {
  return <u32>stateWord(current, State.Step);
}
