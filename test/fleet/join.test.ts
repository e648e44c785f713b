/** A node through whole runs: of a server that is well, one that is cut again and again, one that asks what it should not. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chance } from '../../src/base/hostrandom.ts';
import { openKey } from '../../src/fleet/key.ts';
import type { Value } from '../../src/fleet/records.ts';
import { readTensorsOf, type Tensors } from '../../src/fleet/tensors.ts';
import { readInfo } from '../../src/formats/adapterfile.ts';
import { loadClassifier } from '../../src/use/library.ts';
import { joinFleet, MODEL, nodeOf, photos, scriptOf, tensorsOf } from '../support/fleetrun.ts';
import { FleetServer, type ServerOptions, type Told } from '../support/fleetserver.ts';

const data = photos();
const bytesOf = (tensors: Tensors): Record<string, string> =>
  Object.fromEntries(
    [...tensors].map(([name, { values }]) => [name, Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64')]),
  );
const metric = ({ content }: Told, key: string) => content!.values.get('metrics')!.get(key);

/** Three rounds, undisturbed: what every other run is held against. */
async function run(options: Partial<ServerOptions> = {}) {
  const server = await new FleetServer({ script: scriptOf({ rounds: 3 }), ...options }).open();
  const node = nodeOf(server.url, data);
  try {
    await joinFleet(node);
  } finally {
    await server.close();
  }
  return { server, node, told: server.told };
}
const well = await run();

test('a run: what the node has, the start, three rounds, and it leaves', () => {
  const { told, node, server } = well;
  assert.equal(
    told.map(({ question }) => question.type),
    ['query', 'train', 'train', 'evaluate', 'train', 'evaluate', 'train', 'evaluate'].slice(0, told.length),
  );
  assert.is(told.length, 8);
  assert.is(metric(told[0]!, 'num-examples'), 30n, 'of 36 a fifth of each class is held out');
  assert.equal(metric(told[0]!, 'label-counts'), [10n, 10n, 10n]);
  assert.is(metric(told[0]!, 'held-out'), 6n);
  assert.equal(metric(told[2]!, 'label-counts'), [10n, 0n, 10n, 0n, 10n], 'apple, cat, fish, house, star');
  const losses = [2, 4, 6].map((i) => metric(told[i]!, 'loss') as number);
  assert.ok(losses[0]! > losses[1]! && losses[1]! > losses[2]!, `losses ${losses}`);
  assert.is(metric(told[7]!, 'num-examples'), 6n);
  const events = node.events.map(({ event }) => event);
  assert.is(events[0], 'joined');
  assert.is(events.at(-1), 'left');
  assert.is(server.calls.get('unregister-node'), 1);
  assert.is(server.doubled, 0);
});

test('--out holds the newest adapter of the fleet, whole, with the labels of all', async () => {
  const { node, told } = well;
  const { tensors, info } = readTensorsOf(node.job.out);
  assert.equal(bytesOf(tensors), bytesOf(tensorsOf(told[6]!)));
  assert.equal(info.labels, ['apple', 'cat', 'fish', 'house', 'star']);
  const classifier = await loadClassifier(node.job.out, { model: MODEL });
  assert.is(classifier.predict(new Uint8Array(3 * 28 * 28).fill(255), 28, 28).length, 5);
  await classifier.close();
});

test('the start is the base’s own numbers and rows of zeros, by name', () => {
  const start = tensorsOf(well.told[1]!);
  const info = readInfo('test', well.told[1]!.content!.values.get('config')!.get('info') as string);
  for (const name of info.head) assert.ok(start.get(name)!.values.every((x) => x === 0) && start.get(name)!.shape[0] === 5, name);
  assert.ok([...start.values()].some(({ values }) => values.some((x) => x !== 0)));
});

test('the private key is its owner’s alone, and in nothing that is told', () => {
  const path = join(well.node.job.out, 'fleet', 'key.pem');
  assert.is(statSync(path).mode & 0o777, 0o600);
  const secret = readFileSync(path, 'utf8').split('\n')[1]!;
  assert.not.ok(JSON.stringify(well.node.events).includes(secret));
  assert.match(
    openKey(path).publicLine,
    /^ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABh\S{130,}= s2a$|^ecdsa-sha2-nistp384 AAAA\S+ s2a$/,
  );
});

