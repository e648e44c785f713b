// How many nodes does one server carry? A SuperLink with our app, and so many nodes in one process whose own work is next to nothing.
//     npm run load:fleet [-- --nodes 200 --rounds 3 --adapter 40KiB]
//
// Prints for each phase what it took, then the memory and processor time of the server and of the nodes, and the traffic. Keys are not registered one by one: the server
// takes any; TLS is on. It needs Linux, and Python as npm run demo:fleet does.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { serverPython } from './fleet/python.mjs';
import { Server } from './fleet/server.mjs';
import { Usage } from './fleet/usage.mjs';

const ROOT = 'build/fleet/load';
const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '3' },
    kib: { type: 'string', default: '40' },
    json: { type: 'boolean', default: false },
  },
});
const [nodes, rounds, kib] = [values.nodes, values.rounds, values.kib].map(Number);
const say = (text) => process.stdout.write(`${text}\n`);
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

const { python, why } = serverPython(say);
if (!python) {
  say(`it needs Flower on the server's side: ${why}`);
  process.exit(3);
}
rmSync(ROOT, { recursive: true, force: true });
mkdirSync(ROOT, { recursive: true });

/** The process of all nodes: resolves to what it tells of itself when all have left. */
function startNodes(server) {
  const asked = { server: server.address, ca: server.ca, root: join(ROOT, 'nodes'), nodes, floats: Math.round((kib * 1024) / 4) - 650 };
  const child = spawn(process.execPath, ['tools/fleet/manynodes.mjs', JSON.stringify(asked)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (bytes) => {
    text += bytes;
  });
  const ended = new Promise((done, fail) =>
    child.once('close', (code) => (code === 0 ? done(JSON.parse(text)) : fail(new Error(`the nodes' process ended with ${code}`)))),
  );
  return { child, ended };
}

function tell(lines) {
  const count = (line, key) => line.nodes.reduce((sum, node) => sum + node[key], 0);
  for (const line of lines) {
    const cost = (count(line, 'down') + count(line, 'up')) / Math.max(1, line.nodes.length);
    say(
      `round ${line.round} ${line.phase.padEnd(8)} ${String(line.nodes.length).padStart(5)} nodes, ${line.seconds.toFixed(1).padStart(6)} s, ${(cost / 1024).toFixed(1).padStart(6)} KiB a node`,
    );
    for (const { why: reason } of [...line.fell, ...line.refused].slice(0, 3)) say(`    ${reason}`);
  }
}

const server = new Server(python, join(ROOT, 'server'), false);
let held;
try {
  await server.start();
  const usage = new Usage(server.process?.pid);
  usage.look();
  const idle = usage.peak;
  const began = Date.now();
  held = startNodes(server);
  const id = server.run({ fleet: 'load', nodes, rounds, epochs: 1, head: 'none', refresh: 0, wait: 3600, 'keep-rounds': false });
  const found = await held.ended;
  usage.look();
  usage.stop();
  const { status, details } = server.status(id);
  if (status !== 'finished:completed') throw new Error(`the run: ${status} ${details}`);
  const lines = server.lines();
  tell(lines);
  const spent = lines.reduce((sum, { seconds }) => sum + seconds, 0);
  const rounded = lines.filter(({ round }) => round > 0).reduce((sum, { seconds }) => sum + seconds, 0) / rounds;
  const a = (x) => ((1000 * x) / nodes / rounds).toFixed(0);
  say(`${nodes} nodes, ${rounds} rounds, an adapter of ${kib} KiB; ${cpus().length} cores, ${cpus()[0]?.model.trim()}`);
  say(`time      ${Math.round((Date.now() - began) / 1000)} s in all, ${spent.toFixed(0)} s of it asking, ${rounded.toFixed(1)} s a round`);
  say(
    `server    ${mib(usage.peak)} at most (${mib(idle)} before a run), ${usage.seconds.toFixed(0)} s of processor: ${a(usage.seconds)} ms a node and round`,
  );
  say(
    `nodes     ${mib(found.rss)} in one process, ${(found.rss / nodes / 1024).toFixed(0)} KiB each; ${found.seconds.toFixed(0)} s of processor: ${a(found.seconds)} ms a node and round`,
  );
  say(
    `traffic   ${mib(found.up)} up, ${mib(found.down)} down over HTTP: ${((found.up + found.down) / 1024 / nodes / rounds).toFixed(1)} KiB a node and round, all counted`,
  );
  if (values.json) say(JSON.stringify({ nodes, rounds, kib, server: { peak: usage.peak, seconds: usage.seconds }, found, lines }));
} finally {
  if (held && held.child.exitCode === null) held.child.kill();
  await server.stop();
}
