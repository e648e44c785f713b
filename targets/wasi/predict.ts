/** What is on pictures that nobody has labelled: of an array, or raw on standard input, each H·W·C bytes of the program's size. */
import { fd_read, iovec } from 'bindings/wasi_snapshot_preview1';
import { Io, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Answer } from '../../assembly/abi/task';
import { exp64 } from '../../assembly/engine/math';
import { valuesOfOne } from '../../assembly/formats/examples';
import { port } from './arena';
import { clearLabels, countOf, fillRow, LEARN } from './data';
import { tells } from './known';
import { distance, known, look, oddsOf, picturesOfALook, takeAnswer } from './looks';
import { runWord, selectLine } from './program';
import { ENGINE, fail, refuse } from './refuse';
import { flush, say, STDOUT, to } from './text';

const vector = memory.data(8);
const word = memory.data(4);

/** How answers are told: how many classes, 0: nobody said; as JSON; the least probability of an answer, below 0: none. */
let top: u32 = 0;
let isJson: bool = false;
let threshold: f64 = -1;
export function tellBy(classes: u32, json: bool, least: f64): void {
  top = classes;
  isJson = json;
  threshold = least;
}

/** What is on every picture of the opened array, a line each. */
export function predictArray(): void {
  const n = countOf(LEARN);
  const micro = picturesOfALook();
  for (let from: u32 = 0; from < n; from += micro) {
    const count = min(micro, n - from);
    clearLabels();
    for (let row: u32 = 0; row < count; row++) fillRow(LEARN, from + row, row, false);
    look();
    for (let row: u32 = 0; row < count; row++) tell(from + row, row);
  }
}

/** The same for pictures that come one after the other on standard input: uint8, or f32 where the program takes those. */
export function predictRaw(): void {
  const size = <usize>valuesOfOne();
  const pixel = runWord(RunField.PixelBytes);
  for (let i: u32 = 0; ; i++) {
    clearLabels();
    const got = readPicture(port(Io.Pictures), size * pixel);
    if (got == 0 && i > 0) return;
    const hint = 'give raw pixels of the height and width that info tells';
    if (got < size * pixel) refuse(0, 'stdin: ends inside a picture, got #, expected #', hint, got, size * pixel);
    look();
    tell(i, 0);
  }
}

/** Reads until the picture is whole or the stream ends; returns its bytes. */
function readPicture(p: usize, n: usize): usize {
  let done: usize = 0;
  while (done < n) {
    const part = changetype<iovec>(vector);
    part.buf = p + done;
    part.buf_len = n - done;
    if (fd_read(0, vector, 1, word) != 0) break;
    const moved = <usize>load<u32>(word);
    if (moved == 0 || moved > n - done) break;
    done += moved;
  }
  return done;
}

/** A line: the picture's number, then what is said of it. */
function tell(index: u32, row: u32): void {
  const answer = runWord(RunField.Answer);
  to(STDOUT);
  say(isJson ? '{"index":#' : '#', index);
  if (answer == Answer.Class) tellClasses(row);
  else tellOutputs(row, answer == Answer.Numbers);
  say('\n');
  flush();
}

/** Numbers in their units; of labels those that are answered, with their probabilities. */
function tellOutputs(row: u32, isNumbers: bool): void {
  const n = runWord(RunField.Classes);
  let isNone = true;
  if (isJson) say(isNumbers ? ',"values":{' : ',"labels":[');
  for (let i: u32 = 0; i < n; i++) {
    const at = (row * n + i) << 2;
    const logit = <f64>load<f32>(port(Io.Logits) + at);
    if (!isFinite<f64>(logit)) fail(ENGINE, 0, 'the logits are not finite (NaN or infinite)');
    const answer = port(Io.EvalChoices) + at;
    const odds = 1 / (1 + exp64(-logit));
    if (!isNumbers && (threshold < 0 ? load<i32>(answer) == 0 : odds < threshold)) continue;
    if (isJson && !isNone) say(',');
    isNone = false;
    selectLine(Section.Labels, i);
    if (isNumbers) say(isJson ? '^:~' : '  & ~', load<f32>(answer));
    else if (isJson) say('{"label":^,"probability":~,"answered":true}', odds);
    else say('  & @1 %', 100 * odds);
  }
  if (isJson) say(isNumbers ? '}}' : ']}');
  else if (isNone) say('  none');
}

/** Classes with their probabilities, the most probable first; in front of them that the picture is like nothing learnt, or its class not sure enough. */
function tellClasses(row: u32): void {
  takeAnswer(row);
  let best = following(Infinity, -1);
  const isSure = oddsOf(best) >= threshold;
  if (isJson) {
    if (tells) say(known ? ',"known":true,"distance":~' : ',"known":false,"distance":~', distance);
    if (threshold >= 0) say(isSure ? ',"sure":true' : ',"sure":false');
    say(',"classes":[');
  } else if (!known || !isSure) {
    say(known ? '  unsure' : '  unknown');
    if (top == 0) return;
  }
  for (let k: u32 = 0; k < min(max<u32>(top, 1), runWord(RunField.Classes)); k++, best = following(oddsOf(best), best)) {
    const odds = oddsOf(best);
    selectLine(Section.Labels, best);
    if (isJson) say(k > 0 ? ',{"label":^,"probability":~}' : '{"label":^,"probability":~}', odds);
    else say('  & @1 %', 100 * odds);
  }
  if (isJson) say(']}');
}

/** The class after (last, lastIndex) by descending probability, then by index. */
function following(last: f64, lastIndex: i32): i32 {
  let best: i32 = -1;
  for (let i: i32 = 0, n = <i32>runWord(RunField.Classes); i < n; i++) {
    const x = oddsOf(i);
    if (x > last || (x == last && i <= lastIndex)) continue;
    if (best < 0 || x > oddsOf(best)) best = i;
  }
  return best < 0 ? 0 : best;
}
