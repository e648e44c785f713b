// The mean of a round, one number after the other, from what each node wrote of it into its own folder: x₁·w₁ + x₂·w₂ + … in f32, w = a node's pictures over all,
// in the order of the nodes' names; a row of the head over the nodes alone that have its label.
import { join } from 'node:path';
import { nodeSources } from './sources.mjs';

const f32 = Math.fround;

/** @param {{ value: number, count: number }[]} parts */
function mean(parts) {
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  return parts.map(({ value, count }) => f32(value * f32(count / total))).reduce((sum, part) => f32(sum + part));
}

/**
 * Compares the global adapter that the server wrote after a round with the mean computed here. `folders`: of the nodes' own adapters of that round, by name; `asked`: the
 * journal's `nodes` of its training. Returns how many numbers there are, and how many differ in any bit.
 */
export async function compareByHand({ after, before, folders, asked }) {
  const { readTensorsOf } = await nodeSources();
  const nodes = [...asked].sort((a, b) => (a.name < b.name ? -1 : 1)).map((node) => ({ ...node, ...readTensorsOf(folders[node.name]) }));
  const [made, old] = [readTensorsOf(after), readTensorsOf(before)];
  const { labels, head } = made.info;
  const found = { numbers: 0, differ: 0 };
  for (const [name, { shape, values }] of made.tensors) {
    const width = values.length / shape[0];
    for (const [i, value] of values.entries()) {
      const label = head.includes(name) ? labels[Math.floor(i / width)] : undefined;
      const having = label === undefined ? nodes : nodes.filter((node) => node.labels[label] > 0);
      const parts = having.map((node) => ({ value: node.tensors.get(name).values[i], count: node.examples }));
      const hand = parts.length === 0 ? old.tensors.get(name)?.values[i] : mean(parts);
      found.numbers++;
      if (!Object.is(hand, value)) found.differ++;
    }
  }
  return found;
}

/** Where a node's own adapter of its last round lies. */
export const ownAdapter = (out) => join(out, 'fleet', 'local');
