// Drawings as a fleet has them: each node two or three classes, unequal counts, no drawing on two nodes. What judges all is on none.
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { order, writeQuickdraw } from '../pictures/quickdraw.mjs';

/** Which classes each node has: `nodes` lists, every class in two of them, two or three in each; the seed decides. */
export function shareClasses(classes, nodes, seed) {
  const places = 2 * classes.length;
  const slots = Array.from({ length: places }, (_, i) => Math.floor((i * nodes) / places));
  for (let attempt = 0; ; attempt++) {
    const twice = [...order(classes.length, seed + 2 * attempt + 1), ...order(classes.length, seed + 2 * attempt + 2)];
    const lists = Array.from({ length: nodes }, (_, node) => twice.filter((_, i) => slots[i] === node).map((c) => classes[c]));
    if (lists.every((list) => new Set(list).size === list.length)) return lists;
  }
}

/**
 * Writes `all/` with train, val and test of every class, and node-1/ … with train and val of their own. Of the two nodes that have a class the first takes
 * between three and seven tenths of it. Returns each node's folder, classes and counts.
 */
export function writeFleet(root, { classes, nodes, train, val, seed = 1 }) {
  rmSync(root, { recursive: true, force: true });
  const all = join(root, 'all');
  writeQuickdraw(all, { classes, train, val, seed });
  const lists = shareClasses(classes, nodes, seed);
  const shares = order(5, seed + 7).map((i) => 0.3 + 0.1 * i);
  return lists.map((list, node) => {
    const folder = join(root, `node-${node + 1}`);
    const count = { train: 0, val: 0 };
    for (const name of list)
      for (const part of ['train', 'val']) {
        const files = readdirSync(join(all, part, name)).sort();
        const cut = Math.round(shares[classes.indexOf(name) % shares.length] * files.length);
        const isFirst = lists.findIndex((other) => other.includes(name)) === node;
        const mine = isFirst ? files.slice(0, cut) : files.slice(cut);
        mkdirSync(join(folder, part, name), { recursive: true });
        for (const file of mine) copyFileSync(join(all, part, name, file), join(folder, part, name, file));
        count[part] += mine.length;
      }
    return { name: `node-${node + 1}`, folder, classes: list, count };
  });
}
