/**
 * Cuts groups of nodes (src/passes/tiling/groups.ts) into tiles. A value that only the group reads shrinks to the size of a tile; one that others
 * read too keeps its size, and each tile writes a view of it.
 */
import { ABSENT, addValue, byteLength, type Graph, type Node, rangeOf, rootOf, type Type, u8 } from '../../graph/graph.ts';
import { definition, scratchOf } from '../../ops/index.ts';
import { ALIGNMENT, boundsOf, type Candidate, type Cuts, isMatrix, operandsOf, type Run, type TileSize } from './groups.ts';

/** A piece: its number, and the units from `from` up to `to` that it is. */
interface Piece {
  t: number;
  from: number;
  to: number;
}

/** The nodes of a phase with every run cut; new values are added to `graph`. */
export function cut(graph: Graph, nodes: readonly Node[], cuts: Cuts): Node[] {
  const whole = wholeValues(graph, nodes, cuts);
  const pieces = new Map<string, number>();

  /** A part of a value, or a value as large as one where nobody wants all of it. */
  const part = (id: number, { of, units }: TileSize, { t, from, to }: Piece): number => {
    const { name, bytes, type } = graph.values[id]!;
    const unit = bytes / units;
    const view = whole.has(id) ? { view: { of: rootOf(graph, id), offset: rangeOf(graph, id).from + from * unit } } : {};
    return addValue(graph, `${name}#${t}`, { dtype: type.dtype, shape: partShape(type, of, to - from, (to - from) * unit) }, 'temp', view);
  };
  /** A piece as long as it is; the whole becomes what its pieces add up to. */
  const sealedPart = (id: number, { t }: Piece, type: Type): number => {
    const value = graph.values[id]!;
    const offset = t === 0 ? 0 : value.bytes;
    const piece = addValue(graph, `${value.name}#${t}`, type, 'temp', { view: { of: id, offset } });
    const bytes = offset + Math.ceil(graph.values[piece]!.bytes / ALIGNMENT) * ALIGNMENT;
    graph.values[id] = { ...value, type: u8(bytes), bytes };
    return piece;
  };
  const partOf = (id: number, { of, size }: TileSize, { t }: Piece, make: () => number): number => {
    const key = `${id}:${of}:${size}:${t}`;
    const found = pieces.get(key) ?? make();
    pieces.set(key, found);
    return found;
  };
  const nodePiece = (node: Node, { size, cut, privateValues }: Candidate, at: Piece): Node => {
    const inputs = node.inputs.map((id) => (cut.has(id) ? partOf(id, size, at, () => part(id, size, at)) : id));
    const piece: Node = { ...node, name: `${node.name}#${at.t}`, inputs, outputs: [] };
    piece.scratchBytes = scratchOf(graph, piece);
    const types = node.outputs.some((id) => !isMatrix(graph.values[id]!)) ? outputTypes(graph, piece) : [];
    piece.outputs = node.outputs.map((id, o) =>
      partOf(id, size, at, () => (privateValues.has(id) ? sealedPart(id, at, types[o]!) : part(id, size, at))),
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
      const bounds = boundsOf(cuts.candidates.get(node)!.size);
      for (let t = 0; t + 1 < bounds.length; t++)
        for (const one of run) result.push(nodePiece(one, cuts.candidates.get(one)!, { t, from: bounds[t]!, to: bounds[t + 1]! }));
    } else if (!cuts.candidates.has(node)) result.push(node);
  }
  return result;
}

/** The shape of `count` rows, or pictures, of a value: so many bytes of it. */
function partShape({ dtype, shape }: Type, of: TileSize['of'], count: number, bytes: number): readonly number[] {
  if (shape.length < 2) return [bytes / (dtype === 'f32' ? 4 : 1)];
  return of === 'pictures' ? [count, ...shape.slice(1)] : [count, shape.at(-1)!];
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
  // In place: y = f(x) where x is whole and dies here. Tile by tile y may overwrite x, so y whole takes no memory of its own; the same may go on
  // with z = g(y). Example: x of 4 MB whole; y and z as views of its bytes cost 0, as buffers of a tile they would cost 2 × 64 KB.
  for (const node of runs.flat())
    for (const [i, o] of node.inPlace) {
      const [x, y] = [node.inputs[i] ?? ABSENT, node.outputs[o] ?? ABSENT];
      if (whole.has(x) && last.get(x) === node && y !== ABSENT && graph.values[x]!.bytes === graph.values[y]!.bytes) whole.add(y);
    }
  return whole;
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
  return [...def.infer(types, attributes, node.lists ?? {}), ...(choices?.find(({ keep }) => keep === attributes.keep)?.extra ?? [])];
}
