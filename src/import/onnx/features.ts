/**
 * `--features NODE`: the part of a file's graph that a named value follows from, and the value as what a head reads. What stands behind it, a
 * detector's heads or another classifier, is not looked at.
 */
import { InputError, nearest, shown } from '../../base/error.ts';
import type { OnnxFile, OnnxNode } from './model.ts';
import { shapeOfView, sizeOf, type View } from './view.ts';

/** The file without all that `name`, a value's or a node's, does not follow from; its one output is that value. InputError where there is none. */
export function cutAt(file: OnnxFile, name: string): OnnxFile {
  const value = madeValue(file, name);
  const wanted = new Set([value]);
  const nodes: OnnxNode[] = [];
  for (const node of [...file.nodes].reverse()) {
    if (!node.outputs.some((output) => wanted.has(output))) continue;
    nodes.push(node);
    for (const input of node.inputs) wanted.add(input);
  }
  const inputs = file.inputs.filter((port) => wanted.has(port.name));
  if (inputs.length === 0) throw unrelated(file.path, name);
  return {
    ...file,
    nodes: nodes.reverse(),
    inputs,
    outputs: [{ name: value, element: 0, shape: undefined }],
  };
}

/** A value that is no part of what becomes of a picture. */
export const unrelated = (path: string, name: string): InputError =>
  new InputError({ where: `--features ${shown(name)}`, what: 'does not follow from the picture', got: path });

/** A value's name: its own, or that of the node which makes it. */
function madeValue({ path, nodes }: OnnxFile, name: string): string {
  if (name !== '' && nodes.some(({ outputs }) => outputs.includes(name))) return name;
  const made = nodes.filter((node) => node.name !== '' && node.name === name);
  const [first] = made[0]?.outputs ?? [];
  if (made.length === 1 && first !== undefined && first !== '') return first;
  const near = nearest(name, new Set(nodes.flatMap((node) => [node.name, ...node.outputs]).filter((other) => other !== '')));
  const ends = nodes.flatMap(({ outputs }) => outputs).slice(-3);
  throw new InputError({
    where: `--features ${shown(name)}`,
    what: 'is no value of this file',
    got: path,
    hint: near.length > 0 ? `did you mean ${near.map(shown).join(', ')}?` : `its last ones are ${ends.map(shown).join(', ')}`,
  });
}

/**
 * Refuses a value that no head can read: one of one row ([1, C]) is read as it is, of a map or of tokens ([1, C, H, W], [1, H, W, C], [1, T, C])
 * the mean over its positions.
 */
export function checkFeatures(name: string, view: View, shape: readonly number[]): void {
  const seen = shapeOfView(view);
  const channels = shape.at(-1) ?? 0;
  // The axes of ours that are channels are the last, and what is left are positions in their order.
  const last = (dim: readonly number[] = []): boolean =>
    dim.every((axis, i) => axis === view.axes.length - dim.length + i) && sizeOf(view, dim) === channels;
  const isRow = seen.length <= 2 && shape.length === 1;
  const isMap = (seen.length === 4 && (last(view.dims[1]) || last(view.dims[3]))) || (seen.length === 3 && last(view.dims[2]));
  if (seen[0] === 1 && (isRow || isMap)) return;
  throw new InputError({
    where: `--features ${shown(name)}`,
    what: 'is neither a row of numbers for each picture nor a map',
    got: `[${seen}]`,
    expected: '[1, C], or [1, C, H, W], [1, H, W, C] or [1, tokens, C], of which the mean is taken',
  });
}
