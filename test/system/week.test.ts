/** A week of watch and serve, in some minutes: tools/week.mjs says what happens in it. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeTest } from '../support/runtime.ts';

nodeTest('a week: 500 pictures, ten kills, a full disk, wrong labels; nothing lost, memory flat, never worse than at first', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/week.mjs'], { encoding: 'utf8' });
  assert.is(status, 0, `${stdout}\n${stderr}`);
  assert.is(stdout.match(/^ok /gm)?.length, 8, stdout);
});

test.run();
