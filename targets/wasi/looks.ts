/** Classes' probabilities of the picture in the port: softmax; over it and its mirror image; over the frames before it. As src/use/flips.ts and smoothing.ts. */
import { Io } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { exp64 } from '../../assembly/engine/math';
import { channelCount } from '../../assembly/formats/sections';
import { EVAL, port, run } from './arena';
import { ROOM, room } from './judging';
import { distanceOf, isKnown, tells } from './known';
import { classTable, runWord } from './program';
import { ENGINE, fail, refuse } from './refuse';

let flips: bool = false;
let frames: u32 = 1;
let seen: u32 = 0;

/** What was found of the picture that was looked at last. */
export let known: bool = true;
export let distance: f64 = 0;

/** Probability of class `i` of that picture. Judging has counts there. */
export function oddsOf(i: u32): f64 {
  return load<f64>(classTable + (i << 3));
}

/** How pictures are looked at: with their mirror images; over so many frames, of which there is room for as many as classes leave. */
export function lookBy(mirrors: bool, last: u32): void {
  flips = mirrors;
  frames = last;
  const most = max<u32>(1, ROOM / answerBytes());
  if (last > 1 && last > most) refuse(0, '--smooth: more frames than there is room for, got #, expected at most #', '', last, most);
}
/** Of one frame: a probability for each class, distance, and 1 where it is known. */
function answerBytes(): u32 {
  return (runWord(RunField.Classes) + 2) << 3;
}

/** Runs the network over the port; with mirror images over those first, for there is one picture then. */
export function look(): void {
  if (flips) {
    mirror();
    run(EVAL);
    softmax(0, mirrored());
    mirror();
  }
  run(EVAL);
}
export function picturesOfALook(): u32 {
  return flips ? 1 : runWord(RunField.MicroBatch);
}
function mirrored(): usize {
  return classTable + (runWord(RunField.Classes) << 3);
}

/** Takes what was said of a row. */
export function takeAnswer(row: u32): void {
  const n = runWord(RunField.Classes);
  softmax(row, classTable);
  if (flips) for (let i: u32 = 0; i < n; i++) store<f64>(classTable + (i << 3), (oddsOf(i) + load<f64>(mirrored() + (i << 3))) / 2);
  known = !tells || isKnown(row);
  distance = tells ? distanceOf(row) : 0;
  if (frames > 1) smooth(n);
}

function softmax(row: u32, to: usize): void {
  const n = runWord(RunField.Classes);
  const logits = port(Io.Logits) + ((row * n) << 2);
  let largest = load<f32>(logits);
  for (let i: u32 = 1; i < n; i++) largest = max(largest, load<f32>(logits + (i << 2)));
  let sum: f64 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const power = exp64(<f64>load<f32>(logits + (i << 2)) - <f64>largest);
    store<f64>(to + (i << 3), power);
    sum += power;
  }
  if (!isFinite<f64>(sum)) fail(ENGINE, 0, 'the logits are not finite (NaN or infinite)');
  for (let i: u32 = 0; i < n; i++) store<f64>(to + (i << 3), load<f64>(to + (i << 3)) / sum);
}

/** Left and right of the port's first picture change places. */
function mirror(): void {
  const pixel = <usize>(<u32>channelCount() * runWord(RunField.PixelBytes));
  const width = <usize>runWord(RunField.Width);
  let line = port(Io.Pictures);
  for (let y: u32 = 0, height = runWord(RunField.Height); y < height; y++, line += width * pixel)
    for (let a = line, b = line + (width - 1) * pixel; a < b; a += pixel, b -= pixel)
      for (let i: usize = 0; i < pixel; i++) {
        const byte = load<u8>(a + i);
        store<u8>(a + i, load<u8>(b + i));
        store<u8>(b + i, byte);
      }
}

/** The mean of the last frames, the oldest first, of fewer at the beginning; known is what more than half say, of two halves the newest. */
function smooth(n: u32): void {
  const bytes = answerBytes();
  const slot = room + (seen % frames) * bytes;
  memory.copy(slot, classTable, n << 3);
  store<f64>(slot + (n << 3), distance);
  store<f64>(slot + (n << 3), known ? 1 : 0, 8);
  seen++;
  const there = min(seen, frames);
  for (let i: u32 = 0; i < n; i++) store<f64>(classTable + (i << 3), sumOf(i, there) / there);
  distance = sumOf(n, there) / there;
  const votes = 2 * sumOf(n + 1, there);
  if (votes != <f64>there) known = votes > <f64>there;
}
function sumOf(i: u32, there: u32): f64 {
  let sum: f64 = 0;
  for (let k = seen - there; k < seen; k++) sum += load<f64>(room + (k % frames) * answerBytes() + (i << 3));
  return sum;
}
