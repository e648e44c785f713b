// The server of a fleet is killed at random moments, SuperLink and run together, and taken up again as docs/fleet.md says: start it, `resume=true`. The run has to
// end in the adapters of one that was never killed, round for round and byte for byte: an update that counted twice, or a round half done, would show in them.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { order } from '../pictures/quickdraw.mjs';
import { writeFleet } from './drawings.mjs';
import { makeKey, Node } from './nodes.mjs';
import { Server } from './server.mjs';

const [NODES, CLASSES] = [4, ['apple', 'cat', 'star', 'tree']];
const MODEL = 'models/sketch-vit';
const FLAGS = ['--budget', '6MiB', '--threads', '1', '--method', 'bias', '--stay'];
/** Longest that a run is waited for, in ms. */
const MOST = 20 * 60e3;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Numbers in [0, 1) that follow from the seed. */
function drawn(seed) {
  let n = 0;
  return () => order(1000, seed + 7919 * ++n)[0] / 1000;
}

/** Waits until a run is over; undefined once `until` has passed, in ms since 1970. */
async function ended(server, id, until) {
  while (Date.now() < until) {
    const { status, details } = server.status(id);
    if (status.startsWith('finished')) return { status, details };
    await sleep(Math.min(2000, Math.max(1, until - Date.now())));
  }
  return undefined;
}

const adapterOf = (out, round) => {
  const folder = join(out, 'rounds', String(round).padStart(3, '0'));
  return ['adapter_model.safetensors', 'adapter_config.json'].map((name) => readFileSync(join(folder, name), 'base64')).join();
};

/** Names in a folder and those in it. */
const namesIn = (folder) => readdirSync(folder, { recursive: true }).map(String);

/**
 * @param {{ python: string, root: string, rounds: number, kills: number, seed: number, say: (text: string) => void,
 *   check: (isGood: boolean, what: string) => void }} what `check` throws where it is not good
 */
export async function killServer({ python, root, rounds, kills, seed, say, check }) {
  rmSync(root, { recursive: true, force: true });
  const boards = writeFleet(join(root, 'drawings'), { classes: CLASSES, nodes: NODES, train: 8, val: 3, seed });
  const server = new Server(python, join(root, 'server'));
  const nodes = [];
  const random = drawn(seed);
  const options = { fleet: 'kills', nodes: NODES, rounds, epochs: 1, refresh: 0, wait: 300 };
  try {
    await server.start();
    for (const { name, folder } of boards) {
      const key = makeKey(join(root, 'keys'), name);
      server.register(`${key}.pub`, name);
      nodes.push(
        new Node({ server: server.address, ca: server.ca, key, name, model: MODEL, data: folder, out: join(root, name), flags: FLAGS }),
      );
    }
    const calm = join(root, 'calm');
    const began = Date.now();
    const first = await ended(server, server.run({ ...options, out: calm }), began + MOST);
    check(
      first?.status === 'finished:completed',
      `a run of ${rounds} rounds that is left alone: ${first?.status ?? 'not over'} ${first?.details ?? ''}`,
    );
    // Half of a run's time, shared among the lives: it is not over before the last kill.
    const life = (Date.now() - began) / 2 / kills;

    server.out = join(root, 'killed');
    const resumes = () => ({ ...options, resume: existsSync(join(server.out, 'state.json')) });
    await killAgain({ server, kills, life, random, say, options: resumes });
    const last = await ended(server, server.run(resumes()), Date.now() + MOST);
    check(
      last?.status === 'finished:completed',
      `${kills} kills of the server, and the run ends: ${last?.status ?? 'not over'} ${last?.details ?? ''}`,
    );
    judge({ server, calm, rounds, check });
    await Promise.all(nodes.map((node) => node.stop()));
    for (const { name } of nodes) judgeNode({ name, own: join(root, name), server, check });
  } catch (error) {
    for (const node of nodes) if (node.errors) say(`${node.name}: ${node.errors.trim()}`);
    throw error;
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await server.stop();
  }
}

/** Begins the run, or takes it up, and kills the server, SuperLink and run; again and again. */
async function killAgain({ server, kills, life, random, say, options }) {
  const state = join(server.out, 'state.json');
  for (let kill = 1; kill <= kills; kill++) {
    server.run(options());
    const before = server.lines().length;
    // Most kills count from the first thing that this life has done: starting takes the longest, and kills would find nothing else.
    if (random() < 0.75) for (let i = 0; i < 1200 && server.lines().length <= before; i++) await sleep(100);
    await sleep(random() * life);
    const line = server.lines().at(-1);
    await server.stop('SIGKILL');
    const whole = existsSync(state) ? JSON.parse(readFileSync(state, 'utf8')).round : 'none';
    say(
      `     kill ${kill}: round ${whole} is whole, the last line is ${line === undefined ? 'none' : `of ${line.phase}, round ${line.round}`}`,
    );
    await sleep(random() * 3000);
    await server.start();
  }
}

/** What a board has in the end. */
function judgeNode({ name, own, server, check }) {
  const left = namesIn(join(own, 'fleet')).filter((file) => file.endsWith('.tmp') || ['message.bin', 'answer.bin'].includes(file));
  const [mine, fleets] = [own, join(server.out, 'adapter')].map((folder) =>
    readFileSync(join(folder, 'adapter_model.safetensors'), 'base64'),
  );
  check(
    mine === fleets && left.length === 0,
    `${name} holds the fleet's last adapter, and nothing that is half done${left.length === 0 ? '' : `: ${left}`}`,
  );
}

/** Each round once, with each node once, and the adapters of a run that was never killed. */
function judge({ server, calm, rounds, check }) {
  const train = server.lines().filter(({ phase }) => phase === 'train');
  const names = boardsOf(train);
  check(
    train.map(({ round }) => round).join() === Array.from({ length: rounds }, (_, i) => i + 1).join() &&
      names.every((list) => list === names[0]),
    `each of ${rounds} rounds is there once, with ${names[0]} once`,
  );
  const differing = Array.from({ length: rounds + 1 }, (_, round) => round).filter(
    (round) => adapterOf(server.out, round) !== adapterOf(calm, round),
  );
  check(
    differing.length === 0,
    `the adapter after each round is that of the run left alone, byte for byte${differing.length === 0 ? '' : `: not of ${differing}`}`,
  );
  const newest = ['adapter_model.safetensors', 'adapter_config.json']
    .map((name) => readFileSync(join(server.out, 'adapter', name), 'base64'))
    .join();
  check(newest === adapterOf(server.out, rounds), 'out/adapter is that of the last round');
  const half = namesIn(server.out).filter((name) => name.includes('.tmp'));
  check(half.length === 0, `no half file is left${half.length === 0 ? '' : `: ${half}`}`);
}

const boardsOf = (train) => train.map(({ nodes }) => nodes.map(({ name }) => name).join(', '));
