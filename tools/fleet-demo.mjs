// A fleet on this machine: eight boards of two or three classes each, none of which sees another's drawings, learn one adapter inside 8 MiB each; beside it
// what each learns alone, and what all drawings in one place teach.   npm run demo:fleet [-- --seed 2] [--classes 10] [--set 'strategy="fedadam"']
//
// It needs Python 3.11 or newer and, the first time, a package registry: Flower is installed into build/fleet/python. All else is written under build/fleet/demo.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { DEPTH, SIDE } from './builtin.mjs';
import { judgeAlone, judgeFleet } from './fleet/comparison.mjs';
import { writeFleet } from './fleet/drawings.mjs';
import { CLI, makeKey, Node } from './fleet/nodes.mjs';
import { serverPython } from './fleet/python.mjs';
import { Server } from './fleet/server.mjs';
import { convert } from './models/movenet.mjs';
import { allClasses, order, TEN } from './pictures/quickdraw.mjs';

const ROOT = 'build/fleet/demo';
const NODES = 8;
const FLAGS = ['--depth', String(DEPTH), '--method', 'bias', '--budget', '8MiB', '--max-threads', '1'];

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    classes: { type: 'string' },
    rounds: { type: 'string', default: '10' },
    epochs: { type: 'string', default: '2' },
    set: { type: 'string', multiple: true, default: [] },
    'fleet-only': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [seed, rounds, epochs] = [values.seed, values.rounds, values.epochs].map(Number);
// A number of classes means that many, drawn from all by the seed: what a default was settled on, and what it is judged on, are not to be the same.
const every = allClasses();
const classes = values.classes
  ? order(every.length, seed + 1)
      .slice(0, Number(values.classes))
      .map((i) => every[i])
      .sort()
  : TEN;

const began = Date.now();
const say = (text = '') => process.stdout.write(`${text}\n`);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

if (!existsSync(CLI)) {
  process.stderr.write(`${CLI} is not there; npm run build\n`);
  process.exit(2);
}
const { python = '', why } = serverPython(say);
if (!python) {
  say(`the demo needs Flower on the server's side: ${why}`);
  process.exit(3);
}

rmSync(ROOT, { recursive: true, force: true });
mkdirSync(ROOT, { recursive: true });
const MODEL = join(ROOT, 'mobilenetv2');
convert(MODEL, SIDE);
const boards = writeFleet(join(ROOT, 'drawings'), { classes, nodes: NODES, train: 40, val: 10, seed });
for (const { name, classes: own, count } of boards)
  say(`${name}: ${own.join(', ')}; ${count.train} drawings to learn from, ${count.val} to judge by`);

/** Options of the run that were said with --set, as `flwr run` takes them. */
const chosen = Object.fromEntries(
  values.set.map((text) => {
    const { key = '', value = 'null' } = /^(?<key>[a-z-]+)=(?<value>.*)$/.exec(text)?.groups ?? {};
    return [key, JSON.parse(value)];
  }),
);

/** One line for each phase that the journal tells of. */
function tellPhase({ round, phase, nodes, mean, seconds, traffic, fell, refused, head }) {
  const cost = nodes.length > 0 ? `, ${Math.round((traffic.down + traffic.up) / nodes.length / 1024)} KiB a node` : '';
  const told = mean ? `loss ${mean.loss.toFixed(3)}, ${percent(mean.accuracy)} right` : head ? `head from ${head.of}` : '';
  say(`  round ${String(round).padStart(2)} ${phase.padEnd(8)} ${nodes.length} nodes, ${seconds.toFixed(1)} s${cost}  ${told}`);
  for (const { why: reason } of [...fell, ...refused]) say(`           ${reason}`);
}

/** The whole run; returns its journal. */
async function runFleet() {
  const server = new Server(python, join(ROOT, 'server'));
  const nodes = [];
  const interrupted = () => Promise.all([server.stop(), ...nodes.map((node) => node.stop())]).then(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, interrupted);
  try {
    await server.start();
    say(`\nSuperLink at ${server.address}, TLS, ${NODES} registered keys`);
    for (const { name, folder } of boards) {
      const key = makeKey(join(ROOT, 'keys'), name);
      server.register(`${key}.pub`, name);
      const out = join(ROOT, name);
      nodes.push(new Node({ server: server.address, ca: server.ca, key, name, model: MODEL, data: folder, out, flags: FLAGS }));
    }
    const id = server.run({ fleet: 'demo', nodes: NODES, rounds, epochs, seed, ...chosen });
    let told = 0;
    for (let ended = false; !ended; ) {
      ended = nodes.every((node) => node.process.exitCode !== null);
      for (const line of server.lines().slice(told)) {
        tellPhase(line);
        told++;
      }
      if (!ended) await new Promise((done) => setTimeout(done, 500));
    }
    const { status, details } = server.status(id);
    if (status !== 'finished:completed') throw new Error(`the run: ${status} ${details}`);
    return server;
  } catch (error) {
    for (const node of nodes) if (node.errors) say(`${node.name}: ${node.errors.trim()}`);
    throw error;
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await server.stop();
  }
}

const server = await runFleet();
const all = join(ROOT, 'drawings', 'all');
const judged = judgeFleet({ model: MODEL, out: server.out, data: all, rounds: [0, 1, 3, rounds] });
const rest = values['fleet-only']
  ? undefined
  : judgeAlone({ root: ROOT, model: MODEL, boards, data: all, flags: FLAGS, epochs: rounds * epochs });
say(`\nAccuracy on ${judged.count} drawings that no node has, of ${classes.length} classes:`);
for (const { round, accuracy } of judged.rounds) say(`  the fleet, after round ${round}`.padEnd(34) + percent(accuracy).padStart(8));
if (rest) {
  for (const { name, accuracy } of rest.alone) say(`  ${name} alone`.padEnd(34) + percent(accuracy).padStart(8));
  const final = judged.rounds.at(-1)?.accuracy ?? 0;
  say(`  a node alone, on average`.padEnd(34) + percent(rest.mean).padStart(8));
  say(`  all drawings in one place`.padEnd(34) + percent(rest.pooled).padStart(8));
  say(`  the fleet reaches ${percent(final / rest.pooled)} of that, ${(100 * (final - rest.mean)).toFixed(1)} points above a node alone`);
}
if (values.json) say(JSON.stringify({ seed, classes, ...judged, ...rest }));
const bytes = readFileSync(join(server.out, 'adapter', 'adapter_model.safetensors')).length;
say(`\nadapter   ${join(server.out, 'adapter')} (${(bytes / 1024).toFixed(0)} KiB)`);
say(`journal   ${join(server.out, 'metrics.jsonl')}`);
say(`time      ${Math.round((Date.now() - began) / 1000)} s`);
