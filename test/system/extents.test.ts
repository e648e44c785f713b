/** What instructions are said to touch is, to the byte, what the plan gave them: for every operator, operand and scratch. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allow, fault } from '../../assembly/abi/bounds.ts';
import { Instruction } from '../../assembly/abi/ops.ts';
import { keepsWithin } from '../../assembly/generated/extents.ts';
import { ABSENT } from '../../src/graph/graph.ts';
import { SIGNATURES } from '../../src/program/arguments.ts';
import { instructions } from '../support/network.ts';
import { everyOperator, stray } from '../support/stray.ts';

/** Where the operand in question ends; the others lie far below, the state block in between. */
const END = 2 ** 30;
const LOW = 4096;
const STATE = 2 ** 29;

const seen = new Set<string>();
/** Arguments that were asked for, by operator. */
const asked = new Map<string, Set<number>>();

for (const [name, compiled] of everyOperator())
  test(name, () => {
    const { graph, plan, program } = compiled;
    const words = new DataView(program.image.buffer);
    for (const { node, start } of instructions(compiled)) {
      const at = start - program.programOffset;
      const word = (i: number): number => words.getInt32(at + 4 * (Instruction.Arguments + i), true);
      const op = words.getInt32(at, true);
      const { arguments: list } = SIGNATURES.get(op)!;
      const values = [...node.inputs, ...node.updates, ...node.outputs].filter((id) => id !== ABSENT);
      const bytesAt = (address: number): number[] =>
        values.filter((id) => plan.offsets[id] === address).map((id) => graph.values[id]!.bytes);
      seen.add(node.op);
      const known = asked.get(node.op) ?? new Set();
      asked.set(node.op, known);
      const addresses = list.flatMap(({ kind }, i) => (kind === 'address' && word(i) !== 0 ? [i] : []));
      /** Whether the instruction keeps within, operand `i` being put so that it ends `spare` bytes before the end. */
      const fits = (i: number, bytes: number, spare: number, scratch = Number.POSITIVE_INFINITY): boolean => {
        allow(LOW, LOW, STATE, END + spare, scratch);
        return keepsWithin(op, (k) => {
          known.add(k);
          if (!addresses.includes(k)) return word(k);
          if (list[k]!.name === 'STATE') return STATE;
          return k === i ? END - 16 * Math.ceil(bytes / 16) : LOW;
        });
      };
      const what = `${node.op} ${node.name}`;
      for (const i of addresses) {
        if (list[i]!.name === 'STATE') continue;
        const bytes = bytesAt(word(i));
        const isExact = bytes.some((n) => {
          const short = n - 16 * Math.ceil(n / 16);
          return fits(i, n, short) && !fits(i, n, short - 1) && fault === i;
        });
        assert.ok(isExact, `${what}: ${list[i]!.name} is not of ${bytes} bytes`);
      }
      assert.ok(fits(-1, 0, 0, node.scratchBytes), `${what}: ${node.scratchBytes} bytes of scratch are not enough`);
      if (node.scratchBytes > 0) assert.not.ok(fits(-1, 0, 0, node.scratchBytes - 1), `${what}: needs less scratch than it has`);
    }
  });

test('every operator was seen, and every number that can lead a kernel astray was asked for', () => {
  assert.equal(
    [...SIGNATURES.values()].map(({ op }) => op).filter((op) => !seen.has(op)),
    [],
  );
  for (const { op, arguments: list } of SIGNATURES.values())
    for (const [i, { name, kind }] of list.entries())
      if (kind !== 'float' && name !== 'NUMBER') assert.ok(asked.get(op)!.has(i), `${op}: nobody asked for ${name}`);
});

test('an operator that nobody knows keeps within nothing', () => {
  allow(0, 0, 0, END, END);
  for (const op of [0, -1, Math.max(...SIGNATURES.keys()) + 1]) assert.not.ok(keepsWithin(op, () => 16));
});

test('1,000 forged instructions touch nothing but what the extents say', () => {
  const { failures, ran } = stray({ count: 1000, seed: 5 });
  assert.equal(failures, []);
  assert.ok(ran.size > 40, `${ran.size} operators`);
});

test.run();
