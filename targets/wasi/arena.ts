/** The linear memory of a program, inside this program's own: the engine's sources run on it, with every address relative to it. */
import { Head } from '../../assembly/abi/head';
import { LayoutWord, Section } from '../../assembly/abi/program';
import { Status } from '../../assembly/abi/status';
import { writeConstants } from '../../assembly/engine/math';
import { walk } from '../../assembly/engine/run';
import { configure } from '../../assembly/engine/team';
import { arena, layoutWord, lineAt, lineBytes, portOffset, section, sectionBytes } from './program';
import { begin, ENGINE, finish } from './refuse';
import { number } from './text';

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

/** Has the program no such phase? */
export function isEmpty(phase: u32): bool {
  return layoutWord(LayoutWord.Entries + 2 * phase) == layoutWord(LayoutWord.Entries + 2 * phase + 1);
}

/**
 * Runs a phase to its end; a status that is not 0 ends the program with the node's name. With `mayFail` numbers that are not finite do not:
 * false says so.
 */
export function run(phase: u32, mayFail: bool = false): bool {
  return runUntil(phase, layoutWord(LayoutWord.Entries + 2 * phase + 1), mayFail);
}

/** The same up to the instruction at this offset. */
export function runUntil(phase: u32, end: u32, mayFail: bool = false): bool {
  const status = walk(layoutWord(LayoutWord.Entries + 2 * phase), end);
  if (status == Status.Ok) return true;
  if (mayFail && (status == Status.LossNotFinite || status == Status.GradientNotFinite)) return false;
  const n = lineBytes(Section.Symbols, load<u32>(arena + Head.FailedNode));
  begin(lineAt, n, reason(status));
  if (status > Status.BadEncoding && status != Status.OutputNotFinite) number(status);
  finish(status == Status.LossNotFinite || status == Status.GradientNotFinite ? 'pack with a smaller --lr' : '', ENGINE);
  return false;
}

function reason(status: i32): string {
  if (status == Status.UnknownOp) return 'unknown operator';
  if (status == Status.Truncated) return 'the code ends inside an instruction';
  if (status == Status.LossNotFinite) return 'the loss is not finite (NaN or infinite)';
  if (status == Status.GradientNotFinite) return 'the gradient is not finite (NaN or infinite)';
  if (status == Status.BadLabel) return 'a label lies outside the classes';
  if (status == Status.BadEncoding) return 'an encoding that the kernel does not have';
  if (status == Status.OutputNotFinite) return 'what the network puts out on the first pictures is not finite (NaN or infinite)';
  return 'status ';
}
