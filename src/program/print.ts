/** A program as text: every instruction with its operator, node and arguments. */
import { Instruction } from '../../assembly/abi/ops.ts';
import { PHASES } from '../graph.ts';
import { OPS } from '../ops/index.ts';
import type { Program } from './program.ts';

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(OPS).map(([name, def]) => [def.opcode, name]));

export function printProgram(p: Program): string {
  const { about, image } = p;
  const lines = [
    `; ${about.model} ${about.image.join('x')}, ${about.classes} classes, method ${about.method}, keep ${about.keep}, ${about.optimizer}, micro-batch ${about.microBatch}`,
    `; linear memory ${p.linearBytes} bytes, program at ${p.programOffset}, ${p.weights.length} weights, ${p.parameters.length} parameters`,
  ];
  const words = new Int32Array(image.slice(0, image.length & ~3).buffer);
  for (const phase of PHASES) {
    const { start, end } = p.entries[phase];
    lines.push('', `${phase}:`);
    let at = (start - p.programOffset) / 4;
    while (at < (end - p.programOffset) / 4) {
      const length = words[at + Instruction.Words]!;
      const name = NAMES.get(words[at + Instruction.Op]!) ?? `op ${words[at]}`;
      const args = [...words.subarray(at + Instruction.Arguments, at + length)];
      lines.push(`  ${String(at).padStart(6)}  ${name.padEnd(20)} ${args.join(' ')}  ; ${p.symbols[words[at + Instruction.Node]!]}`);
      at += Math.max(length, Instruction.Arguments);
    }
  }
  return lines.join('\n');
}
