/**
 * Row tiles: a run of nodes that work row by row goes over its rows piece by piece, so that what stands between them is never whole.
 *
 *     x ─► fc1 ─► hidden ─► GELU ─► hidden′ ─► fc2 ─► y        each piece of x through the whole run, then the next;
 *                          └─► codes                           hidden is as large as a piece, x, codes and y are views of the whole
 *
 * Rows do not know of each other, and what is summed over them (a bias's gradient) is summed in their order: every byte that comes out is
 * the same. It costs the packing of the weights once more for each piece.
 */
import { ABSENT, addValue, f32, type Graph, type Node, rowsOf, type Type, u8, type Value } from './graph.ts';
import { definition } from './ops/index.ts';

/** Rows that a tile has at least, where nothing is said: with them a step takes no longer, with fewer some per cent (docs/bench.md). */
export const TILE_ROWS = 256;
/** Most pieces of one run: further ones save little and lengthen the program. */
const MOST_TILES = 4;
/** Bytes that a view's place is a multiple of. */
const ALIGNMENT = 16;

/** Where each piece of so many rows begins, and their end; pieces are multiples of four rows, so that views of f32 rows are aligned. */
export function piecesOf(rows: number, least: number): number[] {
  const count = Math.max(1, Math.min(MOST_TILES, Math.floor(rows / least)));
  const size = Math.ceil(rows / count / 4) * 4;
  return Array.from({ length: Math.ceil(rows / size) + 1 }, (_, i) => Math.min(rows, i * size));
}

/** A node that can be cut, and how many rows it has. */
interface Candidate {
  rows: number;
  /** Operands that are cut: all but those that every row needs whole. */
  cut: ReadonlySet<number>;
  /** Of these the ones that are no rows of f32 but what is kept of them, each piece apart: codes, statistics. */
  sealed: ReadonlySet<number>;
}

/** Neighbouring nodes of one block that are cut together. */
type Run = readonly Node[];

/**
 * The same graph, evaluation too, with its runs of row-wise nodes cut into pieces of at least `least` rows; undefined where that would spare
 * nothing. The graph given stays as it is.
 */
export function tiled(graph: Graph, least: number): Graph | undefined {
  if (least <= 0) return undefined;
  const result: Graph = { values: [...graph.values], phases: { ...graph.phases } };
  let found = false;
  for (const phase of ['train', 'eval'] as const) {
    const { runs, candidates } = runsOf(graph, graph.phases[phase], least);
    if (runs.length === 0) continue;
    found = true;
    result.phases[phase] = cut(result, graph.phases[phase], runs, candidates, least);
  }
  return found ? result : undefined;
}

const operandsOf = (node: Node): number[] => [...node.inputs, ...node.outputs].filter((id) => id !== ABSENT);
const isMatrix = ({ type }: Value): boolean => type.dtype === 'f32' && type.shape.length > 1;

/** How a node can be cut into pieces of at least `least` rows; undefined where it cannot. */
function candidateOf(graph: Graph, node: Node, least: number): Candidate | undefined {
  const whole = definition(node.op).byRows?.(node);
  if (whole === undefined) return undefined;
  const cut = new Set([...node.inputs.filter((id, i) => id !== ABSENT && !whole.includes(i)), ...node.outputs]);
  const values = [...cut].map((id) => graph.values[id]!);
  const matrices = values.filter(isMatrix);
  const rows = matrices.length > 0 ? rowsOf(graph, matrices[0]!.id) : 0;
  if (rows < 2 * least || values.some((v) => v.role !== 'temp' || v.source) || matrices.some((v) => rowsOf(graph, v.id) !== rows))
    return undefined;
  if (whole.some((i) => cut.has(node.inputs[i] ?? ABSENT))) return undefined;
  return { rows, cut, sealed: new Set(values.filter((v) => !isMatrix(v)).map((v) => v.id)) };
}

