// Kills four boards and their server at random moments of a run, and starts or takes up again each time what was killed (tools/fleet/kills.mjs).
//
//     node tools/fleet-kill.mjs [--kills 5] [--node-kills 50] [--rounds 10] [--seed 1]
//
// After npm run build; needs Python and Flower, as npm run test:fleet does.
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { killFleet } from './fleet/kills.mjs';
import { serverPython } from './fleet/python.mjs';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '5' },
    'node-kills': { type: 'string', default: '50' },
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});
const say = (text) => process.stdout.write(`${text}\n`);
const { python, why } = serverPython(say);
if (!python) {
  say(`SKIPPED, not passed: ${why}`);
  process.exit(3);
}
const began = Date.now();
try {
  const [kills, nodeKills, rounds, seed] = [values.kills, values['node-kills'], values.rounds, values.seed].map(Number);
  await killFleet({
    ...{ python, root: join('build', 'fleet', 'kill'), rounds, kills, nodeKills, seed, say },
    check(isGood, what) {
      if (!isGood) throw new Error(what);
      say(`ok   ${what}`);
    },
  });
  say(`fleet-kill: passed, ${Math.round((Date.now() - began) / 1000)} s`);
} catch (error) {
  say(`fleet-kill: FAILED, ${error.message}`);
  process.exitCode = 1;
}
