/** A seeded slice of the forged programs of `npm run fuzz`. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { forge } from './forge.ts';

test('120 forged programs: refused in a sentence, or run to an end of their own', async () => {
  const { readers, failures } = await forge({ count: 120, seed: 7, boards: 2 });
  assert.equal(failures, []);
  const sum = (key: 'refused' | 'passed'): number => Object.values(readers).reduce((n, reader) => n + reader[key], 0);
  assert.ok(sum('refused') > 20 && sum('passed') > 20, JSON.stringify(readers));
});

test.run();
