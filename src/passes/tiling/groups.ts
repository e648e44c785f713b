/** Which nodes are cut together into pieces (src/passes/tiling/tiles.ts), and where. */
import { ABSENT, type Graph, type Node, rowsOf, shapeOf, type Value } from '../../graph/graph.ts';
import { definition } from '../../ops/index.ts';

/** Most pieces of one run: further ones save little and lengthen the program. Maps of a picture are larger than hidden rows, so more of them pay. */
const MOST = { rows: 4, pictures: 8 };
/** Pieces of rows are multiples of so many. */
const ROUND = 4;
/** Views begin at multiples of so many bytes. */
export const ALIGNMENT = 16;

/** Into what something is cut: pieces of `size` of its `units`, the last one what is left. */
export interface TileSize {
  of: 'rows' | 'pictures';
  units: number;
  size: number;
}

/** A node that can be cut. */
export interface Candidate {
  size: TileSize;
  /** Operands that are cut: all but those that every piece needs whole. */
  cut: ReadonlySet<number>;
  /** Of these the ones whose pieces are no parts of the whole: nobody but nodes that are cut alike can read them. */
  privateValues: ReadonlySet<number>;
}

/** Neighbouring nodes of one block that are cut together. */
export type Run = readonly Node[];

/** What is to be cut, in order, and how. */
export interface Cuts {
  runs: readonly Run[];
  candidates: ReadonlyMap<Node, Candidate>;
}

type Candidates = Map<Node, Candidate>;
type Users = ReadonlyMap<number, readonly Node[]>;

/** Rows of a piece, of so many, where it is to have at least `least`. */
export function pieceRows(rows: number, least: number): number {
  const count = Math.max(1, Math.min(MOST.rows, Math.floor(rows / least)));
  return Math.ceil(rows / count / ROUND) * ROUND;
}

/** Where each piece begins, and the end. */
export const boundsOf = ({ units, size }: Pick<TileSize, 'units' | 'size'>): number[] =>
  Array.from({ length: Math.ceil(units / size) + 1 }, (_, i) => Math.min(units, i * size));

export const operandsOf = (node: Node): number[] => [...node.inputs, ...node.outputs].filter((id) => id !== ABSENT);
export const isMatrix = ({ type }: Value): boolean => type.dtype === 'f32' && type.shape.length > 1;

/**
 * The runs worth cutting, in order: those with something between their nodes that nobody else reads. First those that pieces of whole pictures
 * can go through, convolutions among them; of what is left, those of rows.
 */
export function cutsOf(graph: Graph, nodes: readonly Node[], least: number, pictures: number): Cuts {
  const users = new Map<number, Node[]>();
  for (const node of nodes) for (const id of new Set(operandsOf(node))) users.set(id, [...(users.get(id) ?? []), node]);
  const candidates: Candidates = new Map();
  const add = (found: Candidates, isWanted: (run: Run) => boolean): void => {
    settle(graph, nodes, found, users, isWanted);
    for (const [node, candidate] of found) candidates.set(node, candidate);
  };
  if (pictures > 1) {
    const sizes = pictureSizes(graph, nodes, least, pictures);
    const needsPictures = (node: Node): boolean => definition(node.op).pieces?.(node, graph)?.of === 'pictures';
    add(
      candidatesOf(graph, nodes, (node) => sizes.get(node.block)),
      (run) => run.some(needsPictures),
    );
  }
  const others = nodes.filter((node) => !candidates.has(node));
  add(
    candidatesOf(graph, others, (node) => rowSize(graph, node, least)),
    () => true,
  );
  return { runs: group(nodes, candidates), candidates };
}

/** What of a node would be cut; undefined where it cannot be. */
function cutOf(graph: Graph, node: Node): ReadonlySet<number> | undefined {
  const whole = definition(node.op).pieces?.(node, graph)?.whole;
  if (whole === undefined) return undefined;
  const cut = new Set([...node.inputs.filter((id, i) => id !== ABSENT && !whole.includes(i)), ...node.outputs]);
  const isFixed = [...cut].some((id) => graph.values[id]!.role !== 'temp' || graph.values[id]!.source);
  return isFixed || whole.some((i) => cut.has(node.inputs[i] ?? ABSENT)) ? undefined : cut;
}

/** Rows of the first operand that is a matrix of temporaries, outputs before inputs, where the node can be cut between them. */
function rowSize(graph: Graph, node: Node, least: number): TileSize | undefined {
  if (definition(node.op).pieces?.(node, graph)?.of !== 'rows') return undefined;
  const first = [...node.outputs, ...node.inputs].find(
    (id) => id !== ABSENT && graph.values[id]!.role === 'temp' && isMatrix(graph.values[id]!),
  );
  const rows = first === undefined ? 0 : rowsOf(graph, first);
  return rows < 2 * least ? undefined : { of: 'rows', units: rows, size: pieceRows(rows, least) };
}

/**
 * By block, how many pictures a piece has: enough for the smallest map there to have `least` rows (what has one row a picture, as in
 * squeeze-excite, is too little to count) and for every part to begin at an aligned byte. One for the block, so that backward is cut as forward is.
 */
