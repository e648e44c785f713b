/** The base weights: from the files of the model folder, by ranges, into their places in the arena; then the adapter's over them. */
import { State } from '../../assembly/abi/head';
import { LayoutWord, ParameterWord, Section, WeightWord } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Encoding } from '../../assembly/abi/weights';
import { placeCoded } from '../../assembly/kernels/encode';
import { place } from '../../assembly/kernels/load';
import { INIT, run, stage, stageBytes, state } from './arena';
import { closeFile, fileBytes, measure, need, opened, openFile, readAt } from './files';
import { dataStart } from '../../assembly/formats/safetensors';
import { allPlaced, forgetPlaces, placeFile, placeOffset, placeType, readHeader, unknown } from './header';
import { appendBytes, copyPath, enter, lengthOf, textOf } from './path';
import { arena, countLines, countRecords, layoutWord, lineAt, lineBytes, recordBytes, section, sectionBytes } from './program';
import { begin, finish, refuse, refuseNumbers } from './refuse';
import { shaAdd, shaBegin, shaEnd } from '../../assembly/digest/sha256';
import { bytes, number, text } from './text';

const path = memory.data(1024);
const context = memory.data(128);
const digest = memory.data(32);

/** Sets `path` to the i-th weights file: in the model folder, or the file itself where one was named. */
function fileOf(model: usize, i: u32): void {
  copyPath(path, model);
  if (isFile(model)) return;
  const n = lineBytes(Section.Files, i);
  enter(path, '');
  appendBytes(path, lineAt, n);
}

/** Whether a path names a weights file and not a folder. */
function isFile(p: usize): bool {
  const n = lengthOf(p);
  return n > 12 && memory.compare(textOf(p) + n - 12, suffix, 12) == 0;
}
const suffix = memory.data<u8>([0x2e, 0x73, 0x61, 0x66, 0x65, 0x74, 0x65, 0x6e, 0x73, 0x6f, 0x72, 0x73]);

/** Looks at every file of the model: all tensors are there, and it is the base that the program was packed for. */
export function openModelFolder(model: usize): void {
  const files = countLines(Section.Files);
  if (isFile(model) && files != 1)
    refuseNumbers(textOf(model), lengthOf(model), 'the weights are in several files', 1, files, 'give the folder');
  forgetPlaces();
  for (let i: u32 = 0; i < files; i++) {
    fileOf(model, i);
    readHeader(textOf(path), lengthOf(path), Section.Weights, i);
    closeFile(opened);
  }
  allPlaced(Section.Weights, textOf(model), lengthOf(model));
  shaBegin(context);
  for (let i: u32 = 0; i < files; i++) {
    fileOf(model, i);
    hashFile();
  }
  shaEnd(context, digest);
  if (memory.compare(digest, section(Section.Run) + RunField.Base, 32) != 0)
    refuse(
      textOf(model),
      lengthOf(model),
      'these are other base weights (SHA-256) than the program was packed for',
      'copy the model folder again',
    );
}

function hashFile(): void {
  need(openFile(textOf(path), lengthOf(path)), textOf(path), lengthOf(path));
  need(measure(opened), textOf(path), lengthOf(path));
  const room = stageBytes();
  for (let at: u64 = 0, size = fileBytes; at < size; at += room) {
    const n = <usize>min<u64>(room, size - at);
    need(readAt(opened, at, stage(), n), textOf(path), lengthOf(path));
    shaAdd(context, stage(), n);
  }
  closeFile(opened);
}

/** Places every weight and runs `init`; `openModelFolder` has been called. */
export function loadBase(model: usize): void {
  store<u32>(state(), load<u32>(section(Section.Run) + RunField.State, State.Seed), State.Seed);
  const count = countRecords(Section.Weights);
  for (let file: u32 = 0, files = countLines(Section.Files); file < files; file++) {
    fileOf(model, file);
    need(openFile(textOf(path), lengthOf(path)), textOf(path), lengthOf(path));
    for (let i: u32 = 0; i < count; i++) {
      if (placeFile(i) != file) continue;
      const record = section(Section.Weights) + i * recordBytes(Section.Weights);
      const start = load<u32>(record, WeightWord.Start << 2);
      if (load<u32>(record, WeightWord.Encoding << 2) == Encoding.F32) fill(record, start, placeType(i), placeOffset(i));
      else fillCoded(record, start, placeType(i), placeOffset(i));
    }
    closeFile(opened);
  }
  run(INIT);
}

