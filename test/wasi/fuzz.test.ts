/** A seeded slice of `npm run fuzz`. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzz } from './fuzz.ts';

test('1,400 damaged and hostile files: a status and a sentence each', async () => {
  const { readers, failures } = await fuzz({ count: 1400, seed: 7 });
  assert.equal(failures, []);
  // Every reader refuses some and, but for the weights, whose SHA-256 is known, takes some.
  for (const [name, { refused, passed }] of Object.entries(readers)) {
    assert.ok(refused > 50, `${name}: ${refused} refused`);
    if (!name.startsWith('safetensors')) assert.ok(passed > 2, `${name}: ${passed} passed`);
  }
});

test.run();
