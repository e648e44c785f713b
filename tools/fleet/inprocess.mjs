// A whole fleet without a network: the boards of `s2a fleet join` in this process, one after the other, and the server's own app (targets/flower) in a Python
// beside it. What is left out is the SuperLink and the pulling and pushing of objects; messages, training and averaging are those of a real run, so
// the adapter is the same to the byte (npm run test:fleet holds the two against each other), in a fraction of the time.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { quiet } from './python.mjs';
import { nodeSources } from './sources.mjs';

/** One board: answers a message with what would go over the network. */
function boardOf(code, { name, folder, model, out, job }) {
  const seed = code.DEFAULTS.seed;
  const board = code.openBoard({ ...job, model, data: folder, out: join(out, 'fleet', 'local') }, seed, () => {});
  const hooks = { warn: () => {}, signal: new AbortController().signal };
  const work = code.createWork({ board, out, name, secret: new Uint8Array(32), hooks, tell: () => {} });
  const most = code.mostBytes(board);
  return async ({ node, id, type, group, ttl, created, objects }) => {
    const asked = { run: 1n, id, from: 1n, to: BigInt(node), group, ttl, type, created, fromTask: 1n, toTask: 1n };
    const objectOf = (one) => code.parseObject('server', one, new Uint8Array(Buffer.from(objects[one], 'base64')));
    let reply;
    try {
      reply = await work(asked, code.readContent('server', objectOf(id), objectOf, { bytes: most }));
    } catch (error) {
      if (!(error instanceof code.S2aError)) throw error;
      reply = { error: error.message };
    }
    const root = code.replyObject(asked, reply, created);
    const all = [...code.objectsIn(root)].map(([key, { content }]) => [key, Buffer.from(content).toString('base64')]);
    return { id: root.id, objects: Object.fromEntries(all) };
  };
}

/**
 * Runs a fleet to its end and returns its journal, a record for each phase. `boards`: name and folder of pictures each; `job`: what they learn with, as
 * trainJob takes it; `options`: those of the server's app. Everything is written under `root`, which is emptied: the server's side in `root/out`, each board's in `root/<name>`.
 */
export async function runInProcess({ python, root, model, boards, job, options, tell = (/** @type {any} */ _line) => {} }) {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  const code = await nodeSources();
  const out = resolve(root, 'out');
  const answer = boards.map(({ name, folder }) => boardOf(code, { name, folder, model, out: join(root, name), job }));
  const asked = JSON.stringify({ nodes: boards.map(({ name }) => name), options: { nodes: boards.length, ...options, out } });
  const server = spawn(python, ['tools/fleet/pipegrid.py', asked], { env: { ...process.env, ...quiet }, stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  server.stderr.on('data', (bytes) => {
    errors = `${errors}${bytes}`.slice(-4000);
  });
  const ended = new Promise((done) => server.once('close', done));
  const lines = () => readJournal(join(out, 'metrics.jsonl'));
  let told = 0;
  for await (const line of createInterface({ input: server.stdout })) {
    const messages = JSON.parse(line);
    if (messages.refused) throw new Error(messages.refused);
    for (const one of lines().slice(told)) {
      tell(one);
      told++;
    }
    const answers = [];
    for (const message of messages) answers.push(await answer[message.node - 1](message));
    server.stdin.write(`${JSON.stringify(answers)}\n`);
  }
  if ((await ended) !== 0) throw new Error(`the server's app ended: ${errors.trim().split('\n').at(-1)}`);
  return lines();
}

function readJournal(path) {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  } catch (error) {
    // Before the first phase there is none.
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
