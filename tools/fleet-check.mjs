// A whole fleet on this machine, as CI runs it: Flower's SuperLink with TLS and registered keys, four boards, three rounds; then boards and a server that
// are killed (tools/fleet-kill.mjs kills more of them).   npm run test:fleet
// What came of it is computed again: the mean by hand from the nodes' own files, and the whole run without a network.
//
// It needs Python 3.11 or newer and, the first time, a package registry. Where there are none it says so in one line and ends with code 3, or with
// `--may-skip` with 0: never with a word of having passed.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { compareByHand, ownAdapter } from './fleet/byhand.mjs';
import { writeFleet } from './fleet/drawings.mjs';
import { runInProcess } from './fleet/inprocess.mjs';
import { killFleet } from './fleet/kills.mjs';
import { makeKey, Node, s2a } from './fleet/nodes.mjs';
import { serverPython } from './fleet/python.mjs';
import { Server } from './fleet/server.mjs';

const ROOT = 'build/fleet/check';
const [NODES, ROUNDS] = [4, 3];
/** Minutes that the run may take; more where the machine has much else to do. */
const MINUTES = Number(/^--minutes=(\d+)$/.exec(process.argv.at(-1) ?? '')?.[1] ?? 2);
const MODEL = 'models/sketch-vit';
const CLASSES = ['apple', 'bicycle', 'cat', 'star', 'tree', 'umbrella'];
const RUN = { fleet: 'check', rounds: ROUNDS, epochs: 1, wait: 90 };
const FLAGS = ['--budget', '6MiB', '--threads', '1', '--method', 'bias'];

const began = Date.now();
const say = (text) => process.stdout.write(`${text}\n`);
const check = (isGood, what) => {
  if (!isGood) throw new Error(what);
  say(`ok   ${what}`);
};

const { python, why } = serverPython(say);
if (!python) {
  say(`SKIPPED, not passed: ${why}`);
  process.exit(process.argv.includes('--may-skip') ? 0 : 3);
}

/** A node that may not take part says why in one sentence and ends. */
async function refused(what, options, sentence) {
  const node = new Node({ model: MODEL, flags: FLAGS, ...options });
  const timer = setTimeout(() => node.stop(), 30e3);
  const code = await node.ended;
  clearTimeout(timer);
  check(code !== 0 && sentence.test(node.errors), `${what}: ${node.errors.trim().split('\n').at(-1)}`);
}

/** What came of the run, by its journal and its folder. */
function judge(server, before, data) {
  const lines = server.lines();
  const rounds = lines.filter(({ round, phase }) => round > 0 && phase !== 'evaluate');
  check(rounds.length === ROUNDS && rounds.every(({ nodes: asked }) => asked.length === NODES), `${ROUNDS} rounds, ${NODES} nodes in each`);
  check(
    lines.every((line) => line.fell.length + line.refused.length === 0),
    'nobody fell out, nothing was refused',
  );
  const adapter = join(server.out, 'adapter');
  const bytes = readFileSync(join(adapter, 'adapter_model.safetensors')).length;
  // What a round costs: the adapter down, what was learnt or the sums up, and what is judged down.
  const costs = rounds.flatMap(({ round, nodes: asked }) =>
    asked.map(({ name }) => {
      const all = lines.filter((line) => line.round === round).flatMap((line) => line.nodes.filter((node) => node.name === name));
      return all.reduce((sum, { down, up }) => sum + down + up, 0);
    }),
  );
  const most = Math.max(...costs);
  check(most <= 2.1 * bytes + 8192, `a round costs a node ${most} bytes, at most 2.1 × the adapter's ${bytes} + 8 KiB`);
  const accuracy = JSON.parse(s2a('eval', MODEL, adapter, data, '--split', 'test', '--json')).accuracy;
  const judged = lines.filter((line) => line.phase === 'evaluate').map((line) => line.mean.accuracy);
  check(
    accuracy > before,
    `the fleet's adapter is right on ${(100 * accuracy).toFixed(1)} % of drawings that no node has, more than ${(100 * before).toFixed(1)} %`,
  );
  check(judged.length === ROUNDS + 1, `the nodes' own answers: ${judged.map((a) => `${(100 * a).toFixed(1)} %`).join(', ')}`);
}

/** Most bytes of a node's process beside its plan. */
const MOST_BESIDE = 80 << 20;

