/** What a program says of weights that stay in a file: read off its instructions, of which it is the only place. */
import { AwaitWeightArg, PlaceWeightArg, Stored, StoreWeightArg } from '../../assembly/abi/ops/stored.ts';
import { Instruction, Op } from '../../assembly/abi/ops.ts';
import type { Phase } from '../graph/graph.ts';
import type { Program } from './program.ts';

/** Calls `see` with every instruction of a phase: its operator and its arguments. */
function eachInstruction(program: Program, phase: Phase, see: (op: number, argument: (i: number) => number) => void): void {
  const words = new DataView(program.image.buffer, program.image.byteOffset, program.image.byteLength);
  const { start, end } = program.entries[phase];
  for (let at = start - program.programOffset; at < end - program.programOffset; ) {
    const from = at + 4 * Instruction.Arguments;
    see(words.getInt32(at + 4 * Instruction.Op, true), (i) => words.getInt32(from + 4 * i, true));
    at += 4 * words.getInt32(at + 4 * Instruction.Words, true);
  }
}

/** Weights, by their number, that are put in their place when an instruction asks for them, and not before the first. */
export function weightsOnRequest(program: Program): Set<number> {
  const found = new Set<number>();
  eachInstruction(program, 'init', (op, argument) => {
    if (op === Op.PlaceWeight) found.add(argument(PlaceWeightArg.WEIGHT));
  });
  return found;
}

/** Bytes of the file in which a program keeps weights; 0: it needs none. */
export function storedBytes(program: Program): number {
  let end = 0;
  eachInstruction(program, 'init', (op, argument) => {
    if (op !== Op.StoreWeight) return;
    const bytes = Math.ceil(argument(StoreWeightArg.BYTES) / Stored.Unit) * Stored.Unit;
    end = Math.max(end, argument(StoreWeightArg.PLACE) * Stored.Unit + bytes);
  });
  return end;
}

/** Bytes that one pass of a phase reads from that file. */
export function bytesRead(program: Program, phase: Phase): number {
  let sum = 0;
  eachInstruction(program, phase, (op, argument) => {
    if (op === Op.AwaitWeight) sum += argument(AwaitWeightArg.BYTES);
  });
  return sum;
}