function pictureSizes(graph: Graph, nodes: readonly Node[], least: number, pictures: number): Map<number, TileSize> {
  const values = new Map<number, Value[]>();
  for (const node of nodes) {
    const cut = [...(cutOf(graph, node) ?? [])].map((id) => graph.values[id]!).filter((v) => isMatrix(v) && v.type.shape[0] === pictures);
    values.set(node.block, [...(values.get(node.block) ?? []), ...cut]);
  }
  const sizes = new Map<number, TileSize>();
  for (const [block, list] of values) {
    const positions = list.map(({ id }) => rowsOf(graph, id) / pictures).filter((n) => n > 1);
    if (positions.length === 0) continue;
    const count = Math.min(MOST.pictures, Math.floor(pictures / Math.ceil(least / Math.min(...positions))));
    for (let size = Math.ceil(pictures / count); size < pictures; size++) {
      if (!list.every((v) => isAligned(v, { units: pictures, size }))) continue;
      sizes.set(block, { of: 'pictures', units: pictures, size });
      break;
    }
  }
  return sizes;
}

/** Whether the pieces of a value, one after the other, begin at aligned bytes. */
const isAligned = ({ bytes }: Value, { units, size }: Pick<TileSize, 'units' | 'size'>): boolean =>
  bytes % units === 0 && (size * bytes) % (ALIGNMENT * units) === 0;

/** Every node that can be cut at its size, as far as it is known from the node itself. */
function candidatesOf(graph: Graph, nodes: readonly Node[], sizeOf: (node: Node) => TileSize | undefined): Candidates {
  const cuttable = new Map<Node, { size: TileSize; cut: ReadonlySet<number> }>();
  /** Of what is kept beside matrices: how it is cut, where its pieces one after the other are the whole. */
  const joins = new Map<number, TileSize>();
  for (const node of nodes) {
    const [size, cut] = [sizeOf(node), cutOf(graph, node)];
    if (size === undefined || cut === undefined || [...cut].some((id) => !isOf(graph, id, size))) continue;
    cuttable.set(node, { size, cut });
    if (definition(node.op).pieces!(node, graph)!.separatelyStored) continue;
    for (const id of node.outputs) if (!isMatrix(graph.values[id]!) && isAligned(graph.values[id]!, size)) joins.set(id, size);
  }
  const candidates: Candidates = new Map();
  for (const [node, { size, cut }] of cuttable) {
    const isPrivate = (id: number): boolean => !isMatrix(graph.values[id]!) && !(joins.has(id) && isAlike(joins.get(id)!, size));
    candidates.set(node, { size, cut, privateValues: new Set([...cut].filter(isPrivate)) });
  }
  return candidates;
}

/** Whether a matrix has the rows, or the pictures, that it is to be cut into. */
function isOf(graph: Graph, id: number, { of, units }: TileSize): boolean {
  if (!isMatrix(graph.values[id]!)) return true;
  return of === 'rows' ? rowsOf(graph, id) === units : shapeOf(graph, id)[0] === units;
}

const isAlike = (a: TileSize, b: TileSize): boolean => a.of === b.of && a.units === b.units && a.size === b.size;

/** Drops candidates until all that are left stand in groups that are wanted and worth it, and no node outside reads their private values. */
function settle(graph: Graph, nodes: readonly Node[], candidates: Candidates, users: Users, isWanted: (run: Run) => boolean): void {
  for (let before = -1; before !== candidates.size; ) {
    before = candidates.size;
    for (const [node, { size, privateValues }] of candidates) {
      const fits = (user: Node, id: number): boolean => {
        const other = candidates.get(user);
        return other !== undefined && isAlike(other.size, size) && other.privateValues.has(id);
      };
      if ([...privateValues].some((id) => !users.get(id)!.every((user) => fits(user, id)))) candidates.delete(node);
    }
    for (const run of group(nodes, candidates))
      if (!isWanted(run) || !isWorth(graph, run, users)) for (const node of run) candidates.delete(node);
  }
}

/**
 * Whether tiling the group saves memory: some value between its nodes shrinks to a tile. A value that its reader overwrites in place saves nothing
 * if what overwrites it stays whole, because the whole buffer is there anyway.
 *
 *     x [4 MB] ─► fc1 ─► h [16 MB] ─► GELU ─► h′ ─► fc2 ─► y     h is read here alone: 16 MB become 1 MB, worth it
 *     x [4 MB] ─► add ─► s [4 MB] ─► relu in place ─► y whole    s lies in y's own 4 MB: tiling it saves 0
 */
function isWorth(graph: Graph, run: Run, users: Users): boolean {
  const inside = new Set(run);
  const isInner = (id: number): boolean => users.get(id)!.every((user) => inside.has(user));
  const isReplaced = (id: number): boolean =>
    users.get(id)!.some((user) => user.inPlace.some(([i, o]) => user.inputs[i] === id && !isInner(user.outputs[o]!)));
  return run.some((node) => node.outputs.some((id) => isMatrix(graph.values[id]!) && isInner(id) && !isReplaced(id)));
}

/** Candidates next to each other, of one block, one direction and cut alike; no two of a run add to the same sum. */
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
      (head.block !== node.block || head.isBackward !== node.isBackward || !isAlike(candidates.get(head)!.size, candidate.size));
    // A node that reads all of a value cannot share a group with the node that makes it: after the first tile only a part would be there.
    const needsWhole = node.inputs.some((id) => made.has(id) && !candidate.cut.has(id));
    if (isOther || needsWhole || node.updates.some((id) => updated.has(id))) close();
    now.push(node);
    for (const id of node.updates) updated.add(id);
    for (const id of node.outputs) made.add(id);
  }
  close();
  return runs;
}
