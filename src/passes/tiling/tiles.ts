/**
 * Tiles: a run of neighbouring nodes goes over its rows, or over its pictures, piece by piece, so that what stands between them is never
 * whole.
 *
 *     x ─► fc1 ─► hidden ─► GELU ─► hidden′ ─► fc2 ─► y        each piece of x through the whole run, then the next;
 *                          └─► codes                           hidden is as large as a piece, x, codes and y are views of the whole
 *
 * An operator says whether it can be cut between any two rows (a linear layer) or between pictures alone (a convolution); a run with one of
 * the latter goes picture by picture. Rows and pictures do not know of each other, and what is summed over them (the gradient of a bias or a
 * weight) is summed in their order: every byte that comes out is the same. It costs the packing of the weights once more for each piece.
 * Which runs: src/passes/tiling/groups.ts; how they are cut: src/passes/tiling/cut.ts.
 */
import type { Graph, Node } from '../../graph/graph.ts';
import { definition, scratchOf } from '../../ops/index.ts';
import { cut } from './cut.ts';
import { cutsOf } from './groups.ts';

/** How much is worked on at a time: smaller pieces take less memory and more time, and change no byte of what comes out. */
export interface Tiles {
  /** Least rows of a tile; 0: none are made. Where absent, 256 if that takes less memory. */
  rows?: number;
  /** Whether runs with convolutions go over pieces of whole pictures too. Where absent, if that takes less memory. */
  pictures?: boolean;
  /** Most queries whose scores attention works on; 64 where absent. */
  queries?: number;
  /** Most pixels whose patches a convolution gathers; 256 where absent. */
  pixels?: number;
}

/** Rows that a tile has at least, where nothing is said: with them a step takes no longer, with fewer some per cent (docs/bench.md). */
export const TILE_ROWS = 256;

/**
 * The same graph, evaluation too, with its runs cut into pieces of at least `least` rows; those with operators that need whole pictures into
 * pieces of some of the `pictures` (1: those stay whole). Undefined where that would spare nothing. The graph given stays as it is.
 */
export function tiled(graph: Graph, least: number, pictures = 1): Graph | undefined {
  if (least <= 0) return undefined;
  const result: Graph = { values: [...graph.values], phases: { ...graph.phases } };
  let found = false;
  for (const phase of ['train', 'eval'] as const) {
    const cuts = cutsOf(graph, graph.phases[phase], least, pictures);
    if (cuts.runs.length === 0) continue;
    found = true;
    result.phases[phase] = cut(result, graph.phases[phase], cuts);
  }
  return found ? result : undefined;
}

/** The same graph, with less worked on at a time in attention and convolutions; kept probabilities lie in tiles and stay as they are. */
export function limited(graph: Graph, { queries, pixels }: Tiles): Graph {
  const most = { queries, pixels };
  const limit = (node: Node): Node => {
    const { tile } = definition(node.op);
    if (tile === undefined || most[tile] === undefined || node.attributes.probabilities) return node;
    const small = { ...node, attributes: { ...node.attributes, [tile]: most[tile] } };
    return { ...small, scratchBytes: scratchOf(graph, small) };
  };
  const { train, eval: evaluation, ...others } = graph.phases;
  return { values: graph.values, phases: { ...others, train: train.map(limit), eval: evaluation.map(limit) } };
}