test('a server that is cut at two calls of five loses nothing and counts nothing twice: the same answers, to the byte', async () => {
  let n = 0;
  const fates = ['well', 'before', 'well', 'after', 'well'] as const;
  // What is given once and cut on its way is lost with any client, and a number that was cut costs a minute: these are cut before they are done alone.
  const fate = (call: string) => {
    const chosen = fates[chance(1, n++, fates.length)]!;
    return ['pull-messages', 'activate-node'].includes(call) && chosen === 'after' ? 'before' : chosen;
  };
  const { server, told } = await run({ fate });
  assert.is(server.doubled, 0);
  assert.is(told.length, well.told.length);
  for (const i of [1, 2, 4, 6]) assert.equal(bytesOf(tensorsOf(told[i]!)), bytesOf(tensorsOf(well.told[i]!)), `answer ${i}`);
});

test('an object is pulled once where two messages have it: a round costs its adapter once each way', () => {
  const { calls } = well.server;
  // Query and start: 5 objects each (Message, RecordDict, ArrayRecord or none, MetricRecord, ConfigRecord); later ones bring an Array and its chunk but once.
  const adapters = 3 + 1;
  assert.ok(calls.get('pull-object')! <= 8 * 5 + adapters * 2, `${calls.get('pull-object')} objects for 8 messages`);
});

test('the rows of a node’s own classes alone, where the loss is to be theirs', async () => {
  const own = scriptOf({ rounds: 1, more: [['classes', 'own']] });
  const { told } = await run({ script: (so) => (so.length < 3 ? own(so) : undefined) });
  const answer = told[2]!;
  assert.equal(readInfo('test', answer.content!.values.get('config')!.get('info') as string).labels, ['apple', 'fish', 'star']);
  const head = tensorsOf(answer).get(readInfo('test', answer.content!.values.get('config')!.get('info') as string).head[0]!)!;
  assert.is(head.shape[0], 3);
});

test('an optimizer that is kept goes on in the second round as if there had been none between; a clip and noise change what leaves alone', async () => {
  const two = async (more: [string, Value][]) => (await run({ script: scriptOf({ rounds: 2, more }) })).told;
  const kept = await two([['optimizer', 'kept']]);
  assert.equal(bytesOf(tensorsOf(kept[2]!)), bytesOf(tensorsOf(well.told[2]!)), 'a first round has nothing to go on with');
  assert.not.equal(bytesOf(tensorsOf(kept[4]!)), bytesOf(tensorsOf(well.told[4]!)));
  const clipped = await two([['clip', 0.01]]);
  const [before, after] = [tensorsOf(clipped[1]!), tensorsOf(clipped[2]!)];
  assert.not.ok(after.has('s2a.rates'));
  let squares = 0;
  for (const [name, { values }] of after) for (const [i, x] of values.entries()) squares += (x - before.get(name)!.values[i]!) ** 2;
  assert.ok(Math.abs(Math.sqrt(squares) - 0.01) < 1e-6, `length ${Math.sqrt(squares)}`);
});

test('the head alone learns where that is asked: the rest comes back as it was', async () => {
  const script = scriptOf({ rounds: 2, more: [['local', 'probe']] });
  const { told } = await run({ script });
  const [start, first, second] = [1, 2, 4].map((i) => tensorsOf(told[i]!)) as [Tensors, Tensors, Tensors];
  const { head } = readInfo('test', told[1]!.content!.values.get('config')!.get('info') as string);
  assert.equal([...first.keys()].sort(), [...start.keys()].sort());
  for (const [name, { values }] of start)
    assert.is(Buffer.from(first.get(name)!.values.buffer).equals(Buffer.from(values.buffer)), !head.includes(name), name);
  assert.ok((metric(told[4]!, 'loss') as number) < (metric(told[2]!, 'loss') as number));
  assert.not.equal(bytesOf(second), bytesOf(first));
});

