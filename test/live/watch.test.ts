/** A watched folder from its first pictures on: rounds, the gate, rolling back, what is killed or goes wrong in between. */
import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError, Interrupted } from '../../src/base/error.ts';
import type { RoundOrder, RunRound } from '../../src/live/round.ts';
import type { Decision, State } from '../../src/live/state.ts';
import { openWatch, type Watch, type WatchEvent, type WatchOptions } from '../../src/live/watch.ts';
import { trainJob } from '../../src/training/job.ts';
import { addColours, COLOURS } from '../support/colours.ts';
import { newFolder, refused } from '../support/folder.ts';

const MODEL = 'test/golden/vit-hf';

function photos(count = 10): string {
  const root = newFolder();
  for (const [i, name] of COLOURS.entries()) addColours(root, name, i, 0, count);
  return root;
}

/** An adapter to be found at the end of rounds that are only played. */
const ADAPTER = newFolder();
await trainJob({ model: MODEL, data: photos(), out: ADAPTER, epochs: 1, batchSize: 8, memory: '64KiB' });
rmSync(join(ADAPTER, 'run'), { recursive: true });

const ACCEPT: Decision = { isAccepted: true, why: 'better' };
/** Rounds that end as they are told, one after the other; then they are accepted. */
interface Played extends RoundOrder {
  /** Of its table: file,class,part. */
  rows: string[];
}
function played(...ends: (Decision | Error)[]): { runRound: RunRound; orders: Played[] } {
  const orders: Played[] = [];
  const runRound: RunRound = async (order) => {
    orders.push({ ...order, rows: readFileSync(order.job.labels!, 'utf8').trim().split('\n').slice(1) });
    mkdirSync(join(order.job.out, 'run'), { recursive: true });
    const end = ends.shift() ?? ACCEPT;
    if (end instanceof Error) throw end;
    cpSync(ADAPTER, order.job.out, { recursive: true });
    return end;
  };
  return { runRound, orders };
}

interface Opened {
  watch: Watch;
  events: WatchEvent[];
  out: string;
}

function open(data: string, more: Partial<WatchOptions> = {}, job: Partial<WatchOptions['job']> = {}): Opened {
  const events: WatchEvent[] = [];
  const out = more.out ?? newFolder();
  const watch = openWatch({
    job: { model: MODEL, data, epochs: 3, batchSize: 8, ...job },
    out,
    triggers: { at: [], after: 4 },
    keep: 3,
    holdOut: 0.2,
    onEvent: (event) => events.push(event),
    ...more,
  });
  return { watch, events, out };
}

/** Pictures have to stand still between two looks. */
async function twice(watch: Watch): Promise<void> {
  await watch.look();
  await watch.look();
}
const stateOf = (out: string): State => JSON.parse(readFileSync(join(out, 'watch.json'), 'utf8')) as State;
const adaptersIn = (out: string): string[] => readdirSync(join(out, 'adapters')).sort();

