/**
 * Row tiles: a run of nodes that work row by row goes over its rows piece by piece, so that what stands between them is never whole.
 *
 *     x ─► fc1 ─► hidden ─► GELU ─► hidden′ ─► fc2 ─► y        each piece of x through the whole run, then the next;
 *                          └─► codes                           hidden is as large as a piece, x, codes and y are views of the whole
 *
 * Rows do not know of each other, and what is summed over them (a bias's gradient) is summed in their order: every byte that comes out is
 * the same. It costs the packing of the weights once more for each piece.
 */
import { ABSENT, addValue, byteLength, type Graph, type Node, rowsOf, type Type, u8, type Value } from './graph.ts';
import { definition, scratchOf } from './ops/index.ts';

/** How much is worked on at a time: smaller pieces take less memory and more time, and change no byte of what comes out. */
export interface Tiles {
  /** Least rows of a row tile; 0: none are made. Where absent, 256 if that takes less memory. */
  rows?: number;
  /** Most queries whose scores attention works on; 64 where absent. */
  queries?: number;
  /** Most pixels whose patches a convolution gathers; 256 where absent. */
  pixels?: number;
}

/** Rows that a tile has at least, where nothing is said: with them a step takes no longer, with fewer some per cent (docs/bench.md). */
export const TILE_ROWS = 256;
/** Most pieces of one run: further ones save little and lengthen the program. */
const MOST_TILES = 4;
/** Pieces are multiples of so many rows, and views begin at multiples of so many bytes. */
const ROUND = 4;
const ALIGNMENT = 16;

/** Where each piece of so many rows begins, and their end. */
export function piecesOf(rows: number, least: number): number[] {
  const count = Math.max(1, Math.min(MOST_TILES, Math.floor(rows / least)));
  const size = Math.ceil(rows / count / ROUND) * ROUND;
  return Array.from({ length: Math.ceil(rows / size) + 1 }, (_, i) => Math.min(rows, i * size));
}

/** A node that can be cut, and how many rows it has. */
interface Candidate {
  rows: number;
  /** Operands that are cut: all but those that every row needs whole. */
  cut: ReadonlySet<number>;
  /** Of these the ones whose pieces are no parts of the whole: nobody but nodes that are cut alike can read them. */
  sealed: ReadonlySet<number>;
}

/** Neighbouring nodes of one block that are cut together. */
type Run = readonly Node[];

/** What is to be cut, in order, and how. */
interface Cuts {
  runs: readonly Run[];
  candidates: ReadonlyMap<Node, Candidate>;
}

/**
 * The same graph, evaluation too, with its runs of row-wise nodes cut into pieces of at least `least` rows; undefined where that would spare
 * nothing. The graph given stays as it is.
 */
