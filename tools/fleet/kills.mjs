// Boards of a fleet are killed at random moments and started again at once, as a service is; then its server, SuperLink and run together, which is taken up again
// as docs/fleet.md says: start it, `resume=true`. The run has to end in the adapters of one in which nothing was killed, round for round and byte for byte: an update
// that counted twice, or a round half done, would show in them.
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

/** How often Flower's own command, which takes seconds, is asked about a run that does not seem to be over, in ms. */
const ASKED = 20e3;

/** What Flower says of a run; undefined while it goes on, or where the command has no time. */
function finished(server, id) {
  try {
    const { status, details } = server.status(id);
    return status.startsWith('finished') ? { status, details } : undefined;
  } catch {
    return undefined;
  }
}

/** Waits until a run is over; undefined once `until` has passed, in ms since 1970. The folder says first that its last round is whole. */
async function ended(server, id, rounds, until) {
  const state = join(server.out, 'state.json');
  for (let next = Date.now() + ASKED; Date.now() < until; await sleep(100)) {
    const isWhole = existsSync(state) && JSON.parse(readFileSync(state, 'utf8')).round === rounds;
    if (!isWhole && Date.now() < next) continue;
    const found = finished(server, id);
    if (found !== undefined) return found;
    next = Date.now() + ASKED;
  }
  return undefined;
}

const adapterOf = (out, round) => {
  const folder = join(out, 'rounds', String(round).padStart(3, '0'));
  return ['adapter_model.safetensors', 'adapter_config.json'].map((name) => readFileSync(join(folder, name), 'base64')).join();
};

/** Names in a folder and those in it. */
const namesIn = (folder) => readdirSync(folder, { recursive: true }).map(String);

const isOver = (found) => found?.status === 'finished:completed';
const wordsOf = (found) => `${found?.status ?? 'not over'} ${found?.details ?? ''}`;

/**
 * @param {{ python: string, root: string, rounds: number, kills: number, nodeKills: number, seed: number, say: (text: string) => void,
 *   check: (isGood: boolean, what: string) => void }} what `kills` of the server, `nodeKills` of boards; `check` throws where it is not good
 */
export async function killFleet({ python, root, rounds, kills, nodeKills, seed, say, check }) {
  rmSync(root, { recursive: true, force: true });
  const boards = writeFleet(join(root, 'drawings'), { classes: CLASSES, nodes: NODES, train: 8, val: 3, seed });
  const server = new Server(python, join(root, 'server'));
  /** @type {Node[]} */
  const nodes = [];
  const all = { server, nodes, rounds, random: drawn(seed), say, check, calm: { out: join(root, 'calm'), ms: 0 }, options: {} };
  all.options = { fleet: 'kills', nodes: NODES, rounds, epochs: 1, refresh: 0, wait: 300 };
  const begin = ({ name, folder }) => {
    const where = { server: server.address, ca: server.ca, key: join(root, 'keys', `${name}.key`), name };
    return new Node({ ...where, model: MODEL, data: folder, out: join(root, name), flags: FLAGS });
  };
  try {
    await server.start();
    for (const board of boards) {
      server.register(`${makeKey(join(root, 'keys'), board.name)}.pub`, board.name);
      nodes.push(begin(board));
    }
    const began = Date.now();
    server.out = all.calm.out;
    const first = await ended(server, server.run(all.options), rounds, began + MOST);
    check(isOver(first), `a run of ${rounds} rounds that is left alone: ${wordsOf(first)}`);
    all.calm.ms = Date.now() - began;
    if (nodeKills > 0) await killNodes({ ...all, count: nodeKills, root, begin: (i) => begin(boards[i]) });
    if (kills > 0) await killServer({ ...all, count: kills, out: join(root, 'killed') });
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

/** `count` kills of boards, in as many runs as that takes. */
async function killNodes({ server, nodes, rounds, random, check, calm, options, count, root, begin }) {
  let [done, runs] = [0, 0];
  while (done < count) {
    server.out = join(root, `boards-${++runs}`);
    const id = server.run(options);
    const before = done;
    let found;
    while (found === undefined && done < count) {
      found = await ended(server, id, rounds, Date.now() + (2 * random() * calm.ms) / (count + 1));
      if (found !== undefined) break;
      const i = Math.floor(random() * NODES);
      const { process: child, ended: gone } = nodes[i];
      child.kill('SIGKILL');
      await gone;
      await sleep(random() * 500);
      nodes[i] = begin(i);
      done++;
    }
    found ??= await ended(server, id, rounds, Date.now() + MOST);
    check(isOver(found), `${done - before} kills of boards, and the run ends: ${wordsOf(found)}`);
    judge({ server, calm: calm.out, rounds, check });
  }
}

/** `count` kills of the server in one run. */
async function killServer({ server, rounds, random, say, check, calm, options, count, out }) {
  server.out = out;
  const resumes = () => ({ ...options, resume: existsSync(join(out, 'state.json')) });
  // Half of a run's time, shared among the lives: it is not over before the last kill.
  await killAgain({ server, kills: count, life: calm.ms / 2 / count, random, say, options: resumes });
  const last = await ended(server, server.run(resumes()), rounds, Date.now() + MOST);
  check(isOver(last), `${count} kills of the server, and the run ends: ${wordsOf(last)}`);
  judge({ server, calm: calm.out, rounds, check });
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
