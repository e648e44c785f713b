/** A program as text: its header and sections, then every instruction with operator, node and named arguments. */
import { Instruction } from '../../assembly/abi/ops.ts';
import { codedBytes } from '../../assembly/abi/sizes.ts';
import { Encoding } from '../../assembly/abi/weights.ts';
import { visible } from '../base/visible.ts';
import { ABSENT, type Graph, nodesOf, PHASES } from '../graph/graph.ts';
import type { Plan } from '../plan/memory.ts';
import { type Argument, SIGNATURES } from './arguments.ts';
import type { Board } from './board.ts';
import type { Placed, Program } from './program.ts';

/** The names of the ports, by number from 1. */
const PORTS = [
  'pictures',
  'labels',
  'samples',
  'losses',
  'choices',
  'evalLosses',
  'evalChoices',
  'logits',
  'state',
  'constants',
  'known',
  'distances',
  'partner',
  'partnerLabel',
  'partnerSample',
  'classWeights',
];

/** What is said of a coded weight, by encoding. */
const ENCODINGS = ['', ' int8', ' int4', ' int12', ' int8 by 7'];

/** Where a program comes from; with it addresses are printed with the names of values. */
export interface Origin {
  graph: Graph;
  plan: Plan;
}

/**
 * A program as text: its header and sections, then every instruction with operator, node and named arguments. With `origin`, addresses
 * get the names of the values there. Throws nothing.
 */
export function printProgram(p: Program, origin?: Origin): string {
  const { about, region, scratch } = p;
  const at = (offset: number, bytes: number): string => `${String(offset).padStart(10)} ${String(bytes).padStart(10)} bytes`;
  const shown = ({ offset, name, shape, dims: [n0, n1, n2] }: Placed, encoding = Encoding.F32): string =>
    `  ${at(offset, codedBytes(encoding, n0, n1 * n2))}  ${name} [${shape.join(', ')}]${ENCODINGS[encoding] ?? ''}`;
  return [
    `; ${about.model} ${about.image.join('x')}, ${about.classes} classes, ${about.purpose}, method ${about.method}, keep ${about.keep}, weights ${about.weights}, ${about.optimizer}, micro-batch ${about.microBatch}`,
    `; linear memory ${p.linearBytes} bytes`,
    '',
    'layout:',
    `  ${at(p.programOffset, p.image.length)}  program`,
    `  ${at(region.offset, region.bytes)}  checkpoint region`,
    `  ${at(scratch.offset, scratch.bytes)}  scratch, times ${p.maxThreads} ${p.maxThreads === 1 ? 'thread' : 'threads'}`,
    '',
    'io:',
    ...[...p.io].map(([id, range]) => `  ${at(range.offset, range.bytes)}  ${PORTS[id - 1] ?? id}`),
    '',
    `weights: ${p.weights.length}`,
    ...p.weights.map((w) => shown(w, w.encoding) + (w.start > 0 ? ` from element ${w.start}` : '')),
    '',
    `parameters: ${p.parameters.length}`,
    ...p.parameters.map((w) => shown(w) + (w.gradient > 0 ? `, gradient at ${w.gradient}` : '')),
    ...(p.board ? boardLines(p.board) : []),
    ...code(p, origin),
  ]
    .map(visible)
    .join('\n');
}

/** What a packed program carries besides: how the run goes, the names of the classes, and the files of weights that it goes with. */
function boardLines({ settings, labels, files }: Board): string[] {
  return [
    '',
    'run:',
    ...settingLines(settings),
    '',
    `labels: ${labels.length}`,
    ...labels.map((label) => `  ${label}`),
    '',
    `weights' files: ${files.length}`,
    ...files.map((file) => `  ${file}`),
  ];
}

/** One setting a line; what is not a JSON object, as it stands. */
function settingLines(settings: string): string[] {
  try {
    return Object.entries(JSON.parse(settings) as object).map(([name, value]) => `  ${name} ${JSON.stringify(value)}`);
  } catch {
    return [`  ${settings}`];
  }
}

/** Every phase, one line for each instruction: its word in the program, operator, arguments, node. */
function code(p: Program, origin: Origin | undefined): string[] {
  const words = new DataView(p.image.buffer, p.image.byteOffset, p.image.byteLength);
  const word = (i: number): number => words.getInt32(4 * i, true);
  const named = origin ? valueNames(origin) : () => undefined;
  const lines: string[] = [];
  for (const phase of PHASES) {
    lines.push('', `${phase}:`);
    const [start, end] = [p.entries[phase].start, p.entries[phase].end].map((offset) => (offset - p.programOffset) / 4) as [number, number];
    for (let at = start; at < end; at += Math.max(word(at + Instruction.Words), Instruction.Arguments)) {
      const id = word(at + Instruction.Node);
      const signature = SIGNATURES.get(word(at + Instruction.Op));
      const count = word(at + Instruction.Words) - Instruction.Arguments;
      const args = Array.from({ length: Math.max(0, count) }, (_, i) => {
        const argument: Argument = signature?.arguments[i] ?? { name: `${i}`, kind: 'integer' };
        const bits = 4 * (at + Instruction.Arguments + i);
        if (argument.kind === 'float') return `${argument.name}=${words.getFloat32(bits, true).toPrecision(6)}`;
        const value = words.getInt32(bits, true);
        if (argument.kind === 'integer') return `${argument.name}=${value}`;
        if (value === 0) return `${argument.name}=-`;
        const address = value >>> 0;
        const name = named(id, address);
        return `${argument.name}=@${address}${name ? ` ${name}` : ''}`;
      });
      if (word(at + Instruction.Barrier)) lines.push('          ---- threads meet');
      lines.push(`  ${String(at).padStart(6)}  ${signature?.op ?? `op ${word(at)}`}  ; ${p.symbols[id] ?? `node ${id}`}`);
      if (args.length > 0) lines.push(`          ${inLists(args).join(', ')}`);
    }
  }
  return lines;
}

/** `D0=2, D1=3` as `D=[2, 3]`: arguments that are a list. */
function inLists(args: readonly string[]): string[] {
  const result: string[] = [];
  for (let i = 0; i < args.length; ) {
    const [, name] = /^([A-Z]+)0=/.exec(args[i]!) ?? [];
    const values: string[] = [];
    while (name !== undefined && args[i + values.length]?.startsWith(`${name}${values.length}=`))
      values.push(args[i + values.length]!.slice(`${name}${values.length}=`.length));
    result.push(values.length > 1 ? `${name}=[${values.join(', ')}]` : args[i]!);
    i += Math.max(1, values.length);
  }
  return result;
}

/** The value that a node means by an address: operands first, since an output may have taken an operand's place. */
function valueNames({ graph, plan }: Origin): (node: number, address: number) => string | undefined {
  const nodes = nodesOf(graph);
  return (id, address) => {
    const node = nodes[id];
    if (node === undefined) return undefined;
    const values = [...node.inputs, ...node.updates, ...node.outputs].filter((v) => v !== ABSENT && plan.offsets[v] === address);
    return [...new Set(values)].map((v) => graph.values[v]!.name).join(' → ') || undefined;
  };
}
