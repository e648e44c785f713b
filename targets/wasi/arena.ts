/** The linear memory of a program, inside this program's own: the engine's sources run on it, with every address relative to it. */
import { Head } from '../../assembly/abi/head';
import { LayoutWord, Section } from '../../assembly/abi/program';
import { isRequest, Status, statusText } from '../../assembly/abi/status';
import { writeConstants } from '../../assembly/engine/math';
import { resume, walk } from '../../assembly/engine/run';
import { configure } from '../../assembly/engine/team';
import { arena, layoutWord, portOffset, section, sectionBytes, selectLine } from './program';
import { begin, ENGINE, finish } from './refuse';
import { answer, loseChanged } from './stored';
import { say } from './text';

/** The phases, in the order of their entries. */
export const INIT: u32 = 0;
export const TRAIN: u32 = 1;
export const UPDATE: u32 = 2;
export const EVAL: u32 = 3;
export const RATES: u32 = 4;

/** Copies code and tables in, and writes the engine's constants. */
export function openArena(): void {
  memory.copy(arena + layoutWord(LayoutWord.ProgramOffset), section(Section.Image), sectionBytes(Section.Image));
  configure(arena, layoutWord(LayoutWord.ScratchOffset), layoutWord(LayoutWord.ScratchBytes), 0, 1);
  writeConstants();
}

/** The state block. */
export function state(): usize {
  return arena + layoutWord(LayoutWord.RegionOffset);
}
/** A port's bytes. */
export function port(id: u32): usize {
  return arena + portOffset(id);
}
/** Scratch of the one thread, for what is between two phases. */
export function stage(): usize {
  return arena + layoutWord(LayoutWord.ScratchOffset);
}
export function stageBytes(): usize {
  return min<usize>(65536, layoutWord(LayoutWord.ScratchBytes));
}

/** Where the instructions of a phase begin and end. */
export function startOf(phase: u32): u32 {
  return layoutWord(LayoutWord.Entries + 2 * phase);
}
export function endOf(phase: u32): u32 {
  return layoutWord(LayoutWord.Entries + 2 * phase + 1);
}

/**
 * Runs a phase to its end, or up to an instruction; a status that is not 0 ends the program with the node's name. With `mayFail` numbers that are not
 * finite do not: false says so.
 */
export function run(phase: u32, mayFail: bool = false, end: u32 = 0): bool {
  let status = walk(startOf(phase), end == 0 ? endOf(phase) : end);
  while (isRequest(status)) {
    answer(status);
    status = resume();
  }
  if (status == Status.Ok) return true;
  const isNotFinite = status == Status.LossNotFinite || status == Status.GradientNotFinite;
  if (mayFail && isNotFinite) return false;
  if (status == Status.StoredChanged) loseChanged();
  endAtNode(status, isNotFinite ? 'pack with a smaller --lr' : '');
  return false;
}

/** Ends the program with the node that failed. */
export function endAtNode(status: Status, hint: string): void {
  begin(0);
  selectLine(Section.Symbols, load<u32>(arena + Head.FailedNode));
  say('&: ');
  say(statusText(status));
  finish(status == Status.OutputNotFinite ? 'are these the weights that belong to the configuration?' : hint, ENGINE);
}
