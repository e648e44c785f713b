/**
 * What each instruction touches: every operator's function beside its arguments (abi/ops/) says, in the words of this file, how many bytes lie
 * behind each of its addresses, as its kernel reads and writes them, and which numbers its kernel can work with. A program from a file is held
 * against it before it runs (assembly/formats/program.ts), so no kernel asks again: whatever the numbers say, every access stays
 * where the plan has room for it.
 *
 *     program offset      image end        region        + state block                scratch
 *     | code and tables   | frozen weights | state block | parameters … temporaries   | one piece a thread |
 *     └── read ─────────────────────────────────────────────────────────────────────── ┘
 *                         └── written in init, but for the state block ─────────────── ┘
 *                                                        └── written in other phases ─ ┘
 *
 * Both compilers read it, so it is written in what the languages share, its numbers doubles on either side: no product wraps. The engine holds
 * none of it. The switch over the operators, `keepsWithin`, is generated (assembly/generated/extents.ts by tools/dispatch.mjs).
 */
import { State } from './head.ts';
import { Keep } from './keep.ts';
import { Encoding } from './weights.ts';
import { codedBytes, keptBytes } from './sizes.ts';

/** Numbers of which kernels take products with each other, as i32. */
export const MOST_PRODUCT = 0x7fffffff;
/** Steps, pads and tiles are far below it; with it their sums and products with sizes stay small. */
export const MOST_STEP = 0x7fff;
export const MOST_TILE = 0x100000;

/** An argument of the instruction in question, as a signed integer. */
let word: ((argument: i32) => number) | null = null;
let readFrom: number = 0;
let writeFrom: number = 0;
let state: number = 0;
let until: number = 0;
let scratchBytes: number = 0;
/** Whether all is well so far. */
export let isGood: boolean = true;
/** The argument that was found at fault, the first of them. */
export let fault: i32 = 0;
/** The one that was asked for last. */
let asked: i32 = 0;

/** Where the instructions to come may read and write, as drawn above, and how much scratch a thread has. */
export function allow(read: number, write: number, stateBlock: number, end: number, scratch: number): void {
  readFrom = read;
  writeFrom = write;
  state = stateBlock;
  until = end;
  scratchBytes = scratch;
}

/** Begins with an instruction. */
export function begin(argument: (i: i32) => number): void {
  word = argument;
  isGood = true;
  asked = 0;
}

/** What must hold for the kernel to stay within. */
export function demand(condition: boolean): void {
  if (!condition && isGood) {
    isGood = false;
    fault = asked;
  }
}

/** A number as it is. */
export function whole(argument: i32): number {
  asked = argument;
  return word!(argument);
}

/** A number from `least` to `most`. */
export function between(argument: i32, least: number, most: number): number {
  const value = whole(argument);
  demand(value >= least && value <= most);
  return value;
}

/** A number of things of which there is at least one. */
export function size(argument: i32): number {
  return between(argument, 1, MOST_PRODUCT);
}

/** A number of groups that divide so many channels evenly. */
export function groups(argument: i32, channels: number): number {
  const n = size(argument);
  demand(channels % n === 0);
  return n;
}

function address(argument: i32): number {
  const given = whole(argument);
  return given < 0 ? given + 4294967296 : given;
}

function touch(argument: i32, bytes: number, writes: boolean): void {
  const offset = address(argument);
  const end = offset + bytes;
  demand(offset % 16 === 0 && offset >= (writes ? writeFrom : readFrom) && end <= until);
  demand(!writes || offset >= state + State.Bytes || end <= state);
}

export function reads(argument: i32, bytes: number): void {
  touch(argument, bytes, false);
}
export function writes(argument: i32, bytes: number): void {
  touch(argument, bytes, true);
}
/** Operands that may be absent. */
export function mayRead(argument: i32, bytes: number): void {
  if (whole(argument) !== 0) reads(argument, bytes);
}
export function mayWrite(argument: i32, bytes: number): void {
  if (whole(argument) !== 0) writes(argument, bytes);
}
export function takesState(argument: i32): void {
  demand(address(argument) === state);
}
export function takesScratch(bytes: number): void {
  demand(bytes <= scratchBytes);
}

/** A frozen weight, or one that is written in its own encoding. */
export function weightBytes(encoding: i32, o: number, k: number): number {
  return codedBytes(between(encoding, Encoding.F32, Encoding.Int12), o, k);
}

/** What is kept of rows; `codes`: the argument that says in how many groups. */
export function rowsKept(keep: number, rows: number, c: number, codes: i32): number {
  demand(keep === Keep.Value || keep === Keep.Group4 || keep === Keep.Group8);
  return keptBytes(keep, rows, c, keep === Keep.Group8 ? groups(codes, c) : 1);
}
