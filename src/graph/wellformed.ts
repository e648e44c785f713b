/** An executable description of a well-formed graph: run between compilation and planning. */
import { ABSENT, type Graph, nodesOf, PHASES, rangeOf, rootOf, valueAt } from './graph.ts';

/** Throws on the first violation; a violation is a fault of ours, never of the input. */
export function checkGraph(graph: Graph): void {
  const fault = (text: string): never => {
    throw new Error(`graph: ${text}`);
  };
  const written = new Map<number, string>();
  /** By root: the parts of it that views have written. */
  const parts = new Map<number, { from: number; to: number }[]>();
  for (const phase of PHASES) {
    for (const node of graph.phases[phase]) {
      if (node.phase !== phase) fault(`${node.name} stands in ${phase} but says ${node.phase}`);
      for (const id of [...node.inputs, ...node.updates]) {
        if (id === ABSENT) continue;
        const value = valueAt(graph, id);
        if (
          value.role === 'temp' &&
          (value.source === undefined || value.stored) &&
          written.get(id) !== phase &&
          written.get(rootOf(graph, id)) !== phase
        )
          fault(`${node.name} (${phase}) reads ${value.name}, which no earlier node of the phase writes`);
      }
      if (node.isView) {
        const [from, to] = [node.inputs[0]!, node.outputs[0]!];
        const [whole, part] = [rangeOf(graph, from), rangeOf(graph, to)];
        if (rootOf(graph, from) !== rootOf(graph, to) || part.from < whole.from || part.to > whole.to)
          fault(`${node.name} makes ${valueAt(graph, to).name} a view of what it does not read`);
        written.set(to, phase);
        continue;
      }
      for (const id of node.outputs) {
        const value = valueAt(graph, id);
        if (value.role !== 'temp' && value.role !== 'batch') fault(`${node.name} writes ${value.name}, a ${value.role}`);
        if (written.has(id)) fault(`${value.name} is written twice`);
        written.set(id, phase);
        const root = rootOf(graph, id);
        const [range, others] = [rangeOf(graph, id), parts.get(root) ?? []];
        if (others.some((o) => o.from < range.to && range.from < o.to)) fault(`${value.name} is written over another part of it`);
        parts.set(root, [...others, range]);
        written.set(root, phase);
      }
      for (const id of node.updates)
        if (id !== ABSENT && valueAt(graph, id).role === 'temp' && !valueAt(graph, id).stored && phase !== 'init')
          fault(`${node.name} updates the temporary ${valueAt(graph, id).name}`);
    }
  }
  const trained = new Set(graph.phases.update.flatMap((n) => n.updates));
  const used = new Set(nodesOf(graph).flatMap((n) => n.inputs));
  for (const value of graph.values)
    if (value.role === 'param' && used.has(value.id) && graph.phases.update.length > 0 && !trained.has(value.id))
      fault(`${value.name} is learnable but never updated`);
}