test('a server that is not there is waited for, and a node that is stopped goes on with the same number', async () => {
  const first = await new FleetServer({ script: scriptOf({ rounds: 1 }) }).open();
  const { port } = first;
  await first.close();
  const controller = new AbortController();
  const node = nodeOf(first.url, data, { signal: controller.signal });
  const done = joinFleet(node);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const server = await new FleetServer({ script: scriptOf({ rounds: 1 }) }).open(port);
  while (server.told.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  controller.abort();
  await done.then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /same command goes on/),
  );
  assert.ok(node.events.some(({ event }) => event === 'lost'));
  const again = { ...node, signal: undefined };
  await joinFleet(again);
  assert.is(server.told.length, 4);
  assert.is(server.calls.get('activate-node'), 1, 'known by a sign of life');
  await server.close();
});

test('an answer to a server that has lost its list is dropped, and the node takes part anew', async () => {
  const controller = new AbortController();
  const first = await new FleetServer({
    script: scriptOf({ rounds: 1 }),
    fate(call) {
      if (call !== 'push-messages') return 'well';
      controller.abort();
      return 'before';
    },
  }).open();
  const { port } = first;
  const node = nodeOf(first.url, data, { signal: controller.signal });
  await joinFleet(node).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /same command goes on/),
  );
  await first.close();
  // Known there under another number.
  const registered = [openKey(join(node.job.out, 'fleet', 'key.pem')).fingerprint];
  const server = await new FleetServer({ script: scriptOf({ rounds: 1 }), registered }).open(port);
  await joinFleet({ ...node, signal: undefined });
  await server.close();
  assert.ok(node.events.some((e) => e.event === 'late' && /has forgotten/.test(e.why)));
  assert.is(server.told.length, 4);
  assert.is(server.doubled, 0);
});

test('what comes too late is told, and dropped', async () => {
  const { node, server } = await (async () => {
    const server = await new FleetServer({ script: scriptOf({ rounds: 1 }), ttl: -1 }).open();
    const controller = new AbortController();
    const node = nodeOf(server.url, data, { signal: controller.signal });
    const tell = node.tell;
    node.tell = (event) => {
      tell(event);
      if (event.event === 'late') controller.abort();
    };
    await joinFleet(node).catch(() => {});
    await server.close();
    return { node, server };
  })();
  assert.ok(node.events.some((e) => e.event === 'late' && /no longer waits/.test(e.why)));
  assert.is(server.told.length, 0);
});

test('24 hours late, with the work done or not yet begun: it is told how late, nothing counts, and the next question is answered', async () => {
  const DAY = 24 * 3600e3;
  for (const isKilled of [false, true]) {
    let shift = 0;
    const now = () => Date.now() + shift;
    const controller = new AbortController();
    const calm = scriptOf({ rounds: 3 });
    // What nobody answered is asked no more: the next round begins from what there is.
    const script: ServerOptions['script'] = (told) => {
      const question = calm(told);
      const later = (): void => {
        if (isKilled) controller.abort();
        else shift = DAY;
      };
      if (told.length === 2 && question) setTimeout(later, 20);
      return question;
    };
    const server = await new FleetServer({ script, now, ttl: 1200 }).open();
    const node = nodeOf(server.url, data, { now, signal: controller.signal });
    await joinFleet(node).catch((error: Error) => assert.match(error.message, /same command goes on/));
    if (isKilled) {
      assert.is(server.told.length, 2, 'stopped in its work');
      shift = DAY;
      await joinFleet({ ...node, signal: undefined });
    }
    await server.close();
    const late = node.events.filter((e) => e.event === 'late');
    assert.is(late.length, 1);
    assert.match((late[0] as { why: string }).why, /no longer waits for an answer: it did until \S+Z, 24 hours ago/);
    assert.is(server.told[2]!.error, 'nobody answered in time');
    assert.ok(server.told.slice(3).every(({ content }) => content !== undefined));
    assert.is(server.told.length, 8);
    assert.is(server.doubled, 0);
  }
});

test.run();
