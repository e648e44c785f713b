/** Tiling of a job's graph (src/passes/tiling): where it spares memory, and only there. */
import { Patch, Scores } from '../../assembly/abi/tiles.ts';
import { nodesOf } from '../graph/graph.ts';
import { streamed } from '../passes/streaming.ts';
import { limited, TILE_ROWS, type Tiles, tiled } from '../passes/tiling/tiles.ts';
import { lifetimes, liveBytes } from '../plan/lifetime.ts';
import { PAGE } from '../plan/memory.ts';
import { codeBytes } from '../program/encode.ts';
import type { UnplacedGraph } from './compiled.ts';
import type { CompileOptions } from './options.ts';

/** Everything whole, but for what kernels cut by themselves. */
export const NO_TILES: Required<Tiles> = { rows: 0, pictures: false, queries: Scores.Rows, pixels: Patch.Rows };

/** What a job's options make of its graph at last: tiles, and weights that pass through memory. */
export function finishGraph(job: UnplacedGraph, { tiles, streaming }: Pick<CompileOptions, 'tiles' | 'streaming'>): UnplacedGraph {
  const cut = tileGraph(job, tiles);
  return streaming ? { ...cut, graph: streamed(cut.graph, streaming) } : cut;
}

/** The same job in tiles; where nothing is said of them, none, of rows, or of pictures too: the next only where it spares a page more. */
export function tileGraph(job: UnplacedGraph, tiles: Tiles = {}): UnplacedGraph {
  const whole = { ...job, graph: limited(job.graph, tiles), tiles: { ...job.tiles, ...tiles, rows: 0, pictures: false } };
  const rows = tiles.rows ?? TILE_ROWS;
  let best = tiles.rows === undefined ? whole : undefined;
  for (const pictures of tiles.pictures === undefined ? [false, true] : [tiles.pictures]) {
    const graph = tiled(whole.graph, rows, pictures ? job.about.microBatch : 1);
    if (graph === undefined) continue;
    const cut = { ...whole, graph, tiles: { ...whole.tiles, rows, pictures } };
    if (best === undefined || temporaryBytes(cut) + PAGE <= temporaryBytes(best)) best = cut;
  }
  return best ?? whole;
}

/** Bytes of code and the most that is alive at once. */
const temporaryBytes = ({ graph }: UnplacedGraph): number =>
  codeBytes(graph) + Math.max(...liveBytes(lifetimes(graph), nodesOf(graph).length));