/** Reads one tensor's range through scratch into its place. */
function fill(record: usize, start: u32, type: i32, offset: u64): void {
  const n1 = load<u32>(record, WeightWord.D1 << 2);
  const n2 = load<u32>(record, WeightWord.D2 << 2);
  const total = load<u32>(record, WeightWord.D0 << 2) * n1 * n2;
  const size: u32 = type == 0 ? 4 : 2;
  const room = <u32>(stageBytes() / size);
  let bad: u32 = 0;
  for (let at: u32 = 0; at < total; at += room) {
    const count = min(room, total - at);
    need(readAt(opened, offset + (<u64>start + at) * size, stage(), <usize>count * size), textOf(path), lengthOf(path));
    bad += place(
      stage(),
      type,
      at,
      count,
      arena + load<u32>(record, WeightWord.Offset << 2),
      n1,
      n2,
      load<u32>(record, WeightWord.S0 << 2),
      load<u32>(record, WeightWord.S1 << 2),
      load<u32>(record, WeightWord.S2 << 2),
    );
  }
  checkFinite(record, bad);
}

/** The same for a weight in fewer bits: by whole output channels, beside which scratch holds them in f32. */
function fillCoded(record: usize, start: u32, type: i32, offset: u64): void {
  const o = load<u32>(record, WeightWord.D0 << 2);
  const n1 = load<u32>(record, WeightWord.D1 << 2);
  const n2 = load<u32>(record, WeightWord.D2 << 2);
  const size: u32 = type == 0 ? 4 : 2;
  const rowBytes = n1 * n2 * size;
  const scratch = layoutWord(LayoutWord.ScratchBytes);
  const room = min<u32>(65536, <u32>((<u64>(scratch - 16) * size) / (size + 4)));
  const most = max<u32>(1, room / rowBytes);
  let bad: u32 = 0;
  for (let row: u32 = 0; row < o; row += most) {
    const rows = min(most, o - row);
    const bytes = <usize>rows * rowBytes;
    if (bytes + 16 + <usize>rows * n1 * n2 * 4 > scratch)
      refuse(textOf(path), lengthOf(path), 'a weight does not fit the scratch', 'pack it again');
    need(readAt(opened, offset + <u64>start * size + <u64>row * rowBytes, stage(), bytes), textOf(path), lengthOf(path));
    bad += placeCoded(
      stage(),
      type,
      row,
      rows,
      arena + load<u32>(record, WeightWord.Offset << 2),
      load<u32>(record, WeightWord.Encoding << 2),
      o,
      n1,
      n2,
      load<u32>(record, WeightWord.S1 << 2),
      load<u32>(record, WeightWord.S2 << 2),
      stage() + ((bytes + 15) & ~15),
    );
  }
  checkFinite(record, bad);
}

function checkFinite(record: usize, bad: u32): void {
  if (bad == 0) return;
  begin(textOf(path), lengthOf(path), 'tensor ');
  const n = lineBytes(Section.Names, load<u32>(record));
  bytes(lineAt, n);
  text(' holds ');
  number(bad);
  text(' numbers that are NaN or infinite');
  finish();
}

/** Puts an adapter's numbers in place: of a folder, or of its weights file. It must be one that this program would write. */
export function applyAdapter(adapter: usize): void {
  copyPath(path, adapter);
  if (!isFile(adapter)) enter(path, 'adapter_model.safetensors');
  forgetPlaces();
  readHeader(textOf(path), lengthOf(path), Section.Parameters, 0);
  allPlaced(Section.Parameters, textOf(path), lengthOf(path));
  if (unknown > 0) refuseNumbers(textOf(path), lengthOf(path), 'has tensors without a place in this program', unknown, 0);
  checkOwn();
  for (let i: u32 = 0, n = countRecords(Section.Parameters); i < n; i++) {
    const record = section(Section.Parameters) + i * (ParameterWord.Count << 2);
    fill(record, 0, placeType(i), placeOffset(i));
  }
  closeFile(opened);
}

/** Labels, base and preprocessing stand in the header: it must be the very one. */
function checkOwn(): void {
  const head = section(Section.AdapterHead);
  const headBytes = <u64>sectionBytes(Section.AdapterHead);
  let isSame = <u64>dataStart == headBytes;
  const room = stageBytes();
  for (let at: u64 = 0; isSame && at < headBytes; at += room) {
    const n = <usize>min<u64>(room, headBytes - at);
    need(readAt(opened, at, stage(), n), textOf(path), lengthOf(path));
    isSame = memory.compare(stage(), head + <usize>at, n) == 0;
  }
  if (!isSame)
    refuse(
      textOf(path),
      lengthOf(path),
      'was learnt with other labels, another base, another preprocessing, or with --lr where the other was not',
      'pack the program for it',
    );
}
