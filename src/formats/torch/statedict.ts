/** Which of a checkpoint's values are the network's weights, under which names, and that each of them is where it says. */
import { InputError, shown } from '../../base/error.ts';
import { type Dtype, dtypeBytes, elements, type Shape, shapeText } from '../../base/tensor.ts';
import { linesFor } from './lines.ts';
import { Dict, type Storage, TensorPlace, type Value } from './values.ts';

/** A tensor whose place has been checked. */
export interface Weight {
  name: string;
  dtype: Dtype;
  shape: Shape;
  storage: Storage;
  /** Its first number in the storage. */
  from: number;
  /** For each number of a row its place in that row, where they lie in another order (channels last); absent: as they are read. */
  order?: { shape: Shape; strides: readonly number[] };
}

/** Longest shape. */
const MOST_AXES = 8;
/** Most numbers of a row that lie in another order: a row is held in memory while it is read. */
const MOST_ROW = 1 << 22;
/** What wrappers put before every name: DataParallel, torch.compile. */
const WRAPPERS = ['module.', '_orig_mod.'];

const isTensor = (value: Value | undefined): value is TensorPlace => value instanceof TensorPlace;
const holdsTensors = (value: Value): value is Dict => value instanceof Dict && [...value.entries.values()].some(isTensor);

/** The weights of a checkpoint, in their order. Throws InputError where it is not plain which these are, or one is not in its storage. */
export function weightsOf(path: string, root: Value): Weight[] {
  const dict = stateDictOf(path, root);
  const weights: Weight[] = [];
  for (const [key, value] of dict.entries) {
    if (typeof key === 'string' && isTensor(value)) weights.push(placed(path, key, value));
    else
      throw new InputError({
        where: `${path}, ${shown(String(key))}`,
        what: 'is no tensor, in the midst of tensors',
        hint: `save the tensors alone with: ${linesFor(path).again}`,
      });
  }
  return unwrapped(path, weights);
}

/** The checkpoint itself, or the one dictionary of tensors that it holds. */
function stateDictOf(path: string, root: Value): Dict {
  if (!(root instanceof Dict))
    throw new InputError({
      where: path,
      what: 'holds no dictionary of tensors',
      expected: 'what torch.save(model.state_dict(), …) writes',
    });
  const inner = [...root.entries].flatMap(([key, value]) => (holdsTensors(value) ? [[key, value] as const] : []));
  const [first, second] = inner;
  if (first === undefined) {
    if (holdsTensors(root)) return root;
    throw new InputError({ where: path, what: 'holds no tensors', expected: 'what torch.save(model.state_dict(), …) writes' });
  }
  if (second === undefined) return first[1];
  const names = inner.map(([key]) => shown(String(key)));
  throw new InputError({
    where: path,
    what: 'holds several networks, and does not say which is meant',
    got: names.slice(0, 6).join(', '),
    hint: `save one of them with: ${linesFor(path).one(names.find((name) => /^\w+$/.test(name)) ?? 'NAME')}`,
  });
}

/** Names without what wraps the whole network. */
function unwrapped(path: string, weights: Weight[]): Weight[] {
  const wrapper = WRAPPERS.find((prefix) => weights.every(({ name }) => name.startsWith(prefix)));
  if (wrapper === undefined) return weights;
  return unwrapped(
    path,
    weights.map((weight) => ({ ...weight, name: weight.name.slice(wrapper.length) })),
  );
}

/** A tensor that lies within its storage, in one piece or (rows of channels last) in pieces of a row. */
function placed(path: string, name: string, { storage, from, shape, strides }: TensorPlace): Weight {
  const where = `${path}, tensor ${shown(name)}`;
  const isList = (value: Value): value is number[] =>
    Array.isArray(value) && value.length <= MOST_AXES && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
  if (!isList(shape)) throw new InputError({ where, what: 'has a bad shape' });
  const count = elements(shape);
  if (Number.isNaN(count)) throw new InputError({ where, what: 'has a bad shape', got: shapeText(shape) });
  if (!isList(strides) || strides.length !== shape.length) throw new InputError({ where, what: 'has bad strides' });
  if (!Number.isSafeInteger(from) || (from as number) < 0 || (from as number) + count > storage.count)
    throw new InputError({
      where,
      what: 'lies outside of its storage',
      got: `${count} numbers from ${String(from)} on`,
      expected: `${storage.count}`,
    });
  const weight = { name, dtype: storage.dtype, shape, storage, from: from as number };
  if (isDense(shape, strides)) return weight;
  const [row, inner] = [shape.slice(1), strides.slice(1)];
  const size = elements(row);
  const isRows = strides[0] === size && size <= MOST_ROW && isPermuted(row, inner);
  if (isRows) return { ...weight, order: { shape: row, strides: inner } };
  throw new InputError({
    where,
    what: 'does not lie in one piece',
    got: `strides ${shapeText(strides)} of ${shapeText(shape)}`,
    hint: `write it anew with: ${linesFor(path).again}`,
  });
}

/** The last axis lies closest, every other one as far apart as those behind it take. Axes of one have no stride that matters. */
function isDense(shape: Shape, strides: readonly number[]): boolean {
  let next = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis]! !== 1 && strides[axis] !== next) return elements(shape) === 0;
    next *= shape[axis]!;
  }
  return true;
}

/** The same in some other order of the axes. */
function isPermuted(shape: Shape, strides: readonly number[]): boolean {
  const axes = [...shape.keys()].filter((axis) => shape[axis] !== 1).sort((a, b) => strides[b]! - strides[a]!);
  return isDense(
    axes.map((axis) => shape[axis]!),
    axes.map((axis) => strides[axis]!),
  );
}

/** Bytes of a weight. */
export const bytesOf = ({ dtype, shape }: Weight): number => elements(shape) * dtypeBytes(dtype);
