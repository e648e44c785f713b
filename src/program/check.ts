/** What a decoded program must satisfy before an engine may run it: everything lies in the arena, and where it should. */

import { allow, fault as faulty } from '../../assembly/abi/bounds.ts';
import { Head, State } from '../../assembly/abi/head.ts';
import { Instruction } from '../../assembly/abi/ops.ts';
import { Io } from '../../assembly/abi/program.ts';
import { codedBytes } from '../../assembly/abi/sizes.ts';
import { Encoding } from '../../assembly/abi/weights.ts';
import { keepsWithin } from '../../assembly/generated/extents.ts';
import { PHASES } from '../graph/graph.ts';
import { PAGE, type Range } from '../plan/memory.ts';
import { SIGNATURES } from './arguments.ts';
import type { Placed, Program, WeightRecord } from './program.ts';

/** Returns never; the caller makes its error of the sentence. */
type Fault = (what: string) => never;

const inside = (r: Range, outer: Range): boolean => r.offset >= outer.offset && r.offset + r.bytes <= outer.offset + outer.bytes;
const overlap = (a: Range, b: Range): boolean => a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

/** Most threads that a plan may reserve scratch for, and the least of it: what files are read through. */
const MOST_THREADS = 256;
const LEAST_SCRATCH = 1024;

export function checkProgram(p: Program, fault: Fault): void {
  if (p.linearBytes === 0 || p.linearBytes % PAGE !== 0) fault(`${p.linearBytes} bytes of memory are not whole pages`);
  if (p.maxThreads < 1 || p.maxThreads > MOST_THREADS) fault(`has scratch for ${p.maxThreads} threads`);
  const arena: Range = { offset: Head.Bytes, bytes: p.linearBytes - Head.Bytes };
  const image: Range = { offset: p.programOffset, bytes: p.image.length };
  const scratch: Range = { offset: p.scratch.offset, bytes: p.scratch.bytes * p.maxThreads };
  const own: [string, Range][] = [
    ['program region', image],
    ['checkpoint region', p.region],
    ['scratch', scratch],
  ];
  for (const [name, range] of own) {
    if (range.offset % 16 !== 0 || range.bytes % 16 !== 0) fault(`the ${name} is not aligned`);
    if (!inside(range, arena)) fault(`the ${name} lies outside the memory`);
    for (const [other, second] of own) if (range !== second && overlap(range, second)) fault(`${name} and ${other} overlap`);
  }
  // The order in which the extents of instructions are bounded (assembly/abi/bounds.ts).
  const end = (r: Range): number => r.offset + r.bytes;
  if (end(image) > p.region.offset || end(p.region) > scratch.offset) fault('program, checkpoint region and scratch are out of order');
  // The host stages weights in scratch.
  if (p.scratch.bytes < LEAST_SCRATCH || p.scratch.bytes % 16 !== 0) fault(`has ${p.scratch.bytes} bytes of scratch`);
  if (p.region.bytes < State.Bytes) fault('the checkpoint region has no state block');

  checkCode(p, image, fault);
  /** Data: aligned, inside the arena, neither on the program nor on scratch. */
  const data = (name: string, range: Range, within: Range): void => {
    if (range.offset % 16 !== 0 || !inside(range, within)) fault(`${name} lies outside its region`);
    if (overlap(range, image) || overlap(range, scratch)) fault(`${name} overlaps the program or scratch`);
  };
  for (const w of p.weights) {
    const n = checkPlaced(w, arena, fault);
    if (!(w.encoding <= Encoding.Int12)) fault(`${w.name} has an unknown encoding`);
    if (w.encoding !== Encoding.F32) checkRows(w, fault);
    data(w.name, { offset: w.offset, bytes: codedBytes(w.encoding, w.dims[0], n / w.dims[0]) }, arena);
    if (w.start + n > w.shape.reduce((a, b) => a * b, 1)) fault(`${w.name} takes more than the tensor has`);
  }
  for (const w of p.parameters) {
    const bytes = 4 * checkPlaced(w, arena, fault);
    data(w.name, { offset: w.offset, bytes }, p.region);
    if (w.gradient !== 0) data(`${w.name}, gradient`, { offset: w.gradient, bytes }, p.region);
  }
  for (const [id, range] of p.io) {
    if (id < Io.Pictures || id > Io.Constants) fault(`has an unknown port ${id}`);
    if (id !== Io.Pictures && range.bytes % 4 !== 0) fault(`port ${id} is not made of words`);
    if (id !== Io.Constants) data(`port ${id}`, range, arena);
    else if (range.offset % 16 !== 0 || !inside(range, image)) fault('the constants of the task lie outside the program');
  }
}

