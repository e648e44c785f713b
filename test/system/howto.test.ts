/** The pages of docs/howto as they stand: tools/howto-check.mjs runs their lines and compares what they print. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeTest } from '../support/runtime.ts';

for (const name of readdirSync('docs/howto').map((file) => file.replace(/\.md$/, '')))
  nodeTest(name, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/howto-check.mjs', name], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    assert.is(status, 0, `${stdout}${stderr}`);
  });

test.run();
