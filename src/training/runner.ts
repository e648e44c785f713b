/** The training loop's state machine (assembly/runner) over an engine's memory. */
import { Io } from '../../assembly/abi/program.ts';
import { countBytes } from '../../assembly/abi/task.ts';
import { Run } from '../../assembly/runner/run.ts';
import { wordsOf } from '../base/words.ts';
import type { Engine } from '../engine/engine.ts';
import { numel } from '../graph/graph.ts';
import type { Program } from '../program/program.ts';
import { CLASSIFY, taskOf } from '../task/index.ts';
import { History } from './history.ts';

/** What a run is given beside its program. */
export type RunSettings = Partial<Pick<Run, 'epochs' | 'batchSize' | 'train' | 'val' | 'patience' | 'retries' | 'saveEvery'>>;

/** A run that stands where the engine's state block and its history say. */
export function createRun({ program, memory }: Engine, settings: RunSettings, history = new History()): Run {
  const { microBatch, classes } = program.about;
  const task = taskOf(program.about.task ?? CLASSIFY.name, 'program');
  const [arena, table] = [new DataView(memory.buffer), new DataView(new ArrayBuffer(countBytes(task.answer) * classes))];
  const parameters = parametersOf(program);
  return Object.assign(new Run(), {
    ...{ arena: wordsOf(() => arena), own: history.words, counts: wordsOf(() => table) },
    stateAt: program.region.offset,
    labelsAt: program.io.get(Io.Labels)?.offset,
    choicesAt: program.io.get(Io.EvalChoices)?.offset,
    ...{
      answer: task.answer,
      better: task.better,
      delta: task.delta({ name: task.name, ...(program.about.loss ? { loss: program.about.loss } : {}) }),
    },
    constantsAt: program.io.get(Io.Constants)?.offset ?? 0,
    weightsAt: program.io.get(Io.ClassWeights)?.offset ?? 0,
    updateAt: program.entries.update.start,
    updateEnd: program.entries.update.end,
    parametersAt: parameters.offset,
    parameterBytes: parameters.bytes,
    microBatch,
    classes,
    ...settings,
  });
}

/** Where the parameters lie in the arena: one after the other. */
export function parametersOf({ parameters }: Program): { offset: number; bytes: number } {
  const ends = parameters.map((p) => p.offset + 4 * numel(p.dims));
  const offset = Math.min(...parameters.map((p) => p.offset));
  return { offset, bytes: Math.max(...ends) - offset };
}
