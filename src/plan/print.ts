/** A plan as text: regions, parts, the peak, and every value with its place and life. Changes to it are meant to be read. */
import { ABSENT, type Graph, nodesOf, PHASES, rootOf } from '../graph/graph.ts';
import { keptValues, largestAlive, type Plan, type Range } from './memory.ts';

const column = (n: number | string, width = 10): string => String(n).padStart(width);

export function printPlan(graph: Graph, plan: Plan): string {
  const { peak, parts } = plan;
  const range = (name: string, { offset, bytes }: Range, more = ''): string => `  ${column(offset)} ${column(bytes)}  ${name}${more}`;
  return [
    `linear memory ${plan.linearBytes} bytes, ${plan.keptBytes} kept for backward`,
    `peak ${peak.bytes} bytes at ${peak.node}; temporaries take ${plan.temporaries.bytes}`,
    `threads meet before ${plan.barriers.filter(Boolean).length} of ${plan.barriers.length} nodes (|)`,
    '',
    'parts:',
    ...Object.entries(parts).map(([name, bytes]) => `  ${column(bytes)}  ${name}`),
    '',
    'regions: offset, bytes',
    range('program', plan.program, `, of which code ${plan.code.bytes}`),
    range('frozen', plan.frozen),
    range('checkpoint region', plan.region),
    range('batch', plan.batch),
    range('temporaries', plan.temporaries),
    range('scratch', plan.scratch, `, times ${plan.maxThreads}`),
    '',
    'largest at the peak:',
    ...largestAlive(graph, plan, 8).map(({ name, bytes }) => `  ${column(bytes)}  ${name}`),
    '',
    'residents: offset, bytes',
    ...graph.values
      .filter((v) => v.role !== 'temp' && plan.offsets[v.id]! >= 0)
      .sort((a, b) => plan.offsets[a.id]! - plan.offsets[b.id]!)
      .map((v) => range(v.name, { offset: plan.offsets[v.id]!, bytes: v.bytes }, ` (${v.role})`)),
    ...temporaries(graph, plan),
  ].join('\n');
}

/** By phase and node: bytes alive, and each value that the node makes: offset, bytes, last reader. `kept` marks what backward reads. */
function temporaries(graph: Graph, plan: Plan): string[] {
  const kept = keptValues(graph);
  const last = new Map<number, string>();
  for (const node of nodesOf(graph)) for (const id of [...node.inputs, ...node.updates]) if (id !== ABSENT) last.set(id, node.name);
  const lines: string[] = [];
  let time = 0;
  for (const phase of PHASES) {
    lines.push('', `${phase}: node, bytes alive of which kept; what it makes: offset, bytes, last reader`);
    for (const node of graph.phases[phase]) {
      const { live, kept: keptBytes } = plan.timeline[time]!;
      lines.push(`${plan.barriers[time++] ? '| ' : '  '}${node.name}  ${live} ${keptBytes}`);
      for (const id of node.outputs) {
        const { name, bytes, role, view } = graph.values[id]!;
        if (role !== 'temp') continue;
        const over = node.inputs.find((i) => i !== ABSENT && graph.values[i]!.role === 'temp' && plan.offsets[i] === plan.offsets[id]);
        const notes = [
          over === undefined ? '' : `over ${graph.values[over]!.name}`,
          kept.has(rootOf(graph, id)) ? 'kept' : '',
          view ? `part of ${graph.values[view.of]!.name}` : '',
        ]
          .filter(Boolean)
          .join(', ');
        lines.push(
          `    ${column(plan.offsets[id]!)} ${column(bytes)}  ${name} until ${last.get(id) ?? 'never read'}${notes ? ` (${notes})` : ''}`,
        );
      }
    }
  }
  return lines;
}