test('pictures start a run; its adapter is in use; wrong labels do not get past the gate', async () => {
  const data = photos();
  const { watch, events, out } = open(data);
  await watch.look();
  assert.equal([watch.current(), watch.status().fresh], [undefined, 0]);
  await watch.look();
  assert.is(watch.current(), join(out, 'adapters', '1'));
  assert.equal(readdirSync(watch.current()!).sort(), [
    'adapter_config.json',
    'adapter_model.safetensors',
    'known.safetensors',
    'memory.safetensors',
  ]);
  assert.equal(watch.status().pictures, { learn: 24, held: 6, aside: 0 });

  addColours(data, 'red', 2, 100, 5);
  await twice(watch);
  assert.is(watch.status().adapter, 2, JSON.stringify(events.at(-1)));

  // Blue pictures that someone calls red.
  addColours(data, 'red', 0, 200, 30);
  await twice(watch);
  assert.equal([events.at(-1)!.event, watch.status().adapter, watch.status().pictures.aside], ['refused', 2, 30]);
  assert.match(events.at(-1)!.why, /^it is right on \d+ of \d+ (held-out|remembered) pictures, where the adapter in use is on \d+$/);
  await twice(watch);
  assert.is(events.at(-1)!.round, 3, 'what was refused does not start a round');
  // It joins the next one, and the one after that goes without it.
  for (const round of [4, 5]) {
    addColours(data, 'red', 2, 300 + 10 * round, 5);
    await twice(watch);
    assert.is(events.at(-1)!.round, round);
  }
  assert.equal([events.at(-1)!.event, watch.status().pictures.aside], ['accepted', 30], events.at(-1)!.why);
  assert.equal(adaptersIn(out), ['1', '2', '5']);
  assert.equal(
    readFileSync(join(out, 'log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as WatchEvent).event),
    ['accepted', 'accepted', 'refused', 'refused', 'accepted'].flatMap((end) => ['began', end]),
  );
  watch.close();
});

test('a picture that judges never teaches, in any round; the last adapters stay', async () => {
  const data = photos(5);
  const { runRound, orders } = played();
  const { watch, out } = open(data, { runRound, keep: 2 });
  for (let round = 0; round < 4; round++) {
    addColours(data, 'red', 2, 100 * (round + 1), 4);
    await twice(watch);
  }
  assert.is(orders.length, 4);
  const [taught, held] = [new Set<string>(), new Set<string>()];
  for (const order of orders) for (const row of order.rows) (row.endsWith(',val') ? held : taught).add(row.split(',')[0]!);
  assert.equal(
    [...held].filter((path) => taught.has(path)),
    [],
  );
  assert.equal(
    orders
      .at(-1)!
      .held.map(({ path }) => path)
      .filter((path) => taught.has(path)),
    [],
  );
  assert.is(taught.size + held.size, 31);
  assert.equal(adaptersIn(out), ['3', '4']);
  // Later rounds learn what is new; what is remembered needs no file.
  assert.is(orders[3]!.rows.length, 4);
  watch.close();
});

test('a copy is not learnt twice, a picture that is moved to another class is, one that is none is told', async () => {
  const data = photos(5);
  const { runRound, orders } = played();
  const { watch, events } = open(data, { runRound, triggers: { at: [], after: 1 } });
  await twice(watch);
  cpSync(join(data, 'red', '1.png'), join(data, 'red', 'copy.png'));
  await twice(watch);
  assert.is(orders.length, 1);
  renameSync(join(data, 'red', '2.png'), join(data, 'blue', 'moved.png'));
  await twice(watch);
  assert.is(orders.length, 2);
  assert.equal(orders[1]!.rows[0]!.split(',').slice(0, 2), ['blue/moved.png', 'blue']);
  writeFileSync(join(data, 'red', 'text.png'), 'no picture');
  await twice(watch);
  assert.is(orders.length, 2);
  assert.match(events.at(-1)!.why, /^red\/text\.png: a text file, not a JPEG, PNG or WebP$/);
  watch.close();
});

test('rolling back: the adapter before is in use, the pictures of the one that went are set aside', async () => {
  const data = photos(5);
  const { runRound } = played();
  const { watch, events, out } = open(data, { runRound });
  await twice(watch);
  addColours(data, 'red', 2, 100, 5);
  await twice(watch);
  assert.is(watch.status().adapter, 2);
  watch.askBack();
  await watch.look();
  assert.equal(
    [watch.status().adapter, events.at(-1)!.event, watch.status().pictures.aside, adaptersIn(out)],
    [1, 'rolled back', 5, ['1']],
  );
  // As another program asks it.
  writeFileSync(join(out, 'rollback'), '');
  await watch.look();
  assert.not.ok(existsSync(join(out, 'rollback')));
  assert.match(events.at(-1)!.why, /keeps no adapter before the one in use/);
  assert.is(watch.status().adapter, 1);
  // One that was met already, and whose file a kill has left.
  addColours(data, 'red', 2, 200, 5);
  await twice(watch);
  assert.is(watch.status().adapter, 3);
  writeFileSync(join(out, 'rollback'), '2');
  await watch.look();
  assert.equal([watch.status().adapter, existsSync(join(out, 'rollback'))], [3, false]);
  writeFileSync(join(out, 'rollback'), '3');
  await watch.look();
  assert.is(watch.status().adapter, 1);
  watch.close();
});

test('a full disk is waited for, a run that fails is begun again once, and its pictures are then set aside', async () => {
  const data = photos(5);
  let steady = 0;
  const clock = { wall: () => 1e12, steady: () => steady };
  const fault = (): Error => new InputError({ where: 'blue/1.png', what: 'damaged' });
  const { runRound, orders } = played(
    new InputError({ where: 'x', what: 'cannot be written: no space left on the device' }, 'S2A_DISK'),
    ACCEPT,
    fault(),
    fault(),
  );
  const { watch, events } = open(data, { runRound, clock, retryMs: 1000 });
  await twice(watch);
  await watch.look();
  assert.equal(
    [orders.length, events.at(-1)!.event, watch.status().problem],
    [1, 'waits', 'x: cannot be written: no space left on the device; it is tried again'],
  );
  steady += 1000;
  await watch.look();
  assert.equal([orders.length, events.at(-1)!.event, watch.status().problem], [2, 'accepted', null]);
  addColours(data, 'red', 2, 100, 5);
  await twice(watch);
  await twice(watch);
  assert.equal(
    [orders.length, events.at(-1)!.event, events.at(-1)!.why, watch.status().pictures.aside],
    [4, 'refused', 'blue/1.png: damaged', 5],
  );
  watch.close();
});

test('pictures whose first round failed count among the two classes that are needed', async () => {
  const data = newFolder();
  addColours(data, 'red', 2, 0, 4);
  addColours(data, 'blue', 0, 0, 4);
  const fault = (): Error => new InputError({ where: 'blue/1.png', what: 'damaged' });
  const { runRound, orders } = played(fault(), fault());
  const { watch } = open(data, { runRound });
  await twice(watch);
  await twice(watch);
  assert.equal([orders.length, watch.status().adapter, watch.status().pictures.aside], [2, null, 8]);
  addColours(data, 'red', 2, 100, 4);
  await twice(watch);
  assert.equal([orders.length, watch.status().adapter, watch.status().problem], [3, 3, null]);
  watch.close();
});

test('a folder that vanishes is told, and costs nothing', async () => {
  const data = photos(5);
  const { runRound, orders } = played();
  const { watch } = open(data, { runRound });
  await twice(watch);
  renameSync(data, `${data}-away`);
  await twice(watch);
  assert.match(watch.status().problem!, /no such folder/);
  renameSync(`${data}-away`, data);
  await twice(watch);
  assert.equal([watch.status().problem, orders.length, watch.status().pictures.learn], [null, 1, 12]);
  watch.close();
});

test('whatever a kill leaves is finished by the next start', async () => {
  const data = photos(5);
  const killed = new Interrupted('killed');
  const { runRound, orders } = played(killed, ACCEPT);
  const first = open(data, { runRound });
  const stop = new AbortController();
  await first.watch.look();
  stop.abort();
  await first.watch.look(stop.signal).catch((error: unknown) => assert.is(error, killed));
  const { out } = first;
  assert.ok(stateOf(out).round !== null);
  first.watch.close();

  const second = open(data, { runRound, out });
  await second.watch.look();
  assert.equal([orders.length, second.watch.status().adapter, orders[1]!.job.resume], [2, 1, true]);
  second.watch.close();

  // Killed between the decision and the rename, and between the rename and the last word.
  for (const isRenamed of [false, true]) {
    const state = stateOf(out);
    const number = state.next;
    const decided = { number, cause: 'asked', pictures: {}, decision: ACCEPT };
    writeFileSync(join(out, 'watch.json'), JSON.stringify({ ...state, next: number + 1, round: decided }));
    cpSync(ADAPTER, isRenamed ? join(out, 'adapters', String(number)) : join(out, 'next'), { recursive: true });
    const again = open(data, { runRound, out });
    await again.watch.look();
    assert.equal([again.watch.status().adapter, existsSync(join(out, 'next')), orders.length], [number, false, 2]);
    again.watch.close();
  }
});

test('it begins with an adapter of elsewhere; one class is then enough', async () => {
  const data = newFolder();
  addColours(data, 'red', 2, 0, 6);
  const { runRound, orders } = played();
  const { watch } = open(data, { runRound }, { from: ADAPTER });
  assert.is(watch.status().adapter, 0);
  await twice(watch);
  assert.equal([orders.length, orders[0]!.gate.hasNewClasses, watch.status().adapter], [1, false, 1]);
  watch.close();
  refused(() => open(data, {}, { from: ADAPTER, model: 'test/golden/vit-timm' }), 'the adapter belongs to another architecture');
  refused(() => open(data, {}, { model: 'test/golden/none' }), 'test/golden/none');
  const lone = open(data, { runRound });
  await twice(lone.watch);
  assert.match(lone.watch.status().problem!, /only one class|two classes are needed/);
  lone.watch.close();
});

test('one folder, one watch; a damaged state is refused, not replaced', () => {
  const data = photos(3);
  const { watch, out } = open(data);
  refused(() => open(data, { out }), 'another run is going on in this folder');
  watch.close();
  writeFileSync(join(out, 'watch.json'), '{"format":1,"next":');
  refused(() => open(data, { out }), 'watch.json');
  writeFileSync(join(out, 'watch.json'), '{"format":1,"next":-1}');
  refused(() => open(data, { out }), 'watch.json: bad next', 'got -1', 'another --out');
  refused(() => open(data, { out: join(data, 'red', 'w') }), '--out');
  appendFileSync(join(out, 'log.jsonl'), '');
});

test.run();
