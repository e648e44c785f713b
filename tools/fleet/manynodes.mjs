// Many nodes in one process, for measuring a server: each has a key, a journal, connections and a loop of its own, all of which are a board's own code; what it does
// with a message is next to nothing. So the server gets its answers as fast as it can take them.
//
//     node tools/fleet/manynodes.mjs '{"server", "ca", "root", "nodes", "floats"}'     →  {"rss", "seconds"} on standard output when all have left
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { nodeSources } from './sources.mjs';

const { server, ca, root, nodes, floats } = JSON.parse(process.argv[2]);
const code = await nodeSources();

/** Classes of the fleet, of which each node has three; features of its head. */
const [LABELS, FEATURES] = [Array.from({ length: 10 }, (_, i) => `class-${i}`), 64];
const HEAD = ['head.bias', 'head.weight'];
const [OWN, PICTURES, HELD_OUT] = [3, 30, 6];
const infoOf = (labels) =>
  JSON.stringify({
    ...{ version: 1, method: 'bias', base: { type: 'load', digest: 'ab'.repeat(32), imageSize: [8, 8] }, precision: 'f32' },
    ...{ head: HEAD, labels, preprocessing: { scale: 1 }, createdBy: 's2a load' },
  });
const tensor = (shape, make) => ({ shape, values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, make) });

const ints = (list) => list.map(BigInt);
/** A record of so many pictures, by label. */
const record = (count, labels, isMine, more = {}) =>
  new Map(
    Object.entries({
      ...{ 'num-examples': BigInt(count), 'label-counts': ints(labels.map((label) => (isMine(label) ? count / OWN : 0))) },
      ...more,
    }),
  );

/** What a node answers: an adapter of so many numbers, each round a little moved. */
function workOf(name, place) {
  const own = Array.from({ length: OWN }, (_, i) => LABELS[(place + i) % LABELS.length]).sort();
  const isMine = (label) => own.includes(label);
  const saying = (info, more = {}) => new Map(Object.entries({ format: 1n, name, info, program: 's2a load', ...more }));
  const fresh = (count) =>
    new Map([
      ['body', tensor([floats], () => 0)],
      ['head.bias', tensor([count], () => 0)],
      ['head.weight', tensor([count, FEATURES], () => 0)],
    ]);
  return async (asked, content) => {
    const config = content.values.get('config');
    const info = config.get('info');
    const kind = config.get('phase') ?? asked.type;
    if (kind === 'query') {
      const more = { features: BigInt(FEATURES), 'adapter-bytes': BigInt(4 * floats), 'held-out': BigInt(HELD_OUT) };
      return { arrays: undefined, config: saying(infoOf(own)), metrics: record(PICTURES, own, isMine, more) };
    }
    const { labels } = JSON.parse(info);
    if (kind === 'start') return { arrays: fresh(labels.length), config: saying(info), metrics: record(PICTURES, labels, isMine) };
    const judged = { loss: 1, accuracy: 0 };
    if (kind === 'evaluate') {
      const more = { ...judged, 'label-right': ints(labels.map(() => 0)) };
      return { arrays: undefined, config: saying(info), metrics: record(HELD_OUT, labels, isMine, more) };
    }
    const tensors = code.unpackTensors('server', content.arrays.get('arrays'), config.get('layout'));
    for (const { values } of tensors.values()) for (let i = 0; i < values.length; i++) values[i] += (place + 1) / (i + 1);
    const { arrays, layout } = code.packTensors(tensors);
    return {
      arrays,
      config: saying(info, { layout }),
      metrics: record(PICTURES, labels, isMine, { ...judged, seconds: 0, 'peak-bytes': 1n }),
    };
  };
}

const traffic = { up: 0, down: 0 };
async function node(place) {
  const name = `node-${String(place + 1).padStart(5, '0')}`;
  const folder = join(root, name);
  const key = code.openKey(join(folder, 'key.pem'));
  const link = new code.Link({ server: new URL(server), key, ca: readFileSync(ca, 'utf8') });
  await code.runNode({
    ...{ link, server: new URL(server).origin, key, journal: new code.Journal(folder), work: workOf(name, place) },
    ...{ most: 8 * floats + (1 << 20), stays: false, signal: new AbortController().signal, tell: () => {} },
  });
  traffic.up += link.up;
  traffic.down += link.down;
}

let rss = 0;
const watch = setInterval(() => {
  rss = Math.max(rss, process.memoryUsage.rss());
}, 500);
await Promise.all(Array.from({ length: nodes }, (_, place) => node(place)));
clearInterval(watch);
const { user, system } = process.cpuUsage();
process.stdout.write(`${JSON.stringify({ rss, seconds: (user + system) / 1e6, ...traffic })}\n`);
