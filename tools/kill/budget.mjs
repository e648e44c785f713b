// Rounds of kills under --process-budget, over pictures of mixed size of which the budget skips some: each start has another amount of memory taken
// up, and all must skip the same pictures, find the same cache and end in the same adapter.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { encode } from 'fast-png';

/** The decoder is left 18 MiB, which PNG of 1,500 pixels a row reach at 1,397 rows. */
const BUDGET = '118MiB';
const HEIGHTS = [40, 700, 1340, 1380, 1390, 1405, 1420, 1440];
export const MIXED_SKIPPED = 2 * HEIGHTS.filter((height) => height > 1397).length;

function makeMixed(root) {
  for (const [label, name] of ['dark', 'light'].entries()) {
    mkdirSync(join(root, name), { recursive: true });
    for (const [i, height] of HEIGHTS.entries()) {
      const data = new Uint8Array(1500 * height * 3).fill(60 + 120 * label + 5 * i);
      writeFileSync(join(root, name, `${i}.png`), encode({ width: 1500, height, data, channels: 3, depth: 8 }, { zlib: { level: 1 } }));
    }
  }
}

/** What `torture` of tools/kill.mjs takes. */
export function budgetRounds({ folder, model, random, fail }) {
  const pictures = join(folder, 'mixed');
  makeMixed(pictures);
  return {
    name: 'node, --process-budget',
    bomb: true,
    // As soon as there is a plan: while pictures are prepared as well.
    begins: /linear memory|going on/,
    command(out, armed) {
      const ballast = Math.floor(random() * 100);
      const preload = ['--import', `data:text/javascript,globalThis.ballast = new Uint8Array(${ballast} << 20).fill(1)`];
      const bomb = armed ? ['--import', './tools/kill/bomb.mjs'] : [];
      const options = ['--process-budget', BUDGET, '--epochs', '6', '--batch-size', '2', '--lr', '0.01', '--save-every', '1', '--resume'];
      return [process.execPath, ...preload, ...bomb, 'dist/s2a.js', 'train', model, pictures, '--out', out, ...options];
    },
    check(out, said) {
      const caches = readdirSync(join(out, 'run')).filter((name) => name.endsWith('.pictures'));
      if (caches.length !== 1) fail(`--process-budget: ${caches.length} caches in ${out}`, said);
      const skipped = Number(/(\d+) skipped/.exec(said)?.[1] ?? 0);
      if (skipped !== MIXED_SKIPPED) fail(`--process-budget: ${skipped} pictures skipped, not ${MIXED_SKIPPED}`, said);
    },
  };
}