/** Number of elements; the strides must lay them without gaps or overlap. */
function checkPlaced({ name, dims, strides, shape }: Placed, arena: Range, fault: Fault): number {
  let n = 1;
  let last = 0;
  for (const [i, dim] of dims.entries()) {
    n *= dim;
    last += (dim - 1) * strides[i]!;
    // Checked step by step, so that no product leaves the whole numbers.
    if (dim === 0 || 4 * n > arena.bytes || 4 * last > arena.bytes) fault(`${name} does not fit the memory`);
  }
  if (last !== n - 1) fault(`${name} leaves gaps`);
  let file = 1;
  for (const size of shape) {
    file *= size;
    if (size === 0 || file > 2 ** 40) fault(`${name} has an impossible shape`);
  }
  return n;
}

/** A coded weight comes channel by channel: each whole in the file, and laid out alike. */
function checkRows({ name, dims, strides }: WeightRecord, fault: Fault): void {
  const [[, n1, n2], [s0, s1, s2]] = [dims, strides];
  const byRow = s0 === n1 * n2 && (n1 - 1) * s1 + (n2 - 1) * s2 === n1 * n2 - 1;
  if (!byRow) fault(`${name} is not laid out by channels`);
}

/** Phases inside the image, cut into whole instructions of known operators, which touch nothing but what they may. */
function checkCode(p: Program, image: Range, fault: Fault): void {
  const words = new DataView(p.image.buffer, p.image.byteOffset, p.image.byteLength);
  let expected = 0;
  for (const phase of PHASES) {
    const { start, end } = p.entries[phase];
    if (start % 4 !== 0 || end % 4 !== 0 || end < start || !inside({ offset: start, bytes: end - start }, image))
      fault(`${phase} lies outside the program`);
    const writable = phase === 'init' ? image.offset + image.bytes : p.region.offset;
    allow(image.offset, writable, p.region.offset, p.scratch.offset, p.scratch.bytes);
    for (let at = start - image.offset; at < end - image.offset; ) {
      const word = (i: number): number => words.getInt32(at + 4 * i, true);
      if (at + 4 * Instruction.Arguments > end - image.offset) fault(`${phase} ends inside an instruction`);
      const length = word(Instruction.Words);
      const signature = SIGNATURES.get(word(Instruction.Op)) ?? fault(`${phase} has an unknown operator`);
      const count = signature.arguments.length;
      if (length !== Instruction.Arguments + count || at + 4 * length > end - image.offset)
        fault(`${phase}: ${signature.op} has ${length} words`);
      if (word(Instruction.Node) !== expected++) fault(`${phase}: a node is out of order`);
      if (word(Instruction.Barrier) >>> 1 !== 0) fault(`${phase}: ${signature.op} has a barrier that is neither 0 nor 1`);
      if (!keepsWithin(word(Instruction.Op), (i) => word(Instruction.Arguments + i)))
        fault(`${phase}: ${signature.op} with a ${signature.arguments[faulty]!.name} that goes beyond what it may touch`);
      at += 4 * length;
    }
  }
  if (p.symbols.length !== expected) fault(`names ${p.symbols.length} nodes, has ${expected}`);
}
