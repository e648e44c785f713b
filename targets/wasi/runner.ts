/** The run of this program, as assembly/runner moves it on: laid over static memory, its numbers in this program's own. */
import { State } from '../../assembly/abi/head';
import { Io, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { parametersEnd, parametersFrom } from '../../assembly/formats/sections';
import { Run, stateWord } from '../../assembly/runner/run';
import { endOf, port, startOf, state, UPDATE } from './arena';
import { countOf, JUDGE, LEARN } from './data';
import { arena, classTable, epochCount, portOffset, runHead, runWord, section } from './program';
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
  current.updateAt = arena + startOf(UPDATE);
  current.updateEnd = arena + endOf(UPDATE);
  current.headAt = runHead;
  current.countsAt = classTable;
  current.epochs = epochCount;
  current.batchSize = runWord(RunField.BatchSize);
  current.microBatch = runWord(RunField.MicroBatch);
  current.classes = runWord(RunField.Classes);
  current.answer = runWord(RunField.Answer);
  current.better = runWord(RunField.Better);
  current.constantsAt = port(Io.Constants);
  current.weightsAt = portOffset(Io.ClassWeights) == 0 ? 0 : port(Io.ClassWeights);
  current.delta = <f64>load<f32>(section(Section.Run), RunField.Delta);
  current.patience = runWord(RunField.Patience);
  current.retries = runWord(RunField.Retries);
  current.train = countOf(LEARN);
  current.val = countOf(JUDGE);
  current.parametersAt = <f64>arena + parametersFrom();
  current.parameterBytes = parametersEnd() - parametersFrom();
}

/** Optimizer steps that are done. */
export function steps(): u32 {
  return <u32>stateWord(current, State.Step);
}
