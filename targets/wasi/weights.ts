/** The base weights: from the files of the model folder, by ranges, into their places in the arena; then the adapter's over them. */
import { State } from '../../assembly/abi/head';
import { LayoutWord, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Encoding } from '../../assembly/abi/weights';
import { shaAdd, shaBegin, shaEnd } from '../../assembly/digest/sha256';
import { placeFile, placeOffset, placeType, rowsAtOnce, strangers } from '../../assembly/formats/placement';
import { dataStart } from '../../assembly/formats/safetensors';
import { countLines, findLine, lineAt, lineBytes } from '../../assembly/formats/sections';
import { placeCoded } from '../../assembly/kernels/encode';
import { place } from '../../assembly/kernels/load';
import { INIT, run, stage, stageBytes, state } from './arena';
import { closeFile, fileBytes, needBytes, needFile } from './files';
import { allPlaced, forgetPlaces, readHeader } from './header';
import { appendBytes, copyPath, endsWith, lengthOf, pathIn, textOf } from './path';
import { arena, countRecords, layoutWord, section, sectionBytes, selectLine, Tensor, tensorOf } from './program';
import { begin, finish, refuse } from './refuse';
import { isStored } from './stored';
import { say } from './text';

const path = memory.data(1024);
const context = memory.data(128);
const digest = memory.data(32);
let file: u32 = 0;

/** Sets `path` to the i-th weights file: in the model folder, or the file itself where one was named. */
function fileOf(model: usize, i: u32): void {
  copyPath(path, model);
  if (isFile(model)) return;
  pathIn(path, model, '');
  findLine(Section.Files, i);
  appendBytes(path, <usize>lineAt, <usize>lineBytes);
}

/** Whether a path names a weights file and not a folder. */
function isFile(model: usize): bool {
  return lengthOf(model) > 12 && endsWith(textOf(model), lengthOf(model), '.safetensors');
}

/** Looks at every file of the model: all tensors are there, and it is the base that the program was packed for. */
export function openModelFolder(model: usize): void {
  const files = <u32>countLines(Section.Files);
  if (isFile(model) && files != 1) refuse(model, 'the weights are in several files, got 1, expected #', 'give the folder', files);
  forgetPlaces();
  for (let i: u32 = 0; i < files; i++) {
    fileOf(model, i);
    closeFile(readHeader(path, Section.Weights, i));
  }
  allPlaced(Section.Weights, model);
  shaBegin(context);
  for (let i: u32 = 0; i < files; i++) {
    fileOf(model, i);
    hashFile();
  }
  shaEnd(context, digest);
  if (memory.compare(digest, section(Section.Run) + RunField.Base, 32) != 0)
    refuse(model, 'these are other base weights (SHA-256) than the program was packed for', 'copy the model folder again');
}

function hashFile(): void {
  file = needFile(path);
  const room = stageBytes();
  for (let at: u64 = 0, size = fileBytes; at < size; at += room) {
    const n = <usize>min<u64>(room, size - at);
    needBytes(file, at, stage(), n, path);
    shaAdd(context, stage(), n);
  }
  closeFile(file);
}

/** Places every weight and runs `init`; `openModelFolder` has been called. */
export function loadBase(model: usize): void {
  store<u32>(state(), load<u32>(section(Section.Run) + RunField.State, State.Seed), State.Seed);
  const count = countRecords(Section.Weights);
  for (let f: u32 = 0, files = <u32>countLines(Section.Files); f < files; f++) {
    fileOf(model, f);
    file = needFile(path);
    for (let i: u32 = 0; i < count; i++) if (placeFile(i) == f && !isStored(i)) fillWeight(i);
    closeFile(file);
  }
  base = model;
  run(INIT);
}

/** The model that was loaded. */
let base: usize = 0;

/** Puts the i-th weight in its place, for an instruction that asks for it. */
export function placeWeight(i: u32): void {
  if (i >= countRecords(Section.Weights)) refuse(base, 'the program asks for a weight that it does not have', 'pack it again');
  fileOf(base, <u32>placeFile(i));
  file = needFile(path);
  fillWeight(i);
  closeFile(file);
}

