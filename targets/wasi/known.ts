/**
 * What unknown pictures are told by: known.safetensors beside the adapter (src/formats/knownfile.ts), laid out in the program's table as
 * src/training/known/distance.ts lays it out, number by number.
 */
import { beyondThreshold, distanceNumbers, DistanceTable } from '../../assembly/abi/ops/distance';
import { Io } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { shaAdd, shaBegin, shaEnd } from '../../assembly/digest/sha256';
import { settingOf } from '../../assembly/formats/checkpoint';
import { isText, readString, textBytes } from '../../assembly/formats/json';
import * as header from '../../assembly/formats/safetensors';
import { expect, isGood, openText, place, take } from '../../assembly/formats/scan';
import { port, stage, stageBytes } from './arena';
import { closeFile, fileBytes, needBytes, openFile } from './files';
import { copyPath, endsWith, leave, lengthOf, pathIn, textOf } from './path';
import { portBytes, portOffset, runWord } from './program';
import { byteAt, finishFault, openReader } from './reader';
import { begin, finish, refuse } from './refuse';
import { flush, say, STDERR, to } from './text';
import { words } from './words';

const path = memory.data(1024);
const name = memory.data(1152);
const context = memory.data(128);
const digest = memory.data(32);
const BAD = 'is not what an adapter knows, as s2a writes it';
const ADAPTER = '{"adapter":"';

/** Whether pictures are told, and the share of known ones that may be refused. */
export let tells: bool = false;
export let share: f64 = 0;

/** Whether the picture in that row of the last pass is like what was learnt. */
export function isKnown(row: u32): bool {
  return load<f32>(port(Io.Distances) + (row << 2)) <= load<f32>(port(Io.Known) + (DistanceTable.Threshold << 2));
}

/** How far it is; 1 is the farthest that is still known. */
export function distanceOf(row: u32): f64 {
  return <f64>load<f32>(port(Io.Distances) + (row << 2)) / <f64>load<f32>(port(Io.Known) + (DistanceTable.Threshold << 2));
}

/** Nothing can be told: one line, or the end where a share was asked for. */
function cannot(wasAsked: bool, why: string, a: f64 = 0, b: f64 = 0): void {
  to(STDERR);
  say(wasAsked ? 's2a: --unknown: ' : 'nothing is called unknown: ');
  say(why, a, b);
  if (wasAsked) finish('give off, or another adapter');
  say('\n');
  flush();
}

/** Reads what is beside the adapter that was put in place. `asked`: a share, 0: nothing is unknown, below 0: five per cent, where it can be told. */
export function openKnown(adapter: usize, asked: f64): void {
  const wasAsked = asked > 0;
  share = wasAsked ? asked : 0.05;
  if (asked == 0 || (portOffset(Io.Known) == 0 && !wasAsked)) return;
  if (portOffset(Io.Known) == 0) return cannot(wasAsked, 'the program was packed without what tells it');
  setFile(adapter, 'adapter_model.safetensors');
  hashAdapter();
  setFile(adapter, 'known.safetensors');
  if (openFile(path) != 0) return cannot(wasAsked, 'known.safetensors is not beside the adapter');
  closeFile(openReader(path));
  if (!isOwn()) return cannot(wasAsked, 'known.safetensors belongs to another adapter');
  const judged = readTable();
  const beyond = <u64>beyondThreshold(<f64>judged, share);
  if (beyond < 1) return cannot(wasAsked, 'training judged # pictures, too few for @1 %', <f64>judged, 100 * share);
  store<f32>(port(Io.Known), load<f32>(numbersAt(Tensor.Judged, judged - beyond)), DistanceTable.Threshold << 2);
  tells = true;
}

/** What lies beside the adapter, which is a folder or its weights file. */
function setFile(adapter: usize, file: string): void {
  copyPath(path, adapter);
  if (endsWith(textOf(path), lengthOf(path), '.safetensors')) leave(path);
  pathIn(path, path, file);
}

/** The text of the header's entry `s2a`, at the stage; its bytes. */
function readAbout(): u32 {
  openText(byteAt, header.metadataFrom, header.metadataTo);
  if (header.metadataTo == 0 || !expect(0x7b, BAD)) return 0;
  do {
    if (!readString(words, name, 64, BAD) || !expect(0x3a, BAD)) return 0;
    const isAbout = isText(words, name, textBytes, 's2a');
    if (!readString(words, stage(), isAbout ? <f64>stageBytes() : 0, BAD)) return 0;
    if (isAbout) return <u32>textBytes;
  } while (take(0x2c));
  return 0;
}

/** `digest` becomes the adapter's (src/formats/adapterfile.ts): what it says of itself, then names and numbers of its tensors. */
function hashAdapter(): void {
  const fd = openReader(path);
  header.openHeader(byteAt, <f64>fileBytes, words, name);
  while (header.nextTensor()) {}
  const bytes = readAbout();
  if (<usize>bytes > stageBytes()) refuse(path, 'says too much of itself to be read here, got # bytes', '', bytes);
  shaBegin(context);
  shaAdd(context, stage(), bytes);
  header.openHeader(byteAt, <f64>fileBytes, words, name);
  while (header.nextTensor()) {
    shaAdd(context, name, <usize>header.nameBytes);
    for (let at: u64 = 0, size = <u64>header.bytes, room = stageBytes(); at < size; at += room) {
      const n = <usize>min<u64>(room, size - at);
      needBytes(fd, <u64>header.offset + at, stage(), n, path);
      shaAdd(context, stage(), n);
    }
  }
  closeFile(fd);
  shaEnd(context, digest);
}