/** What the nodes' processes took, beside the linear memory that they planned and measured. */
function weigh(server) {
  const planned = Math.max(...server.lines().flatMap((line) => line.nodes.map((node) => node['peak-bytes'] ?? 0)));
  const most = Math.max(...nodes.map(({ peak }) => peak));
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  // Only Linux tells.
  if (most > 0)
    check(
      most - planned <= MOST_BESIDE,
      `a node's process takes ${mib(most)} MiB, ${mib(most - planned)} beside its plan of ${mib(planned)}, at most 80`,
    );
}

/** The last round of learning, by hand from the nodes' own files; and the whole run again without a network. */
async function recompute(server) {
  const train = server.lines().findLast(({ phase }) => phase === 'train');
  const round = (number) => join(server.out, 'rounds', String(number).padStart(3, '0'));
  const folders = Object.fromEntries(boards.map(({ name }) => [name, ownAdapter(join(ROOT, name))]));
  const { numbers, differ } = await compareByHand({
    after: round(train.round),
    before: round(train.round - 1),
    folders,
    asked: train.nodes,
  });
  check(numbers > 1000 && differ === 0, `round ${train.round} is the mean of the nodes' own files in every bit of its ${numbers} numbers`);
  const root = join(ROOT, 'again');
  const job = { method: 'bias', budget: '6MiB', threads: 1 };
  await runInProcess({ python, root, model: MODEL, boards, job, options: { ...RUN, nodes: NODES } });
  for (let number = 0; number <= ROUNDS; number++) {
    const [there, here] = [round(number), join(root, 'out', 'rounds', String(number).padStart(3, '0'))].map((folder) =>
      readFileSync(join(folder, 'adapter_model.safetensors')),
    );
    if (!there.equals(here)) throw new Error(`round ${number} of the same run without a network gives another adapter`);
  }
  check(true, 'the same seeds and nodes without a network give the same adapters, byte for byte');
}

rmSync(ROOT, { recursive: true, force: true });
const boards = writeFleet(join(ROOT, 'drawings'), { classes: CLASSES, nodes: NODES, train: 20, val: 5 }).map((board) => ({
  ...board,
  key: makeKey(join(ROOT, 'keys'), board.name),
}));
const server = new Server(python, join(ROOT, 'server'));
const nodes = [];
try {
  await server.start();
  for (const { key, name } of boards) server.register(`${key}.pub`, name);
  const stranger = { ...boards[0], data: boards[0].folder, server: server.address, out: join(ROOT, 'stranger') };
  await refused('a key that is not registered', { ...stranger, ca: server.ca, key: makeKey(join(ROOT, 'keys'), 'stranger') }, /regist/);
  await refused(
    'another certificate authority',
    { ...stranger, ca: join(server.ca, '..', 'server.crt'), name: 'node-1' },
    /certificate|authority/i,
  );
  for (const { name, key, folder } of boards)
    nodes.push(
      new Node({ server: server.address, ca: server.ca, key, name, model: MODEL, data: folder, out: join(ROOT, name), flags: FLAGS }),
    );
  const id = server.run({ ...RUN, nodes: NODES });
  const codes = await Promise.race([
    Promise.all(nodes.map((node) => node.ended)),
    new Promise((done) => setTimeout(done, MINUTES * 60e3, []).unref()),
  ]);
  const { status, details } = server.status(id);
  check(status === 'finished:completed', `the run: ${status} ${details}`);
  check(codes.length === NODES && codes.every((code) => code === 0), `every node ends by itself when the run is over: ${codes}`);
  judge(server, 1.5 / CLASSES.length, join(ROOT, 'drawings', 'all'));
  weigh(server);
  await recompute(server);
  const seconds = Math.round((Date.now() - began) / 1000);
  say(`fleet: passed, ${seconds} s`);
} catch (error) {
  for (const node of nodes) if (node.errors) say(`${node.name}: ${node.errors.trim()}`);
  say(`fleet: FAILED, ${error.message}`);
  process.exitCode = 1;
} finally {
  await Promise.all(nodes.map((node) => node.stop()));
  await server.stop();
}
if (process.exitCode === undefined)
  await killFleet({ python, root: 'build/fleet/kill', rounds: 2, kills: 1, nodeKills: 2, seed: 1, say, check }).catch((error) => {
    say(`fleet, with kills: FAILED, ${error.message}`);
    process.exitCode = 1;
  });
