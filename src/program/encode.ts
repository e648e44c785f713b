/** Lowers a planned graph: every node but a view becomes one instruction with addresses in it. */
import { Instruction } from '../../assembly/abi/ops.ts';
import { ABSENT, type Graph, type Node, PHASES, type Phase } from '../graph/graph.ts';
import { definition } from '../ops/index.ts';

/** The instruction of a node; `offsets` are the plan's, by value id. */
function instruction(graph: Graph, node: Node, id: number, offsets: readonly number[], isBarrier: boolean): number[] {
  const at = (value: number | undefined): number => (value === undefined || value === ABSENT ? 0 : (offsets[value] as number));
  const operands = {
    input: (i: number): number => at(node.inputs[i]),
    output: (i: number): number => at(node.outputs[i]),
    update: (i: number): number => at(node.updates[i]),
  };
  const { opcode, lower: argumentsOf } = definition(node.op);
  const args = argumentsOf(node, operands, graph);
  return [opcode, Instruction.Arguments + args.length, id, isBarrier ? 1 : 0, ...args];
}

export interface Code {
  words: Int32Array;
  /** First and one past the last word of each phase. */
  phases: Record<Phase, { start: number; end: number }>;
}

/** Code of the whole graph. Its length does not depend on the addresses: see `codeBytes`. */
export function lower(graph: Graph, offsets: readonly number[], barriers: readonly boolean[]): Code {
  const words: number[] = [];
  const phases = {} as Code['phases'];
  let id = 0;
  for (const phase of PHASES) {
    const start = words.length;
    for (const node of graph.phases[phase]) {
      if (!node.isView) words.push(...instruction(graph, node, id, offsets, barriers[id] ?? false));
      id++;
    }
    phases[phase] = { start, end: words.length };
  }
  return { words: Int32Array.from(words), phases };
}

/** Bytes of the code that `lower` makes, without making it: the search asks for it often. */
export function codeBytes(graph: Graph): number {
  const nowhere = { input: () => 0, output: () => 0, update: () => 0 };
  let words = 0;
  for (const phase of PHASES)
    for (const node of graph.phases[phase])
      if (!node.isView) words += Instruction.Arguments + definition(node.op).lower(node, nowhere, graph).length;
  return 4 * words;
}
