/** The arrays of both parts, `{train,val}-{images,labels}.npy` (assembly/formats/examples.ts): opened, and put into the program's ports. */
import { State } from '../../assembly/abi/head';
import { Io } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { sampleAt } from '../../assembly/engine/random';
import * as examples from '../../assembly/formats/examples';
import { axes, axis } from '../../assembly/formats/npy';
import { channelCount } from '../../assembly/formats/sections';
import { clearTargets, countTarget } from '../../assembly/runner/answers';
import { Part, stateWord } from '../../assembly/runner/run';
import { port, stage, stageBytes } from './arena';
import { append, copyPath, pathIn } from './path';
import { portBytes, portOffset, runWord } from './program';
import { openArray } from './reader';
import { begin, finish } from './refuse';
import { current } from './runner';
import { say } from './text';
import { files, know, words } from './words';

export const LEARN: u32 = Part.Learn;
export const JUDGE: u32 = Part.Judge;

const parts = memory.data(256);
const paths = memory.data(4096);
const raw = memory.data(8);
const digest = memory.data(32);

/** A part, laid over static memory; its files are known by twice its number and the one after. */
function at(part: u32): examples.Examples {
  return changetype<examples.Examples>(parts + (part << 7));
}
if (offsetof<examples.Examples>() > 128) ERROR('it is larger than the memory that it is laid over');
export function countOf(part: u32): u32 {
  return <u32>at(part).count;
}
function imagePath(part: u32): usize {
  return paths + (part << 11);
}
function labelPath(part: u32): usize {
  return imagePath(part) + 1024;
}

/** Opens images of that path into a part: their shape must be the program's, their element type one that it takes. */
export function openImages(part: u32, from: usize, mayBeEmpty: bool = false): void {
  const path = imagePath(part);
  copyPath(path, from);
  know(2 * part, openArray(path), path);
  if (!examples.hasShape()) {
    begin(path);
    say('has the wrong shape, got [');
    for (let i: u32 = 0; i < <u32>axes; i++) say(i > 0 ? ', #' : '#', axis(i));
    say('], expected [N, #, #, #]', runWord(RunField.Height), runWord(RunField.Width), channelCount());
    finish();
  }
  at(part).images = 2 * part;
  examples.takeImages(files, at(part), mayBeEmpty);
}

/** Opens `<name>-images.npy` and `<name>-labels.npy` of a folder; what is judged by while training may hold nothing. */
export function openPart(part: u32, folder: usize, name: string, mayBeEmpty: bool = false): void {
  pathIn(imagePath(part), folder, name);
  append(imagePath(part), '-images.npy');
  openImages(part, imagePath(part), mayBeEmpty);
  const path = labelPath(part);
  pathIn(path, folder, name);
  append(path, '-labels.npy');
  know(2 * part + 1, openArray(path), path);
  at(part).labels = 2 * part + 1;
  at(part).rawAt = raw;
  examples.takeLabels(files, at(part));
}

/** The class of a picture; one that the program lacks ends the program. */
export function labelOf(part: u32, index: u32): u32 {
  return <u32>examples.classOf(files, at(part), index, words);
}

/** One row of the ports: picture `index`, with its label where that is known. */
export function fillRow(part: u32, index: u32, row: u32, isLabelled: bool = true): void {
  const bytes = examples.valuesOfOne() * runWord(RunField.PixelBytes);
  examples.readInto(files, at(part), index, words, <f64>port(Io.Pictures) + row * bytes);
  if (isLabelled) fillLabel(part, index, row);
}
function fillLabel(part: u32, index: u32, row: u32): void {
  examples.readTargets(files, at(part), index, words, <f64>port(Io.Labels) + row * examples.targetSize());
}

/** Marks every row as padding. */
export function clearLabels(): void {
  memory.fill(port(Io.Labels), 0xff, portBytes(Io.Labels));
}

/** The picture at a place of an epoch's order, which begins anew behind the last. */
function atPlace(place: u32, epoch: u32): u32 {
  const n = countOf(LEARN);
  return sampleAt(place % n, n, <u32>stateWord(current, State.Seed), epoch);
}

/** The pictures that the run wants, in an epoch's order, from the first again after the last; with the numbers that augmentation counts by. */
export function fillOrder(epoch: u32): void {
  const number = epoch * countOf(LEARN);
  const first = <u32>current.first;
  clearLabels();
  for (let row: u32 = 0, rows = <u32>current.rows; row < rows; row++) {
    if (portOffset(Io.Samples) != 0) store<u32>(port(Io.Samples) + (row << 2), number + first + row);
    fillRow(LEARN, atPlace(first + row, epoch), row);
  }
  if (portOffset(Io.Partner) != 0) fillPartner(epoch, number);
}
/** The picture that is paired with one of the pass; where there is none its number is that of the place behind the pass. */
function fillPartner(epoch: u32, number: u32): void {
  const isThere = current.partner >= 0;
  const place = isThere ? <u32>current.partner : <u32>current.first + <u32>current.microBatch;
  store<u32>(port(Io.PartnerSample), number + place);
  store<i32>(port(Io.PartnerLabel), -1);
  if (!isThere) return;
  const index = atPlace(place, epoch);
  examples.readTargets(files, at(LEARN), index, words, <f64>port(Io.PartnerLabel));
  examples.readInto(files, at(LEARN), index, words, <f64>port(Io.Partner));
}
/** The labels alone of the pictures that the run wants, in an epoch's order. */
export function fillLabels(epoch: u32): void {
  for (let row: u32 = 0, rows = <u32>current.rows; row < rows; row++) fillLabel(LEARN, atPlace(<u32>current.first + row, epoch), row);
}
/** The pictures of a part that the run wants, one after the other. */
export function fillPart(part: u32): void {
  clearLabels();
  for (let row: u32 = 0, rows = <u32>current.rows; row < rows; row++) fillRow(part, <u32>current.first + row, row);
}

/**
 * Reads all pictures and labels once: every label is a class, and counted, every number finite; SHA-256 to `out`, as src/data/digest.ts has it: of both
 * parts the count, then of each picture the SHA-256 of its pixels and its label or targets.
 */
export function digestData(out: usize): void {
  files.beginDigest(0);
  for (let part = LEARN; part <= JUDGE; part++) {
    const count = countOf(part);
    clearTargets(current, part);
    store<u32>(raw, count);
    files.addDigest(0, raw, 4);
    for (let i: u32 = 0; i < count; i++) {
      // The port is free until the first pass.
      const target = <f64>port(Io.Labels);
      examples.readTargets(files, at(part), i, words, target);
      examples.digestOf(files, at(part), i, words, stage(), stageBytes(), digest);
      files.addDigest(0, digest, 32);
      countTarget(current, part, words, target);
      files.addDigest(0, target, examples.targetSize());
    }
  }
  files.endDigest(0, out);
}