/** The runs worth cutting, in order: those with something between their nodes that nobody else reads. */
function runsOf(graph: Graph, nodes: readonly Node[], least: number): { runs: Run[]; candidates: ReadonlyMap<Node, Candidate> } {
  const candidates = new Map<Node, Candidate>();
  const users = new Map<number, Node[]>();
  for (const node of nodes) {
    const candidate = candidateOf(graph, node, least);
    if (candidate) candidates.set(node, candidate);
    for (const id of new Set(operandsOf(node))) users.set(id, [...(users.get(id) ?? []), node]);
  }
  for (;;) {
    const before = candidates.size;
    // What is kept in pieces of its own has no meaning to a node that wants it whole, or in other pieces.
    for (const [node, { rows, sealed }] of candidates) {
      const fits = (user: Node, id: number): boolean => candidates.get(user)?.rows === rows && candidates.get(user)!.sealed.has(id);
      if ([...sealed].some((id) => !users.get(id)!.every((user) => fits(user, id)))) candidates.delete(node);
    }
    const runs = group(nodes, candidates);
    const isWorth = (run: Run): boolean => {
      const inside = new Set(run);
      return run.some((node) =>
        node.outputs.some((id) => {
          const { cut, sealed } = candidates.get(node)!;
          return cut.has(id) && !sealed.has(id) && users.get(id)!.every((user) => inside.has(user));
        }),
      );
    };
    for (const run of runs) if (!isWorth(run)) for (const node of run) candidates.delete(node);
    if (candidates.size === before) return { runs, candidates };
  }
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

/** The nodes of a phase with every run cut; new values are added to `graph`. */
function cut(graph: Graph, nodes: readonly Node[], runs: readonly Run[], candidates: ReadonlyMap<Node, Candidate>, least: number): Node[] {
  const runOf = new Map(runs.flatMap((run) => run.map((node) => [node, run] as const)));
  // Values that some node wants whole keep a place of their own, of which the pieces are views.
  const whole = new Set(
    nodes.flatMap((node) => {
      const cut = runOf.has(node) ? candidates.get(node)!.cut : undefined;
      return operandsOf(node).filter((id) => !cut?.has(id));
    }),
  );
  const pieces = new Map<number, number[]>();
  /** Bytes of the pieces of a sealed value so far. */
  const filled = new Map<number, number>();

  const matrixPiece = (id: number, t: number, from: number, to: number): number => {
    const { name, bytes, type } = graph.values[id]!;
    const c = type.shape.at(-1) as number;
    const row = bytes / rowsOf(graph, id);
    const view = whole.has(id) ? { view: { of: id, offset: from * row } } : {};
    return addValue(graph, `${name}#${t}`, f32(to - from, c), 'temp', view);
  };
  const sealedPiece = (id: number, t: number, type: Type): number => {
    const offset = filled.get(id) ?? 0;
    const piece = addValue(graph, `${graph.values[id]!.name}#${t}`, type, 'temp', { view: { of: id, offset } });
    const end = offset + Math.ceil(graph.values[piece]!.bytes / ALIGNMENT) * ALIGNMENT;
    filled.set(id, end);
    graph.values[id] = { ...graph.values[id]!, type: u8(end), bytes: end };
    return piece;
  };
  const note = (id: number, t: number, make: () => number): number => {
    const list = pieces.get(id) ?? [];
    list[t] ??= make();
    pieces.set(id, list);
    return list[t];
  };

  const pieceOf = (node: Node, t: number, from: number, to: number): Node => {
    const { cut, sealed } = candidates.get(node)!;
    const inputs = node.inputs.map((id) => (cut.has(id) ? note(id, t, () => matrixPiece(id, t, from, to)) : id));
    const clone: Node = { ...node, name: `${node.name}#${t}`, inputs, outputs: [] };
    const types = sealed.size > 0 ? sealedTypes(graph, clone) : [];
    clone.outputs = node.outputs.map((id, o) =>
      note(id, t, () => (sealed.has(id) ? sealedPiece(id, t, types[o]!) : matrixPiece(id, t, from, to))),
    );
    return clone;
  };

  const result: Node[] = [];
  for (const node of nodes) {
    const run = runOf.get(node);
    if (run === undefined) result.push(node);
    else if (node === run[0]) {
      const bounds = piecesOf(candidates.get(node)!.rows, least);
      for (let t = 0; t + 1 < bounds.length; t++) for (const one of run) result.push(pieceOf(one, t, bounds[t]!, bounds[t + 1]!));
    }
  }
  return result;
}

/** Types of a piece's outputs, kept ones included, by position. */
function sealedTypes(graph: Graph, node: Node): readonly Type[] {
  const def = definition(node.op);
  const types = node.inputs.map((id) => (id === ABSENT ? undefined : graph.values[id]!.type));
  const made = def.infer(types, node.attributes);
  const kept = def
    .saves?.(
      node,
      graph,
      node.inputs.map(() => true),
    )
    .find(({ keep }) => keep === node.attributes.keep);
  return [...made, ...(kept?.extra ?? [])];
}
