/** Frozen weights that stay in a file: what asks the host for them, and waits until they are there. */
import { AwaitWeightArg, FetchWeightArg, PlaceWeightArg, Stored, StoreWeightArg } from '../../assembly/abi/ops/stored.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { type Graph, type Node, valueAt } from '../graph/graph.ts';
import { alone, type CostRate, type OpDef, words } from './def.ts';

/** Nanoseconds a byte from the page cache: 3 GB/s. */
const READ: CostRate = { mac: 0, byte: 0.3 };

const bytesOf = (graph: Graph, id: number | undefined): number => valueAt(graph, id ?? -1).bytes;
const place = ({ attributes }: Node): number => attributes.at! / Stored.Unit;
const cost = (node: Node, graph: Graph): { macs: number; bytes: number } => ({
  macs: 0,
  bytes: [...node.outputs, ...node.updates].reduce((sum, id) => sum + bytesOf(graph, id), 0),
});

/** Attributes: `at`, bytes from the start of the file; `weight`, its number in the program. */
export const stored: Record<string, OpDef> = {
  /** output w; attribute weight. */
  PlaceWeight: {
    opcode: Op.PlaceWeight,
    infer: () => [],
    split: alone,
    lower: (n, at, graph) =>
      words({
        [PlaceWeightArg.Y]: at.output(0),
        [PlaceWeightArg.BYTES]: bytesOf(graph, n.outputs[0]),
        [PlaceWeightArg.WEIGHT]: n.attributes.weight!,
      }),
    cost,
    costRate: READ,
  },
  /** input w; updates its sum; attribute at. */
  StoreWeight: {
    opcode: Op.StoreWeight,
    infer: () => [],
    split: alone,
    lower: (n, at, graph) =>
      words({
        [StoreWeightArg.X]: at.input(0),
        [StoreWeightArg.BYTES]: bytesOf(graph, n.inputs[0]),
        [StoreWeightArg.PLACE]: place(n),
        [StoreWeightArg.SUM]: at.update(0),
      }),
    cost,
    costRate: READ,
  },
  /** output w; attribute at. */
  FetchWeight: {
    opcode: Op.FetchWeight,
    infer: () => [],
    split: alone,
    lower: (n, at, graph) =>
      words({
        [FetchWeightArg.Y]: at.output(0),
        [FetchWeightArg.BYTES]: bytesOf(graph, n.outputs[0]),
        [FetchWeightArg.PLACE]: place(n),
      }),
    cost: () => ({ macs: 0, bytes: 0 }),
    costRate: READ,
  },
  /** input its sum; updates w, which becomes what the file has; attribute at. */
  AwaitWeight: {
    opcode: Op.AwaitWeight,
    infer: () => [],
    split: alone,
    lower: (n, at, graph) =>
      words({
        [AwaitWeightArg.Y]: at.update(0),
        [AwaitWeightArg.BYTES]: bytesOf(graph, n.updates[0]),
        [AwaitWeightArg.PLACE]: place(n),
        [AwaitWeightArg.SUM]: at.input(0),
      }),
    cost,
    costRate: READ,
  },
};
