// Does an adapter that learns one class after the other keep what it knew?
//   npm run bench:forgetting [-- --on drawings|cifar10 --seeds 1 --epochs 12 --memory 512KiB]
// And what of pictures like nothing that it learnt does it call unknown?
//
// Drawings: our vision transformer, which has seen none of them, learns the demo's ten classes, then five others one by one: with a memory, and
// without. Beside it all fifteen at once. Forty drawings of each to learn from, ten to choose the epoch by, fifty judge: the ratio of what is right
// of them. Then, of the ten classes' adapter at --unknown 5%: how many of the other drawings, of twenty classes, and of noise are called unknown, and of its own.
// cifar10: ImageNet's MobileNetV2 at 96 pixels, its biases, five classes and then five one by one, twenty photographs of each to learn from, ten to choose by,
// a hundred judge; four epochs where nothing is said. The network and the pictures come from packages (tools/packages.mjs).
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encode } from 'fast-png';
import { readBatch, THINGS } from '../tools/pictures/cifar10.mjs';
import { order, writeQuickdraw } from '../tools/pictures/quickdraw.mjs';
import { EVALUATION } from '../tools/pictures/sets.mjs';
import { s2a } from './command.mjs';
import { openModel } from './networks/models.mjs';

const { values } = parseArgs({
  options: {
    on: { type: 'string', default: 'drawings' },
    seeds: { type: 'string', default: '1' },
    epochs: { type: 'string' },
    memory: { type: 'string', default: '512KiB' },
  },
});
const ROOT = 'build/forgetting';
const [TEN, OTHERS, MORE] = EVALUATION;

/** Photographs of some classes, dealt by the seed. */
function writeCifar(root, { classes, seed }) {
  const [learn, judge] = [1, 'test'].map((batch) => readBatch(batch).classes);
  for (const [c, name] of THINGS.entries()) {
    if (!classes.includes(name)) continue;
    const [own, others] = [learn[c], judge[c]].map((list) => order(list.length, seed).map((i) => list[i]));
    for (const [part, list] of Object.entries({ train: own.slice(0, 20), val: own.slice(20, 30), test: others.slice(0, 100) })) {
      mkdirSync(join(root, part, name), { recursive: true });
      for (const { number, data } of list)
        writeFileSync(
          join(root, part, name, `${number}.png`),
          encode({ width: 32, height: 32, data: Uint8Array.from(data), channels: 3, depth: 8 }),
        );
    }
  }
}

const TASKS = {
  drawings: {
    model: () => 'models/sketch-vit',
    first: TEN,
    later: OTHERS.slice(0, 5),
    write: (root, { classes, seed }) => writeQuickdraw(root, { classes, train: 40, val: 10, seed }),
    learn: ['--epochs', values.epochs ?? '12', '--augment', 'crop,flip'],
    begin: ['--method', 'bias+prompt+side'],
  },
  cifar10: {
    model: () => openModel('mobilenetv2-imagenet').folder,
    first: THINGS.slice(0, 5),
    later: THINGS.slice(5),
    write: writeCifar,
    learn: ['--epochs', values.epochs ?? '4'],
    begin: ['--image-size', '96'],
  },
};
const task = TASKS[values.on];
if (task === undefined) throw new Error(`--on: got ${values.on}, expected ${Object.keys(TASKS).join(' or ')}`);
const MODEL = task.model();

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
  const folder = join(ROOT, values.on, String(seed));
  rmSync(folder, { recursive: true, force: true });
  const at = (/** @type {string} */ name) => join(folder, name);
  const { first, later, learn, begin } = task;
  task.write(at('first'), { classes: first, seed });
  task.write(at('all'), { classes: [...first, ...later], seed });
  for (const name of later) task.write(at(`one-${name}`), { classes: [name], seed });
  const how = ['--seed', String(seed), ...learn];
  s2a('train', MODEL, at('all'), '--out', at('at-once'), ...begin, ...how);
  const atOnce = accuracyOf(at('at-once'), at('all'));
  process.stdout.write(`seed ${seed}: ${first.length + later.length} classes at once ${percent(atOnce)}\n`);
  for (const memory of [values.memory, '0']) {
    let before = at(`first-${memory}`);
    s2a('train', MODEL, at('first'), '--out', before, '--memory', memory, ...begin, ...how);
    for (const name of later) {
      const out = at(`${name}-${memory}`);
      s2a('train', MODEL, at(`one-${name}`), '--from', before, '--out', out, ...how);
      before = out;
    }
    const accuracy = accuracyOf(before, at('all'));
    const bytes = memory === '0' ? '' : `, ${(statSync(join(before, 'memory.safetensors')).size / 1024).toFixed(0)} KiB used`;
    const ratio = percent(accuracy / atOnce);
    process.stdout.write(
      `  ${first.length}, then ${later.length} one by one, --memory ${memory}${bytes}: ${percent(accuracy)}, ${ratio} of at once\n`,
    );
  }
  if (values.on !== 'drawings') continue;
  writeQuickdraw(at('others'), { classes: [...OTHERS, ...MORE], train: 0, val: 0, seed });
  mkdirSync(at('noise'), { recursive: true });
  for (let i = 0; i < 200; i++) {
    const data = Uint8Array.from(order(28 * 28, 1000 * seed + i + 1), (v) => (v * 255) / 783);
    writeFileSync(join(at('noise'), `${i}.png`), encode({ width: 28, height: 28, data, channels: 1, depth: 8 }));
  }
  const ten = at('first-0');
  const told = ['others', 'noise', 'first/test'].map((name) => percent(unknownOf(ten, at(name))));
  process.stdout.write(`  called unknown: ${told[0]} of twenty other classes, ${told[1]} of noise, ${told[2]} of its own\n`);
}
