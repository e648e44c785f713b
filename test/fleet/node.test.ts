/** What a node refuses: one sentence each, the server is told where there is one to tell, and the adapter that the board had stays. */
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NumberArray } from '../../src/fleet/arrays.ts';
import type { FleetJoin } from '../../src/fleet/join.ts';
import { openKey } from '../../src/fleet/key.ts';
import type { Value } from '../../src/fleet/records.ts';
import { common, joinFleet, nodeOf, photos, scriptOf } from '../support/fleetrun.ts';
import { FleetServer, type Question, type ServerOptions } from '../support/fleetserver.ts';
import { newFolder, refusedLater } from '../support/folder.ts';

const data = photos();
const tls = JSON.parse(readFileSync('test/golden/fleet-tls.json', 'utf8')) as Record<'ca' | 'other' | 'cert' | 'key', string>;
const fileOf = (text: string): string => {
  const path = join(newFolder(), 'file.pem');
  writeFileSync(path, text);
  return path;
};

/** A folder's files with their bytes, but for the node's own. */
const adapterIn = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder).flatMap((name) => (name.startsWith('adapter') ? [[name, readFileSync(join(folder, name), 'base64')]] : [])),
  );

/** The refusal of a node against such a server, and what the server was told. */
async function refusal(options: Partial<ServerOptions>, more: Partial<FleetJoin>, ...words: string[]) {
  const server = await new FleetServer({ script: scriptOf({ rounds: 1 }), ...options }).open();
  const node = nodeOf(server.url, data, more);
  try {
    await refusedLater(joinFleet(node), ...words);
  } finally {
    await server.close();
  }
  return { server, node };
}

/** A question with the adapter of a round, as a whole run asks it. */
const good = await (async () => {
  const server = await new FleetServer({ script: scriptOf({ rounds: 1 }) }).open();
  await joinFleet(nodeOf(server.url, data));
  await server.close();
  return server.told.at(-1)!.question;
})();
/** What the node has, the adapter, and the same spoilt. */
const spoilt = (spoil: (question: Question) => Question): Partial<ServerOptions> => {
  const first = scriptOf({ rounds: 1 });
  return { script: (told) => (told.length === 0 ? first(told) : told.length === 1 ? good : told.length === 2 ? spoil(good) : undefined) };
};
const withConfig = ({ config, ...rest }: Question, key: string, value: Value): Question => ({
  ...rest,
  config: new Map([...config, [key, value]]),
});
const withInfo = (question: Question, change: (info: Record<string, unknown>) => object): Question =>
  withConfig(question, 'info', JSON.stringify(change(JSON.parse(question.config.get('info') as string) as Record<string, unknown>)));

test('a clock an hour behind, or ten seconds ahead', async () => {
  const shifted = (ms: number) => () => Date.now() + ms;
  await refusal({}, { now: shifted(-3600e3) }, 'clock is 60 minutes behind the server', 'NTP');
  await refusal({}, { now: shifted(12e3) }, "ahead of the server's");
});

test('a key that is not registered, one of another kind, one that others can read', async () => {
  await refusal({ registered: [] }, {}, "does not accept this node's key", '.pub');
  await refusal({}, { key: fileOf(tls.key) }, 'can be read by others', 'chmod 600');
  const other = fileOf(tls.key);
  chmodSync(other, 0o600);
  await refusal({}, { key: other }, 'another kind', 'prime256v1', 'P-384');
  const none = fileOf('secret words');
  chmodSync(none, 0o600);
  const { node } = await refusal({}, { key: none }, 'holds no private key');
  assert.not.ok(JSON.stringify(node.events).includes('secret words'));
});

test('a registered key is let in where not every key is', async () => {
  const key = join(newFolder(), 'key.pem');
  const { fingerprint } = openKey(key);
  const server = await new FleetServer({ script: scriptOf({ rounds: 1 }), registered: [fingerprint] }).open();
  await joinFleet(nodeOf(server.url, data, { key }));
  await server.close();
  assert.is(server.told.length, 4);
});