export function tiled(graph: Graph, least: number): Graph | undefined {
  if (least <= 0) return undefined;
  const result: Graph = { values: [...graph.values], phases: { ...graph.phases } };
  let found = false;
  for (const phase of ['train', 'eval'] as const) {
    const cuts = cutsOf(graph, graph.phases[phase], least);
    if (cuts.runs.length === 0) continue;
    found = true;
    result.phases[phase] = cut(result, graph.phases[phase], cuts, least);
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
  const { init, train, update, eval: evaluation } = graph.phases;
  return { values: graph.values, phases: { init, train: train.map(limit), update, eval: evaluation.map(limit) } };
}

const operandsOf = (node: Node): number[] => [...node.inputs, ...node.outputs].filter((id) => id !== ABSENT);
const isMatrix = ({ type }: Value): boolean => type.dtype === 'f32' && type.shape.length > 1;

/** How a node can be cut into pieces of at least `least` rows; undefined where it cannot. `joins`: rows of kept values whose pieces make the whole. */
function candidateOf(graph: Graph, node: Node, least: number, joins: ReadonlyMap<number, number>): Candidate | undefined {
  const whole = definition(node.op).byRows?.(node)?.whole;
  if (whole === undefined) return undefined;
  const cut = new Set([...node.inputs.filter((id, i) => id !== ABSENT && !whole.includes(i)), ...node.outputs]);
  const values = [...cut].map((id) => graph.values[id]!);
  const rows = rowsOfNode(graph, node);
  if (rows < 2 * least || values.some((v) => v.role !== 'temp' || v.source)) return undefined;
  if (values.some((v) => isMatrix(v) && rowsOf(graph, v.id) !== rows) || whole.some((i) => cut.has(node.inputs[i] ?? ABSENT)))
    return undefined;
  return { rows, cut, sealed: new Set(values.filter((v) => !isMatrix(v) && joins.get(v.id) !== rows).map((v) => v.id)) };
}

/** Rows of the first operand that is a matrix of temporaries, outputs before inputs. */
function rowsOfNode(graph: Graph, { inputs, outputs }: Node): number {
  const first = [...outputs, ...inputs].find((id) => id !== ABSENT && graph.values[id]!.role === 'temp' && isMatrix(graph.values[id]!));
  return first === undefined ? 0 : rowsOf(graph, first);
}

/** Of what is kept beside matrices: rows by value, where the pieces of some rows each lie one after the other in the whole. */
function joining(graph: Graph, nodes: readonly Node[]): Map<number, number> {
  const joins = new Map<number, number>();
  for (const node of nodes) {
    const by = definition(node.op).byRows?.(node);
    if (by === undefined || by.apart) continue;
    const rows = rowsOfNode(graph, node);
    for (const id of node.outputs) {
      const value = graph.values[id]!;
      if (!isMatrix(value) && value.bytes % rows === 0 && (ROUND * value.bytes) % (ALIGNMENT * rows) === 0) joins.set(id, rows);
    }
  }
  return joins;
}

/** The runs worth cutting, in order: those with something between their nodes that nobody else reads. */
function cutsOf(graph: Graph, nodes: readonly Node[], least: number): Cuts {
  const joins = joining(graph, nodes);
  const candidates = new Map<Node, Candidate>();
  const users = new Map<number, Node[]>();
  for (const node of nodes) {
    const candidate = candidateOf(graph, node, least, joins);
    if (candidate) candidates.set(node, candidate);
    for (const id of new Set(operandsOf(node))) users.set(id, [...(users.get(id) ?? []), node]);
  }
  for (;;) {
    const before = candidates.size;
    for (const [node, { rows, sealed }] of candidates) {
      const fits = (user: Node, id: number): boolean => candidates.get(user)?.rows === rows && candidates.get(user)!.sealed.has(id);
      if ([...sealed].some((id) => !users.get(id)!.every((user) => fits(user, id)))) candidates.delete(node);
    }
    const runs = group(nodes, candidates);
    for (const run of runs) if (!isWorth(graph, run, users)) for (const node of run) candidates.delete(node);
    if (candidates.size === before) return { runs, candidates };
  }
}

/** Whether something in the run that takes memory of its own would be smaller. */
function isWorth(graph: Graph, run: Run, users: ReadonlyMap<number, readonly Node[]>): boolean {
  const inside = new Set(run);
  const isInner = (id: number): boolean => users.get(id)!.every((user) => inside.has(user));
  // What lies where something that stays whole will lie costs nothing whole either.
  const isReplaced = (id: number): boolean =>
    users.get(id)!.some((user) => user.inPlace.some(([i, o]) => user.inputs[i] === id && !isInner(user.outputs[o]!)));
  return run.some((node) => node.outputs.some((id) => isMatrix(graph.values[id]!) && isInner(id) && !isReplaced(id)));
}

/** Candidates next to each other, of one block, one direction and one count of rows; no two of a run add to the same sum. */
function group(nodes: readonly Node[], candidates: ReadonlyMap<Node, Candidate>): Run[] {
  const runs: Node[][] = [];
  let now: Node[] = [];
  const updated = new Set<number>();
  const made = new Set<number>();
  const close = (): void => {
    if (now.length > 0) runs.push(now);
    now = [];
    updated.clear();
    made.clear();
  };
  for (const node of nodes) {
    const candidate = candidates.get(node);
    if (candidate === undefined) {
      close();
      continue;
    }
    const [head] = now;
    const isOther =
      head !== undefined &&
      (head.block !== node.block || head.isBackward !== node.isBackward || candidates.get(head)!.rows !== candidate.rows);
    // What a node needs whole, no piece of its own run may still have to make.
    const needsWhole = node.inputs.some((id) => made.has(id) && !candidate.cut.has(id));
    if (isOther || needsWhole || node.updates.some((id) => updated.has(id))) close();
    now.push(node);
    for (const id of node.updates) updated.add(id);
    for (const id of node.outputs) made.add(id);
  }
  close();
  return runs;
}

/** Values that keep a place of their own, of which the pieces are views: those that more than one run touches, and what may replace them. */
function wholeValues(graph: Graph, nodes: readonly Node[], { runs, candidates }: Cuts): Set<number> {
  const runOf = new Map(runs.flatMap((run) => run.map((node) => [node, run] as const)));
  const touched = new Map<number, Run | undefined>();
  const last = new Map<number, Node>();
  const whole = new Set<number>();
  for (const node of nodes)
    for (const id of operandsOf(node)) {
      const run = candidates.get(node)?.cut.has(id) ? runOf.get(node) : undefined;
      if (run === undefined || (touched.has(id) && touched.get(id) !== run)) whole.add(id);
      touched.set(id, run);
      last.set(id, node);
    }
  // Piece by piece on top of a value that is read there for the last time another costs nothing, and may be replaced in turn.
  for (const node of runs.flat())
    for (const [i, o] of node.inPlace) {
      const [x, y] = [node.inputs[i] ?? ABSENT, node.outputs[o] ?? ABSENT];
      if (whole.has(x) && last.get(x) === node && y !== ABSENT && graph.values[x]!.bytes === graph.values[y]!.bytes) whole.add(y);
    }
  return whole;
}

/** The nodes of a phase with every run cut; new values are added to `graph`. */
function cut(graph: Graph, nodes: readonly Node[], cuts: Cuts, least: number): Node[] {
  const whole = wholeValues(graph, nodes, cuts);
  const pieces = new Map<number, number[]>();

  /** Rows [from, to) of a value of so many. */
  const rowsPiece = (id: number, t: number, rows: number, from: number, to: number): number => {
    const { name, bytes, type } = graph.values[id]!;
    const row = bytes / rows;
    const shape = type.shape.length > 1 ? [to - from, type.shape.at(-1)!] : [((to - from) * row) / (type.dtype === 'f32' ? 4 : 1)];
    const view = whole.has(id) ? { view: { of: id, offset: from * row } } : {};
    return addValue(graph, `${name}#${t}`, { dtype: type.dtype, shape }, 'temp', view);
  };
  /** A piece as long as it is; the whole becomes what its pieces add up to. */
  const sealedPiece = (id: number, t: number, type: Type): number => {
    const value = graph.values[id]!;
    const offset = t === 0 ? 0 : value.bytes;
    const piece = addValue(graph, `${value.name}#${t}`, type, 'temp', { view: { of: id, offset } });
    const bytes = offset + Math.ceil(graph.values[piece]!.bytes / ALIGNMENT) * ALIGNMENT;
    graph.values[id] = { ...value, type: u8(bytes), bytes };
    return piece;
  };
  const pieceOf = (id: number, t: number, make: () => number): number => {
    const list = pieces.get(id) ?? [];
    list[t] ??= make();
    pieces.set(id, list);
    return list[t];
  };
  const nodePiece = (node: Node, t: number, from: number, to: number): Node => {
    const { rows, cut, sealed } = cuts.candidates.get(node)!;
    const inputs = node.inputs.map((id) => (cut.has(id) ? pieceOf(id, t, () => rowsPiece(id, t, rows, from, to)) : id));
    const piece: Node = { ...node, name: `${node.name}#${t}`, inputs, outputs: [] };
    const types = node.outputs.some((id) => !isMatrix(graph.values[id]!)) ? outputTypes(graph, piece) : [];
    piece.outputs = node.outputs.map((id, o) =>
      pieceOf(id, t, () => (sealed.has(id) ? sealedPiece(id, t, types[o]!) : rowsPiece(id, t, rows, from, to))),
    );
    for (const [o, id] of piece.outputs.entries())
      if (types[o] && graph.values[id]!.bytes !== byteLength(types[o]))
        throw new RangeError(`${piece.name}: a piece of ${graph.values[id]!.bytes} bytes, the kernel writes ${byteLength(types[o])}`);
    return piece;
  };

  const result: Node[] = [];
  const heads = new Map(cuts.runs.map((run) => [run[0]!, run]));
  for (const node of nodes) {
    const run = heads.get(node);
    if (run !== undefined) {
      const bounds = piecesOf(cuts.candidates.get(node)!.rows, least);
      for (let t = 0; t + 1 < bounds.length; t++) for (const one of run) result.push(nodePiece(one, t, bounds[t]!, bounds[t + 1]!));
    } else if (!cuts.candidates.has(node)) result.push(node);
  }
  return result;
}

/** Types of a node's outputs, kept ones included, from those of its inputs. */
function outputTypes(graph: Graph, { op, inputs, attributes, ...node }: Node): readonly Type[] {
  const def = definition(op);
  const types = inputs.map((id) => (id === ABSENT ? undefined : graph.values[id]!.type));
  const choices = def.saves?.(
    { ...node, op, inputs, attributes },
    graph,
    inputs.map(() => true),
  );
  return [...def.infer(types, attributes), ...(choices?.find(({ keep }) => keep === attributes.keep)?.extra ?? [])];
}
