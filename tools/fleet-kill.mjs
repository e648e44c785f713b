// Kills a fleet's server at random moments of a run with four boards, and takes it up again each time (tools/fleet/kills.mjs).
//
//     node tools/fleet-kill.mjs [--kills 5] [--rounds 10] [--seed 1]      after npm run build; needs Python and Flower, as npm run test:fleet does
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { killServer } from './fleet/kills.mjs';
import { serverPython } from './fleet/python.mjs';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '5' }, rounds: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
});
const say = (text) => process.stdout.write(`${text}\n`);
const { python, why } = serverPython(say);
if (!python) {
  say(`SKIPPED, not passed: ${why}`);
  process.exit(3);
}
const began = Date.now();
try {
  const [kills, rounds, seed] = [values.kills, values.rounds, values.seed].map(Number);
  await killServer({
    ...{ python, root: join('build', 'fleet', 'kill'), rounds, kills, seed, say },
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
