/**
 * Checks a plan without trusting it: replays the program over memory addresses and asks, at every read, whether the bytes there are
 * still the value's own. Written independently of lifetimes and placement; knows values and times, knows no operator.
 */
import { ABSENT, type Graph, nodesOf } from '../graph.ts';
import type { Plan } from './memory.ts';

interface Owner {
  value: number;
  from: number;
  to: number;
}

/** Throws on the first value that is read after another has overwritten it, or that lies outside its region. */
export function verifyPlan(graph: Graph, plan: Plan): void {
  const fault = (text: string): never => {
    throw new Error(`plan: ${text}`);
  };
  const name = (id: number): string => graph.values[id]!.name;
  const extent = (id: number): Owner => {
    const from = plan.offsets[id]!;
    return { value: id, from, to: from + graph.values[id]!.bytes };
  };

  // Residents: aligned, inside the arena, disjoint from each other and from temporaries and scratch.
  const residents: Owner[] = [];
  for (const value of graph.values) {
    const e = extent(value.id);
    if (e.from < 0) continue;
    if (e.from % 16 !== 0) fault(`${value.name} is not aligned`);
    if (e.from < 4096 || e.to > plan.linearBytes) fault(`${value.name} lies outside the arena`);
    if (value.role !== 'temp') residents.push(e);
    else if (e.from < plan.temporaries.offset || e.to > plan.temporaries.offset + plan.temporaries.bytes)
      fault(`${value.name} lies outside the temporaries`);
  }
  const ranges = [
    ...residents,
    { value: -1, from: plan.temporaries.offset, to: plan.temporaries.offset + plan.temporaries.bytes },
    { value: -2, from: plan.scratch.offset, to: plan.scratch.offset + plan.scratch.bytes * plan.maxThreads },
  ].sort((a, b) => a.from - b.from || a.to - b.to);
  ranges.forEach((r, i) => {
    const next = ranges[i + 1];
    if (next && r.to > next.from && r.to > r.from) fault(`two residents overlap at ${next.from}`);
    if (r.to > plan.linearBytes) fault('the last region ends outside the arena');
  });

  let owners: Owner[] = graph.values.filter((v) => v.role === 'temp' && v.source && plan.offsets[v.id]! >= 0).map((v) => extent(v.id));
  owners.forEach((a, i) => {
    for (const b of owners.slice(i + 1))
      if (a.from < b.to && b.from < a.to) fault(`${name(a.value)} and ${name(b.value)} are loaded to the same bytes`);
  });
  let phase = '';
  for (const node of nodesOf(graph)) {
    if (node.phase !== phase) {
      if (phase !== '') owners = [];
      phase = node.phase;
    }
    if (node.scratchBytes > plan.scratch.bytes)
      fault(`${node.name} needs ${node.scratchBytes} bytes of scratch, the plan has ${plan.scratch.bytes}`);
    for (const id of [...node.inputs, ...node.updates]) {
      if (id === ABSENT || graph.values[id]!.role !== 'temp') continue;
      if (!owners.some((o) => o.value === id)) fault(`${node.name} reads ${name(id)}, whose bytes are not its own any more`);
    }
    node.outputs.forEach((id, o) => {
      const e = extent(id);
      const shared = node.inPlace.filter(([, out]) => out === o).map(([i]) => node.inputs[i]);
      // An operand may only be overwritten where the kernel allows it, and then exactly on top of it.
      [...node.inputs, ...node.updates].forEach((input, j) => {
        if (input === ABSENT || input === undefined) return;
        const x = extent(input);
        const overlaps = x.from < e.to && e.from < x.to;
        const twice = node.inputs.some((other, k) => other === input && k !== j);
        if (overlaps && (!shared.includes(input) || x.from !== e.from || twice))
          fault(`${node.name} writes ${name(id)} over its own operand ${name(input)}`);
      });
      node.outputs.slice(o + 1).forEach((other) => {
        const x = extent(other);
        if (x.from < e.to && e.from < x.to) fault(`${node.name} writes ${name(id)} and ${name(other)} to the same bytes`);
      });
    });
    for (const id of node.outputs) {
      const e = extent(id);
      owners = owners.filter((x) => x.to <= e.from || e.to <= x.from);
      if (graph.values[id]!.role === 'temp') owners.push(e);
    }
  }
}