test('TLS: the authority’s certificate is believed, another’s and none are not; plain speech and TLS are told apart', async () => {
  const good = await new FleetServer({ script: scriptOf({ rounds: 1 }), tls }).open();
  await joinFleet(nodeOf(good.url, data, { ca: fileOf(tls.ca) }));
  assert.is(good.told.length, 4);
  await good.close();
  await refusal({ tls }, { ca: fileOf(tls.other) }, 'certificate is not believed', '--ca');
  await refusal({ tls }, {}, 'certificate is not believed', '--ca');
  await refusal({ tls }, { ca: fileOf('no certificate') }, 'holds no certificate');
  const plain = await new FleetServer({ script: scriptOf({ rounds: 1 }) }).open();
  await refusedLater(joinFleet(nodeOf(plain.url.replace('http:', 'https:'), data, { ca: fileOf(tls.ca) })), 'does not speak TLS');
  await plain.close();
});

test('a server of another version, or none of this protocol', async () => {
  const other = (question: Question) => withConfig(question, 'flwr', '1.43.0');
  await refusal({ script: scriptOf({ rounds: 1, change: other }) }, {}, 'of another version', '1.43.0', 'flwr 1.42.x');
  const newer = { status: 426, code: 1001, detail: 'SuperNode 1.42.0 and SuperLink 1.50.0 do not fit.' };
  await refusal({ fate: () => newer }, {}, 'the server is of another version', 'SuperLink 1.50.0', 'flwr 1.42.x');
  await refusal({ fate: () => 404 }, {}, 'no fleet protocol over HTTP', '1.42.x');
  await refusal({ script: scriptOf({ rounds: 1, change: (q) => withConfig(q, 'format', 2n) }) }, {}, 'another format', 'got 2');
  await refusal({ script: scriptOf({ rounds: 1, more: [['rate', 'swift']] }) }, {}, 'server: rate', 'no learning rate', 'got swift');
});

test('addresses that are none, or hold a password, which is not said again', async () => {
  const node = (server: string) => joinFleet({ ...nodeOf('', data), server });
  await refusedLater(node('ftp://a'), 'no address of HTTP');
  const sentence = await refusedLater(node('https://me:hunter2@host:1'), 'holds a name or a password');
  assert.not.ok(sentence.includes('hunter2'));
});

test('an adapter with NaN, of another network, method, shape: the server is told, and what the board had stays', async () => {
  const spoilts: [(question: Question) => Question, ...string[]][] = [
    [
      (question) => {
        const { shape, values } = question.arrays!.get('adapter') as NumberArray;
        const spoilt = values.slice();
        spoilt[5] = Number.NaN;
        return { ...question, arrays: new Map([['adapter', { shape, values: spoilt }]]) };
      },
      'NaN or infinite',
    ],
    [
      (q) => withInfo(q, (info) => ({ ...info, base: { ...(info.base as object), digest: 'ab'.repeat(32) } })),
      'other base weights',
      'ab'.repeat(8),
    ],
    [(q) => withInfo(q, (info) => ({ ...info, method: 'probe' })), 'of another method', 'probe', 'bias'],
    [(q) => withInfo(q, (info) => ({ ...info, precision: 'int8' })), 'of another precision', 'int8'],
    [(q) => withInfo(q, (info) => ({ ...info, labels: ['cat', 'house', 'fish', 'star', 'tree'] })), 'no row for apple', 'cat, house'],
    [(q) => withInfo(q, (info) => ({ ...info, labels: ['apple', 'fish', 'star'] })), 'wrong shape', '5'],
    [
      (q) => withConfig(q, 'layout', (q.config.get('layout') as string).replace('classifier.bias', 'classifier.bia')),
      'has no place in this network',
    ],
    [(q) => withConfig(q, 'layout', '[["a",[1e9,1e9]]]'), 'does not account for'],
    [(q) => ({ ...q, arrays: new Map() }), 'sent no adapter'],
  ];
  for (const [spoil, ...words] of spoilts) {
    const before = new Map<string, Record<string, string>>();
    const { server, node } = await refusal(
      spoilt((question) => {
        before.set('adapter', adapterIn(out));
        return spoil(question);
      }),
      { job: { ...nodeOf('', data).job, out: newOut() } },
      ...words,
    );
    assert.equal(adapterIn(node.job.out), before.get('adapter'), words[0]);
    assert.is(Object.keys(before.get('adapter')!).length, 2, 'that of the round before');
    assert.is(server.told.at(-1)!.error.includes(words[0]!), true, 'the server is told');
    assert.is(server.told.length, 3);
  }
});
let out = '';
const newOut = (): string => {
  out = newFolder();
  return out;
};

