/** Ten kills and five lost terminals at random moments, two pairs of runs on one folder; `npm run test:kill` has many more, and the other runtimes. */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeTest } from '../support/runtime.ts';

nodeTest('killed ten times, every run resumes and ends in the same adapter', () => {
  const { status, stdout } = spawnSync(
    process.execPath,
    ['tools/kill.mjs', '--kills', '10', '--budget-kills', '0', '--hangups', '5', '--pairs', '2', '--only', 'node'],
    { encoding: 'utf8' },
  );
  assert.is(status, 0, stdout);
  assert.match(stdout, /^10 kills, [1-9]\d* runs that went on to the same end/m);
  assert.match(stdout, /^5 hang-ups, /m);
  assert.match(stdout, /^2 pairs on one folder: 2 times exactly one was refused/m);
});

test.run();
