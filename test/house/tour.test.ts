/** The numbers of docs/tour are what the product does today: `npm run tour -- --write` writes them. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isDeno, nodeTest } from '../support/runtime.ts';

const { tourBlocks, tourPages } = isDeno ? {} : await import('../../tools/tour.mjs');

nodeTest('each page shows what a run prints', async () => {
  const blocks = await tourBlocks!();
  assert.ok(Object.keys(blocks).length >= 6);
  const pages = tourPages!(blocks);
  assert.is(pages.size, 3);
  for (const [path, text] of pages) assert.is(readFileSync(path, 'utf8'), text, `${path}: npm run tour -- --write writes it`);
});

test.run();
