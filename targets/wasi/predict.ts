/** What is on pictures that nobody has labelled: of an array, or raw on standard input, each H·W·C bytes of the program's size. */
import { fd_read, iovec } from 'bindings/wasi_snapshot_preview1';
import { Io, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Answer } from '../../assembly/abi/task';
import { exp64 } from '../../assembly/engine/math';
import { valuesOfOne } from '../../assembly/formats/examples';
import { EVAL, port, run } from './arena';
import { clearLabels, countOf, fillRow, LEARN } from './data';
import { distanceOf, isKnown, tells } from './known';
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
  const micro = runWord(RunField.MicroBatch);
  for (let from: u32 = 0; from < n; from += micro) {
    const count = min(micro, n - from);
    clearLabels();
    for (let row: u32 = 0; row < count; row++) fillRow(LEARN, from + row, row, false);
    run(EVAL);
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
    run(EVAL);
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

/** Classes with their softmax probabilities, the most probable first; in front of them that the picture is like nothing learnt, or its class not sure enough. */
function tellClasses(row: u32): void {
  const n = runWord(RunField.Classes);
  const logits = port(Io.Logits) + ((row * n) << 2);
  let largest = load<f32>(logits);
  for (let i: u32 = 1; i < n; i++) largest = max(largest, load<f32>(logits + (i << 2)));
  let sum: f64 = 0;
  for (let i: u32 = 0; i < n; i++) sum += exp64(<f64>load<f32>(logits + (i << 2)) - <f64>largest);
  if (!isFinite<f64>(sum)) fail(ENGINE, 0, 'the logits are not finite (NaN or infinite)');
  const known = !tells || isKnown(row);
  const isSure = 1 / sum >= threshold;
  if (isJson) {
    if (tells) say(known ? ',"known":true,"distance":~' : ',"known":false,"distance":~', distanceOf(row));
    if (threshold >= 0) say(isSure ? ',"sure":true' : ',"sure":false');
    say(',"classes":[');
  } else if (!known || !isSure) {
    say(known ? '  unsure' : '  unknown');
    if (top == 0) return;
  }
  let last: f32 = Infinity;
  let lastIndex: i32 = -1;
  for (let k: u32 = 0; k < min(max<u32>(top, 1), n); k++) {
    lastIndex = following(logits, n, last, lastIndex);
    last = load<f32>(logits + (lastIndex << 2));
    const odds = exp64(<f64>last - <f64>largest) / sum;
    selectLine(Section.Labels, lastIndex);
    if (isJson) say(k > 0 ? ',{"label":^,"probability":~}' : '{"label":^,"probability":~}', odds);
    else say('  & @1 %', 100 * odds);
  }
  if (isJson) say(']}');
}

/** The class after (last, lastIndex) by descending logit, then by index. */
function following(logits: usize, n: u32, last: f32, lastIndex: i32): i32 {
  let best: i32 = -1;
  for (let i: u32 = 0; i < n; i++) {
    const x = load<f32>(logits + (i << 2));
    if (x > last || (x == last && <i32>i <= lastIndex)) continue;
    if (best < 0 || x > load<f32>(logits + (best << 2))) best = i;
  }
  return best;
}
