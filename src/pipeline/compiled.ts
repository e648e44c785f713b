/** What compiling makes, before and after everything has an address. */
import type { Io } from '../../assembly/abi/program.ts';
import type { Graph, Node } from '../graph/graph.ts';
import type { Tiles } from '../passes/tiling/tiles.ts';
import type { Plan } from '../plan/memory.ts';
import type { About, Program } from '../program/program.ts';
import type { CompileOptions } from './options.ts';

/** What compiling makes: a program, and what it was made from. */
export interface Compiled {
  /** The instructions and everything that an engine needs to run them. */
  program: Program;
  /** Where every value lies and when it lives, in bytes of the arena. */
  plan: Plan;
  /** The values and nodes, in execution order. */
  graph: Graph;
  /** Bytes that f32 autograd would keep for the same method, for a whole micro-batch. */
  autogradBytes: number;
  /** How much is worked on at a time; rows 0: no tiles. */
  tiles: Required<Tiles>;
}

/** The graph of a job with what goes with it, before anything has an address. */
export interface UnplacedGraph {
  graph: Graph;
  /** By learnable value: the sum of its gradients. */
  accumulators: Map<number, number>;
  ports: Map<Io, number>;
  about: About;
  autogradBytes: number;
  maxThreads: number;
  tiles: Required<Tiles>;
  /** By block: the forward nodes that run again in backward. */
  again: ReadonlyMap<number, readonly Node[]>;
}

/** The two halves of src/compile.ts, as the search for a plan walks them. */
export interface Path {
  graphOf(options: CompileOptions): UnplacedGraph;
  programOf(graph: UnplacedGraph): Compiled;
}
