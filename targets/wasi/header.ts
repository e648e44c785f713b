/** The headers of weights files (assembly/formats/safetensors.ts): where each tensor of the program's lists lies is noted. */
import { Section } from '../../assembly/abi/program';
import * as places from '../../assembly/formats/placement';
import * as header from '../../assembly/formats/safetensors';
import { isGood } from '../../assembly/formats/scan';
import { fileBytes } from './files';
import { selectLine, tensorTable } from './program';
import { byteAt, finishFault, openReader } from './reader';
import { begin, finish } from './refuse';
import { say, select, STDERR, to } from './text';
import { words } from './words';

const name = memory.data(1152);

export function forgetPlaces(): void {
  places.forgetPlaces(words, tensorTable);
}

/** Opens the file of that path, reads its header, and notes the places of the tensors of one of the program's lists. Returns the file. */
export function readHeader(path: usize, list: Section, file: u32): u32 {
  const fd = openReader(path);
  if (header.openHeader(byteAt, <f64>fileBytes, words, name)) while (header.nextTensor() && places.notePlace(list, file, words, name)) {}
  if (isGood() && header.fillsFile()) return fd;
  select(name, min(<usize>header.nameBytes, 100));
  to(STDERR);
  say(header.isAboutTensor ? 's2a: $, tensor &: ' : 's2a: $: ', path);
  if (places.misfit > 0) refuseShape();
  finishFault();
  return fd;
}

function refuseShape(): void {
  say('has the wrong shape, got [');
  for (let i: u32 = 0; i < <u32>header.rank; i++) say(i > 0 ? ', #' : '#', header.axis(i));
  say('], expected [');
  for (let i: u32 = 0, n = <u32>places.rankOf(places.misfit); i < n; i++) say(i > 0 ? ', #' : '#', places.sizeOf(places.misfit, i));
  say(']');
  finish();
}

/** Every tensor of the list has its place, or the first that has none is named. */
export function allPlaced(list: Section, path: usize): void {
  const line = places.firstMissing(list);
  if (line < 0) return;
  selectLine(Section.Names, <u32>line);
  begin(path);
  say('tensor & is missing');
  finish();
}