/** Where the tensors of the file lie, and their shapes: u64 offset, u32 rows, u32 columns, each. */
const enum Tensor {
  Means,
  Lengths,
  Directions,
  Variances,
  Judged,
  Count,
}
const tensors = memory.data(80);
function rowsOf(t: Tensor): u32 {
  return load<u32>(tensors + ((<usize>t) << 4), 8);
}
function columnsOf(t: Tensor): u32 {
  return load<u32>(tensors + ((<usize>t) << 4), 12);
}
function tensorNamed(): i32 {
  const n = header.nameBytes;
  if (isText(words, name, n, 'means')) return Tensor.Means;
  if (isText(words, name, n, 'lengths')) return Tensor.Lengths;
  if (isText(words, name, n, 'directions')) return Tensor.Directions;
  if (isText(words, name, n, 'variances')) return Tensor.Variances;
  return isText(words, name, n, 'judged') ? Tensor.Judged : -1;
}

/** Reads the header; whether it names the adapter whose digest was taken. A file that is none ends the program. */
function isOwn(): bool {
  memory.fill(tensors, 0, 80);
  const fd = openReader(path);
  if (header.openHeader(byteAt, <f64>fileBytes, words, name))
    while (header.nextTensor()) {
      const t = tensorNamed();
      const isMatrix = t == Tensor.Means || t == Tensor.Directions;
      if (t < 0 || header.type != 0 || header.rank != (isMatrix ? 2 : 1) || header.bytes >= 4294967296.0) refuse(path, BAD);
      const at = tensors + ((<usize>t) << 4);
      store<u64>(at, <u64>header.offset);
      store<u32>(at, <u32>header.axis(0), 8);
      store<u32>(at, isMatrix ? <u32>header.axis(1) : 1, 12);
    }
  if (!isGood() || !header.fillsFile()) {
    begin(path);
    finishFault();
  }
  const bytes = readAbout();
  const version = settingOf(words, stage(), min<f64>(bytes, <f64>stageBytes()), '"version":');
  const at = <usize>ADAPTER.length;
  const isAbout = <usize>bytes > at + 64 && <usize>bytes <= stageBytes() && isText(words, stage(), <f64>at, ADAPTER);
  if (!isAbout || version < 1 || version > 2) refuse(path, BAD);
  let isSame = true;
  for (let i: usize = 0; i < 32; i++) {
    const byte = load<u8>(digest + i);
    isSame = isSame && hex(byte >> 4) == load<u8>(stage() + at + 2 * i) && hex(byte & 15) == load<u8>(stage() + at + 2 * i, 1);
  }
  knownFile = fd;
  return isSame;
}
let knownFile: u32 = 0;

function hex(digit: u32): u32 {
  return digit < 10 ? 0x30 + digit : 0x57 + digit;
}

/** One number of a tensor, or several from there on, at the stage. */
function numbersAt(t: Tensor, i: u64, count: usize = 1): usize {
  needBytes(knownFile, load<u64>(tensors + ((<usize>t) << 4)) + (i << 2), stage(), count << 2, path);
  return stage();
}

/** Fills the table; returns how many pictures were judged. */
function readTable(): u64 {
  const n = runWord(RunField.Classes);
  const f = columnsOf(Tensor.Means);
  const k = rowsOf(Tensor.Directions);
  const isFit =
    rowsOf(Tensor.Means) == n &&
    rowsOf(Tensor.Lengths) == n &&
    rowsOf(Tensor.Variances) == k + 1 &&
    columnsOf(Tensor.Directions) == f &&
    distanceNumbers(f, n, k) * 4 == <f64>portBytes(Io.Known);
  if (!isFit) refuse(path, 'knows of other classes or features than the program has', 'pack the program for this adapter');
  const inverses = port(Io.Known) + (DistanceTable.Lists << 2);
  const placed = inverses + ((<usize>(k + 1)) << 2);
  const means = placed + ((<usize>n * k) << 2);
  const directions = means + ((<usize>n * f) << 2);
  read(Tensor.Variances, inverses, 0, Infinity);
  read(Tensor.Means, means, -1.001, 1.001);
  read(Tensor.Directions, directions, -1.001, 1.001);
  for (let i: usize = 0; i <= k; i++) {
    const variance = <f64>load<f32>(inverses + (i << 2));
    if (variance == 0) refuse(path, BAD);
    store<f32>(inverses + (i << 2), <f32>(1 / variance));
  }
  for (let c: usize = 0; c < n; c++)
    for (let j: usize = 0; j < k; j++) {
      let sum: f64 = 0;
      for (let i: usize = 0; i < f; i++)
        sum += <f64>load<f32>(means + ((c * f + i) << 2)) * <f64>load<f32>(directions + ((j * f + i) << 2));
      store<f32>(placed + ((c * k + j) << 2), <f32>sum);
    }
  const judged = <u64>rowsOf(Tensor.Judged);
  let last: f32 = 0;
  for (let i: u64 = 0, room = <u64>stageBytes() >> 2; i < judged; i += room) {
    const count = <usize>min<u64>(room, judged - i);
    const numbers = numbersAt(Tensor.Judged, i, count);
    for (let r: usize = 0; r < count; r++) {
      const distance = load<f32>(numbers + (r << 2));
      if (!(distance >= last) || distance == Infinity) refuse(path, BAD);
      last = distance;
    }
  }
  return judged;
}

/** A tensor's numbers to their place, each within these bounds. */
function read(t: Tensor, to: usize, least: f32, most: f32): void {
  const count = <usize>rowsOf(t) * columnsOf(t);
  needBytes(knownFile, load<u64>(tensors + ((<usize>t) << 4)), to, count << 2, path);
  for (let i: usize = 0; i < count; i++) {
    const value = load<f32>(to + (i << 2));
    if (!(value >= least && value <= most) || abs(value) == Infinity) refuse(path, BAD);
  }
}
