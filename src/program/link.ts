/** Puts code, tables and records together into a program. */
import type { Io } from '../../assembly/abi/program.ts';
import { Encoding } from '../../assembly/abi/weights.ts';
import { type Graph, type Layout, nodesOf, numel, PHASES, type Phase, type Value } from '../graph/graph.ts';
import type { Plan, Range } from '../plan/memory.ts';
import { lower } from './encode.ts';
import type { About, Placed, Program } from './program.ts';

/** `accumulators`: gradient value by parameter; `ports`: values that the host writes or reads. */
export function link(
  graph: Graph,
  plan: Plan,
  accumulators: ReadonlyMap<number, number>,
  ports: ReadonlyMap<Io, number>,
  about: About,
): Program {
  const code = lower(graph, plan.offsets, plan.barriers);
  const image = new Uint8Array(plan.program.bytes);
  image.set(new Uint8Array(code.words.buffer));
  for (const value of graph.values)
    if (value.role === 'table' && value.data) image.set(value.data, plan.offsets[value.id]! - plan.program.offset);

  const used = (value: Value): boolean => plan.offsets[value.id]! >= 0;
  const placed = (value: Value, name: string, layout: Layout | undefined): Placed => {
    const { dims, strides, shape } = layout ?? { dims: [1, 1, numel(value.type.shape)], strides: [0, 0, 1], shape: value.type.shape };
    return { name, offset: plan.offsets[value.id]!, dims, strides, shape };
  };
  const entry = (phase: Phase): { start: number; end: number } => ({
    start: plan.program.offset + 4 * code.phases[phase].start,
    end: plan.program.offset + 4 * code.phases[phase].end,
  });
  const range = (id: number): Range => ({ offset: plan.offsets[id]!, bytes: graph.values[id]!.bytes });

  return {
    linearBytes: plan.linearBytes,
    image,
    programOffset: plan.program.offset,
    region: plan.region,
    scratch: plan.scratch,
    maxThreads: plan.maxThreads,
    entries: Object.fromEntries(PHASES.map((phase) => [phase, entry(phase)])) as Program['entries'],
    weights: graph.values
      .filter((v) => v.source && used(v))
      .map((v) => ({ ...placed(v, v.source!.tensor, v.source), start: v.source!.start, encoding: v.type.encoding ?? Encoding.F32 })),
    io: new Map([...ports].filter(([, id]) => plan.offsets[id]! >= 0).map(([port, id]) => [port, range(id)])),
    parameters: graph.values
      .filter((v) => v.role === 'param' && used(v))
      .map((v) => {
        const gradient = accumulators.get(v.id);
        return { ...placed(v, v.name, v.layout), gradient: gradient === undefined ? 0 : plan.offsets[gradient]! };
      }),
    symbols: nodesOf(graph).map((n) => n.name),
    about,
  };
}
