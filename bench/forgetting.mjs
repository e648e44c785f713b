// Does an adapter that learns one class after the other keep what it knew?   npm run bench:forgetting [-- --seeds 1 --epochs 12 --memory 512KiB]
// And what of pictures like nothing that it learnt does it call unknown?
//
// Our vision transformer, which has seen none of these drawings, learns the demo's ten classes, then five others one by one: with a memory, and
// without. Beside it all fifteen at once. Forty drawings of each to learn from, ten to choose the epoch by, fifty judge: the ratio of what is right
// of them. Then, of the ten classes' adapter at --unknown 5%: how many of the other drawings, of twenty classes, and of noise are called unknown, and of its own.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encode } from 'fast-png';
import { order, writeQuickdraw } from '../tools/pictures/quickdraw.mjs';
import { EVALUATION } from '../tools/pictures/sets.mjs';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '12' },
    memory: { type: 'string', default: '512KiB' },
  },
});
const MODEL = 'models/sketch-vit';
const ROOT = 'build/forgetting';
const [TEN, OTHERS, MORE] = EVALUATION;
const FIVE = OTHERS.slice(0, 5);
const LEARN = ['--epochs', values.epochs, '--augment', 'crop,flip'];

/** @param {string[]} args */
function s2a(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/s2a.js', ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`s2a ${args.join(' ')}: ${stderr}`);
  return stdout;
}
const percent = (/** @type {number} */ x) => `${(100 * x).toFixed(1)} %`;
const accuracyOf = (/** @type {string} */ adapter, /** @type {string} */ data) =>
  JSON.parse(s2a('eval', MODEL, adapter, data, '--json')).accuracy;

/** The share of a folder's pictures that is called unknown. */
function unknownOf(/** @type {string} */ adapter, /** @type {string} */ folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.png'));
  const lines = s2a('predict', MODEL, adapter, ...files.map((name) => join(folder, name)), '--json')
    .trim()
    .split('\n');
  return lines.filter((line) => JSON.parse(line).known === false).length / files.length;
}

for (let seed = 1; seed <= Number(values.seeds); seed++) {
  const folder = join(ROOT, String(seed));
  rmSync(folder, { recursive: true, force: true });
  const at = (/** @type {string} */ name) => join(folder, name);
  const deal = { train: 40, val: 10, seed };
  writeQuickdraw(at('ten'), { classes: TEN, ...deal });
  writeQuickdraw(at('all'), { classes: [...TEN, ...FIVE], ...deal });
  for (const name of FIVE) writeQuickdraw(at(`one-${name}`), { classes: [name], ...deal });
  const from = ['--method', 'bias+prompt+side', '--seed', String(seed), ...LEARN];
  s2a('train', MODEL, at('all'), '--out', at('at-once'), ...from);
  const atOnce = accuracyOf(at('at-once'), at('all'));
  process.stdout.write(`seed ${seed}: ${FIVE.length + TEN.length} classes at once ${percent(atOnce)}\n`);
  for (const memory of [values.memory, '0']) {
    let before = at(`ten-${memory}`);
    s2a('train', MODEL, at('ten'), '--out', before, '--memory', memory, ...from);
    for (const name of FIVE) {
      const out = at(`${name}-${memory}`);
      s2a('train', MODEL, at(`one-${name}`), '--from', before, '--out', out, '--seed', String(seed), ...LEARN);
      before = out;
    }
    const accuracy = accuracyOf(before, at('all'));
    const bytes = memory === '0' ? '' : `, ${(statSync(join(before, 'memory.safetensors')).size / 1024).toFixed(0)} KiB used`;
    const ratio = percent(accuracy / atOnce);
    process.stdout.write(`  ten, then five one by one, --memory ${memory}${bytes}: ${percent(accuracy)}, ${ratio} of at once\n`);
  }
  writeQuickdraw(at('others'), { classes: [...OTHERS, ...MORE], train: 0, val: 0, seed });
  mkdirSync(at('noise'), { recursive: true });
  for (let i = 0; i < 200; i++) {
    const data = Uint8Array.from(order(28 * 28, 1000 * seed + i + 1), (v) => (v * 255) / 783);
    writeFileSync(join(at('noise'), `${i}.png`), encode({ width: 28, height: 28, data, channels: 1, depth: 8 }));
  }
  const ten = at('ten-0');
  const told = ['others', 'noise', 'ten/test'].map((name) => percent(unknownOf(ten, at(name))));
  process.stdout.write(`  called unknown: ${told[0]} of twenty other classes, ${told[1]} of noise, ${told[2]} of its own\n`);
}