function fillWeight(i: u32): void {
  const t = tensorOf(Section.Weights, i);
  if (t.encoding == Encoding.F32) fill(t, t.start, i);
  else fillCoded(t, i);
}

/** Reads one tensor's range through scratch into its place. */
function fill(t: Tensor, start: u32, record: u32): void {
  const type = <i32>placeType(record);
  const offset = <u64>placeOffset(record);
  const total = t.d0 * t.d1 * t.d2;
  const size: u32 = type == 0 ? 4 : 2;
  const room = <u32>(stageBytes() / size);
  let bad: u32 = 0;
  for (let at: u32 = 0; at < total; at += room) {
    const count = min(room, total - at);
    needBytes(file, offset + (<u64>start + at) * size, stage(), <usize>count * size, path);
    bad += place(stage(), type, at, count, arena + t.offset, t.d1, t.d2, t.s0, t.s1, t.s2);
  }
  checkFinite(t, bad);
}

/** The same for a weight in fewer bits: by whole output channels, beside which scratch holds them in f32. */
function fillCoded(t: Tensor, record: u32): void {
  const type = <i32>placeType(record);
  const offset = <u64>placeOffset(record);
  const size: u32 = type == 0 ? 4 : 2;
  const rowBytes = t.d1 * t.d2 * size;
  const scratch = layoutWord(LayoutWord.ScratchBytes);
  const most = <u32>rowsAtOnce(rowBytes, size, scratch, 65536);
  let bad: u32 = 0;
  for (let row: u32 = 0; row < t.d0; row += most) {
    const rows = min(most, t.d0 - row);
    const bytes = <usize>rows * rowBytes;
    if (bytes + 16 + <usize>rows * t.d1 * t.d2 * 4 > scratch) refuse(path, 'a weight does not fit the scratch', 'pack it again');
    needBytes(file, offset + <u64>t.start * size + <u64>row * rowBytes, stage(), bytes, path);
    const beside = stage() + ((bytes + 15) & ~15);
    bad += placeCoded(stage(), type, row, rows, arena + t.offset, t.encoding, t.d0, t.d1, t.d2, t.s1, t.s2, beside);
  }
  checkFinite(t, bad);
}

function checkFinite(t: Tensor, bad: u32): void {
  if (bad == 0) return;
  begin(path);
  selectLine(Section.Names, t.name);
  say('tensor & holds # numbers that are NaN or infinite', bad);
  finish();
}

/** Puts an adapter's numbers in place: of a folder, or of its weights file. It must be one that this program would write. */
export function applyAdapter(adapter: usize): void {
  copyPath(path, adapter);
  if (!isFile(adapter)) pathIn(path, adapter, 'adapter_model.safetensors');
  forgetPlaces();
  file = readHeader(path, Section.Parameters, 0);
  allPlaced(Section.Parameters, path);
  if (strangers > 0) refuse(path, 'has tensors without a place in this program, got #, expected 0', '', strangers);
  checkOwn();
  for (let i: u32 = 0, n = countRecords(Section.Parameters); i < n; i++) fill(tensorOf(Section.Parameters, i), 0, i);
  closeFile(file);
}

/** Labels, base and preprocessing stand in the header: it must be the very one. */
function checkOwn(): void {
  const head = section(Section.AdapterHead);
  const headBytes = <u64>sectionBytes(Section.AdapterHead);
  let isSame = <u64>dataStart == headBytes;
  const room = stageBytes();
  for (let at: u64 = 0; isSame && at < headBytes; at += room) {
    const n = <usize>min<u64>(room, headBytes - at);
    needBytes(file, at, stage(), n, path);
    isSame = memory.compare(stage(), head + <usize>at, n) == 0;
  }
  const what = 'was learnt with other labels, another base, another preprocessing, or with --lr where the other was not';
  if (!isSame) refuse(path, what, 'pack the program for it');
}