test('an object that is cut off or another on its way', async () => {
  await refusal({ tamper: (content) => content.subarray(0, content.length - 3) }, {}, 'is not the one its name says (SHA-256)');
  await refusal(
    { tamper: (content) => content.map((byte, i) => (i === 30 ? byte ^ 1 : byte)) },
    {},
    'is not the one its name says (SHA-256)',
  );
});

const emptied = (folder: string): void => {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
};

test('no pictures, before any server is asked; and when they have gone, or a label has come that no row is of', async () => {
  const empty = newFolder();
  await refusedLater(joinFleet({ ...nodeOf('http://127.0.0.1:9', empty) }), empty);
  mkdirSync(join(empty, 'cat'));
  await refusedLater(joinFleet({ ...nodeOf('http://127.0.0.1:9', empty) }), empty);
  const changes: [(data: string) => void, ...string[]][] = [
    [emptied, 'no'],
    [(folder) => cpSync(join(folder, 'apple'), join(folder, 'zebra'), { recursive: true }), "the fleet's head has no row for zebra"],
  ];
  for (const [spoil, ...words] of changes) {
    const folder = photos();
    let before = {};
    const change = (question: Question, n: number): Question => {
      if (n !== 4) return question;
      before = adapterIn(node.job.out);
      spoil(folder);
      return question;
    };
    const server = await new FleetServer({ script: scriptOf({ rounds: 2, change }) }).open();
    const node = nodeOf(server.url, folder);
    const sentence = await refusedLater(joinFleet(node), folder, ...words);
    await server.close();
    assert.is(server.told.length, 5);
    assert.is(server.told[4]!.error, sentence, 'the server is told the same');
    assert.is(Object.keys(before).length, 2);
    assert.equal(adapterIn(node.job.out), before, 'the last adapter stays');
  }
});

test('what the server refused of this board is told here in its words, and the node stays', async () => {
  const why = 'one: has a label that the fleet does not have, got apple\n\u001b[31m';
  const script = scriptOf({ rounds: 1 });
  const told: ServerOptions['script'] = (so) => {
    if (so.length === 1) return { type: 'query', config: new Map<string, Value>([...common(0, ''), ['refused', why]]) };
    return script(so.filter((_, n) => n !== 1));
  };
  const server = await new FleetServer({ script: told }).open();
  const node = nodeOf(server.url, data);
  await joinFleet(node);
  await server.close();
  const answered = node.events.flatMap((e) => (e.event === 'answered' && e.error ? [e.error] : []));
  assert.is(answered.length, 1);
  assert.ok(
    answered[0]!.startsWith('server: does not use what this board answered: one: has a label that the fleet does not have, got apple'),
  );
  assert.equal(
    [...answered[0]!].filter((c) => c < ' '),
    [],
    'one line, and nothing that a terminal obeys',
  );
  assert.is(server.told.length, 5);
});

test('an update that has grown beyond all numbers is told, and the node takes part in the next round', async () => {
  const change = (question: Question, n: number): Question => (n === 2 ? withConfig(question, 'rate', '1e30') : question);
  const server = await new FleetServer({ script: scriptOf({ rounds: 2, change }) }).open();
  const node = nodeOf(server.url, data);
  await joinFleet(node);
  await server.close();
  assert.match(server.told[2]!.error, /^[^\n]+$/);
  assert.is(server.told[4]!.error, '');
  assert.is(node.events.at(-1)!.event, 'left');
});

test('a key that this version does not know is told, and the node stays', async () => {
  for (const more of [['warp', 9n]] as [string, Value][]) {
    const script = scriptOf({ rounds: 1, more: [more] });
    const server = await new FleetServer({ script: (told) => (told.length > 2 ? undefined : script(told)) }).open();
    await joinFleet(nodeOf(server.url, data));
    await server.close();
    assert.match(server.told[2]!.error, /does not know of, got warp/);
  }
});

test.run();
