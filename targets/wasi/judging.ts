/** What judging says, class by class: counts, what was taken for what, what is called unknown. */
import { EpochRecord } from '../../assembly/abi/checkpoint';
import { Io, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Answer } from '../../assembly/abi/task';
import { putAnswers } from '../../assembly/runner/answers';
import { classCount } from '../../assembly/runner/classes';
import { Part, recordAt } from '../../assembly/runner/run';
import { port } from './arena';
import { isKnown, share, tells } from './known';
import { runWord, selectLine } from './program';
import { current } from './runner';
import { flush, say, STDOUT, to } from './text';
import { tellScore } from './tell';

/** Classes up to which is counted what was taken for what: memory is taken once, so for all programs alike. */
const MOST: u32 = 64;
const matrix = memory.data(16384);
/** The same for who does not judge. */
export const room: usize = matrix;
export const ROOM: u32 = 16384;
let refused: u32 = 0;

/** Counts the pass that was judged last. */
export function countPass(): void {
  if (runWord(RunField.Answer) != Answer.Class) return;
  const n = runWord(RunField.Classes);
  for (let row: u32 = 0; row < <u32>current.rows; row++) {
    if (tells && !isKnown(row)) refused++;
    if (n > MOST) continue;
    const at = matrix + ((load<u32>(port(Io.Labels) + (row << 2)) * n + load<u32>(port(Io.EvalChoices) + (row << 2))) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
}

function counted(part: Part, c: u32): f64 {
  return classCount(current, part, c);
}

/** Tells all of it. */
export function tellJudged(isJson: bool): void {
  to(STDOUT);
  const isClass = runWord(RunField.Answer) == Answer.Class;
  if (!isClass) tellMeasured(isJson);
  else if (isJson) tellJson();
  else tellText();
  say('\n');
  flush();
}

/** Of another task than classes: its score. */
function tellMeasured(isJson: bool): void {
  // The record of the first epoch is free where none is learnt.
  const record = recordAt(current, 0);
  putAnswers(current, record);
  const score = load<f64>(<usize>record, EpochRecord.Balanced);
  const loss = current.loss / current.count;
  if (isJson) {
    selectLine(Section.Score, 0);
    say('{^:~,"count":#,"loss":~}', score, current.count, loss);
  } else {
    tellScore(score);
    say(': # pictures, loss @4', current.count, loss);
  }
}

function tellText(): void {
  const accuracy = (100 * current.correct) / current.count;
  say('accuracy @1 %: # of # pictures, loss @4', accuracy, current.correct, current.count, current.loss / current.count);
  for (let c: u32 = 0, n = runWord(RunField.Classes); c < n; c++) {
    if (counted(Part.Judge, c) + counted(Part.Answered, c) == 0) continue;
    selectLine(Section.Labels, c);
    say('\n  &: # of # right, # answered', counted(Part.Correct, c), counted(Part.Judge, c), counted(Part.Answered, c));
  }
  if (tells) say('\ncalled unknown: # of # (@1 % were allowed)', refused, current.count, 100 * share);
}

function tellJson(): void {
  const n = runWord(RunField.Classes);
  const accuracy = current.correct / current.count;
  say('{"accuracy":~,"correct":#,"count":#,"loss":~,"classes":[', accuracy, current.correct, current.count, current.loss / current.count);
  for (let c: u32 = 0; c < n; c++) {
    selectLine(Section.Labels, c);
    say(c > 0 ? ',{"label":^' : '{"label":^');
    say(',"count":#,"answered":#,"correct":#}', counted(Part.Judge, c), counted(Part.Answered, c), counted(Part.Correct, c));
  }
  say('],"confusion":');
  if (n > MOST) say('null');
  else
    for (let at: u32 = 0; at < n * n; at++) {
      if (at % n == 0) say(at == 0 ? '[[' : '],[');
      else say(',');
      say('#', load<u32>(matrix + (at << 2)));
    }
  if (n <= MOST) say(']]');
  if (tells) say(',"unknown":{"share":~,"refused":#}}', share, refused);
  else say(',"unknown":null}');
}
