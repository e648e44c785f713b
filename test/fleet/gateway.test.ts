/** A gateway for boards that run s2a.wasm: what they send is what a node of their own would have sent, and nothing half, late or strange is taken. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chance } from '../../src/base/hostrandom.ts';
import { type FleetGateway, runGateway } from '../../src/fleet/gateway.ts';
import type { Value } from '../../src/fleet/records.ts';
import { readTensorsOf, type Tensors } from '../../src/fleet/tensors.ts';
import { CLI } from '../cli/command.ts';
import { answerIn, answeringBoard, copyOver, deliver, doOrder, nextOrder, onBoard, until } from '../support/farboard.ts';
import { MODEL, photos, scriptOf, tensorsOf } from '../support/fleetrun.ts';
import { FleetServer, type Question, type ServerOptions, type Told } from '../support/fleetserver.ts';
import { newFolder, refusedLater } from '../support/folder.ts';
import { calm, gatewayOf, kindOf, TRAIN } from '../support/gatewayrun.ts';

const data = photos();
const bytesOf = (tensors: Tensors): Record<string, string> =>
  Object.fromEntries(
    [...tensors].map(([name, { values }]) => [name, Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64')]),
  );
const metric = ({ content }: Told, key: string) => content!.values.get('metrics')!.get(key);

const well = await calm(data);

/** A board's folder as it was made, in a place of its own. */
function boardLike(boards: string, name = 'one'): string {
  const folder = join(boards, name);
  for (const part of ['program.s2a', 'data', 'model']) cpSync(join(well.folder, part), join(folder, part), { recursive: true });
  return folder;
}

test('a board behind a gateway sends what a node of its own sends: adapters and sums to the byte, counts, judgements', () => {
  const { own, server } = well;
  assert.is(server.doubled, 0);
  assert.equal(
    server.told.map(({ error }) => error),
    own.map(() => ''),
  );
  for (const [i, there] of server.told.entries()) {
    const here = own[i]!;
    assert.equal(there.content!.values.get('config'), here.content!.values.get('config'), `config ${i}`);
    if (here.content!.arrays.has('arrays')) assert.equal(bytesOf(tensorsOf(there)), bytesOf(tensorsOf(here)), `adapter ${i}`);
    for (const key of ['num-examples', 'label-counts', 'label-right', 'held-out', 'features', 'adapter-bytes', 'accuracy', 'peak-bytes'])
      assert.equal(metric(there, key), metric(here, key), `${key} ${i}`);
    const [a, b] = [metric(there, 'loss'), metric(here, 'loss')] as (number | undefined)[];
    assert.ok(a === b || Math.abs(a! - b!) < 1e-8 * b!, `loss ${i}: ${a}, ${b}`);
  }
});

test('--out holds the fleet’s adapter; the board is told how it stands, and its key is the gateway’s alone', () => {
  const { gateway, folder, server } = well;
  assert.equal(bytesOf(readTensorsOf(gateway.job.out).tensors), bytesOf(tensorsOf(server.told[TRAIN]!)));
  assert.match(readFileSync(join(folder, 'told.txt'), 'utf8'), /^round 1, evaluate: the answer was taken\n$/);
  const key = join(gateway.job.out, 'fleet', 'keys', 'one.pem');
  assert.is(statSync(key).mode & 0o777, 0o600);
  assert.not.ok(JSON.stringify(gateway.events).includes(readFileSync(key, 'utf8').split('\n')[1]!));
});

test('--out holds what was sent last, where a second run counts its rounds from the beginning', async () => {
  const [late, early] = [well.server.told[TRAIN]!.question, well.server.told.at(-1)!.question];
  const inRound = (question: Question, round: bigint): Question => ({
    ...question,
    config: new Map([...question.config, ['round', round]]),
  });
  const server = await new FleetServer({ script: (told) => [inRound(late, 9n), inRound(early, 1n)][told.length] }).open();
  const boards = newFolder();
  const folder = boardLike(boards);
  const gateway = gatewayOf(server.url, boards);
  const board = answeringBoard(folder, () => well.answers.get(kindOf(folder))!);
  await runGateway(gateway);
  await board.stop();
  await server.close();
  assert.equal(
    server.told.map(({ error }) => error),
    ['', ''],
  );
  assert.equal(bytesOf(readTensorsOf(gateway.job.out).tensors), bytesOf(tensorsOf(well.own[TRAIN]!)));
});

/** A train question again and again, after a query and a start: `spoilt` such. */
const trainings = (n: number): ServerOptions => {
  const first = scriptOf({ rounds: 1, more: [['prox', 0.1]] });
  return { script: (told) => (told.length < 2 ? first(told) : told.length < 2 + n ? well.server.told[TRAIN]!.question : undefined) };
};

type Spoil = (files: Map<string, Uint8Array>) => unknown;
const text = (files: Map<string, Uint8Array>, name: string, change: (text: string) => string): unknown =>
  files.set(name, new TextEncoder().encode(change(new TextDecoder().decode(files.get(name)))));
/** Changes what the adapter says of itself, to the same length. */
const said =
  (from: RegExp, to: string): Spoil =>
  (files) => {
    const bytes = Buffer.from(files.get('adapter_model.safetensors')!);
    const found = from.exec(bytes.toString('latin1'))!;
    assert.is(found[0].length, to.length);
    bytes.write(to, found.index, 'latin1');
    files.set('adapter_model.safetensors', new Uint8Array(bytes));
  };

test('a whole answer that is wrong is refused in a sentence, the server is told, and the board stays', async () => {
  const spoils: [Spoil, ...string[]][] = [
    [
      (files) => {
        const bytes = files.get('adapter_model.safetensors')!.slice();
        bytes.set([0, 0, 192, 127], bytes.length - 4);
        files.set('adapter_model.safetensors', bytes);
      },
      'NaN or infinite',
    ],
    [said(/"digest\\":\\"[0-9a-f]{8}/, '"digest\\":\\"0123abcd'), 'other base weights', '0123abcd'],
    [said(/"method\\":\\"bias/, '"method\\":\\"bios'), 'of another method', 'bios'],
    [said(/"apple/, '"appla'), 'of other labels', 'appla'],
    [(files) => files.set('adapter_model.safetensors', files.get('adapter_model.safetensors')!.slice(0, 900)), 'adapter_model.safetensors'],
    [(files) => text(files, 'metrics.jsonl', (line) => line.replace('"epoch":1', '"epoch":2')), 'not of the last epoch'],
    [(files) => text(files, 'metrics.jsonl', (line) => line.replace(/"trainLoss":[^,]*/, '"trainLoss":null')), 'the loss is no number'],
    [(files) => text(files, 'metrics.jsonl', () => '{"epoch":'), 'metrics.jsonl'],
    [(files) => text(files, 'info.txt', (info) => info.replace('30: 10', '30: 11')), 'does not tell the pictures to learn from'],
    [(files) => files.set('error.txt', new TextEncoder().encode('exit code 4\n')), 'the board stopped: exit code 4'],
  ];
  const server = await new FleetServer(trainings(spoils.length + 1)).open();
  const boards = newFolder();
  const folder = boardLike(boards);
  const gateway = gatewayOf(server.url, boards);
  const done = runGateway(gateway);
  let order = '';
  const give = async (files: ReadonlyMap<string, Uint8Array>): Promise<string> => {
    const before = order;
    order = await nextOrder(folder, before);
    deliver(folder, files);
    const told = join(folder, 'told.txt');
    return until(() => existsSync(told) && /: the answer was .*/.exec(readFileSync(told, 'utf8'))?.[0], 'a word about the answer');
  };
  await give(well.answers.get('count')!);
  await give(well.answers.get('count')!);
  for (const [spoil, ...words] of spoils) {
    const files = new Map(well.answers.get('train')!);
    spoil(files);
    const told = await give(files);
    assert.match(told, /^: the answer was refused/, words[0]);
  }
  await give(well.answers.get('train')!);
  await done;
  await server.close();
  for (const [i, [, ...words]] of spoils.entries())
    for (const word of words) assert.ok(server.told[2 + i]!.error.includes(word), `“${server.told[2 + i]!.error}” lacks “${word}”`);
  assert.equal(bytesOf(tensorsOf(server.told.at(-1)!)), bytesOf(tensorsOf(well.own[TRAIN]!)), 'a good one counts');
  assert.is(server.doubled, 0);
});

test('what is half there, of another order, or came before is not taken; a folder that vanishes is waited for', async () => {
  const server = await new FleetServer(trainings(1)).open();
  const boards = newFolder();
  const folder = boardLike(boards);
  const gateway = gatewayOf(server.url, boards);
  const done = runGateway(gateway);
  const event = (state: string, word: string): Promise<unknown> =>
    until(() => gateway.events.some((e) => e.event === 'order' && e.state === state && e.why.includes(word)), `${state}: ${word}`);
  let order = await nextOrder(folder, '');
  // On the board: an order that is not whole is not begun.
  const board = newFolder();
  for (const part of ['order', 'data', 'model', 's2a.wasm']) cpSync(join(folder, part), join(board, part), { recursive: true });
  const program = join(board, 'order', 'program.s2a');
  const whole = readFileSync(program);
  writeFileSync(program, whole.subarray(0, 5000));
  const half = await doOrder(board);
  assert.is(half.code, 2);
  assert.match(half.err, /order\/ is not here whole/);
  assert.not.ok(existsSync(join(board, 'answer')));
  writeFileSync(program, whole);
  assert.is((await doOrder(board)).code, 0);
  // Over ssh its list comes first, then half of a file, then all.
  const [from, to] = [join(board, 'answer'), join(folder, 'answer')];
  mkdirSync(to);
  const list = readFileSync(join(from, 'digests'));
  writeFileSync(join(to, 'digests'), list.subarray(0, list.length - 1));
  await event('partial', 'digests is cut off');
  writeFileSync(join(to, 'digests'), list);
  await event('partial', 'info.txt is missing');
  const info = readFileSync(join(from, 'info.txt'));
  writeFileSync(join(to, 'info.txt'), info.subarray(0, 40));
  await event('partial', 'info.txt is not as digests says');
  assert.is(server.told.length, 0);
  writeFileSync(join(to, 'info.txt'), info);
  const first = new Map(answerIn(folder));
  order = await nextOrder(folder, order);
  // The same answer once more: it was taken, and is passed over.
  copyOver(from, to);
  deliver(folder, first);
  order = await nextOrder(folder, order);
  assert.is(server.told.length, 2);
  // An answer to the first question, which is over: late.
  copyOver(from, to);
  await event('other', 'of an order that is not asked any more');
  assert.match(readFileSync(join(folder, 'told.txt'), 'utf8'), /round 1, train: answer\/ is of an order .* order\/ is what is asked now/);
  // Pulled out, and with what was not there: the empty folder of a mount stays.
  renameSync(folder, `${boards}-away`);
  await event('away', 'is away');
  mkdirSync(folder);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(readdirSync(folder), [], 'nothing is written where a board is not');
  rmSync(folder, { recursive: true });
  rmSync(join(`${boards}-away`, 'order'), { recursive: true });
  renameSync(`${boards}-away`, folder);
  assert.is(await nextOrder(folder, ''), order, 'the order is there again');
  deliver(folder, well.answers.get('train')!);
  await done;
  await server.close();
  assert.is(server.told.length, 3);
  assert.is(server.doubled, 0);
  assert.equal(bytesOf(tensorsOf(server.told[2]!)), bytesOf(tensorsOf(well.own[TRAIN]!)));
});

test('the line that docs/fleet.md has for a board over ssh', async () => {
  const line = /^scp .*order\/run\.sh.*$/m.exec(readFileSync('docs/fleet.md', 'utf8'))![0].replaceAll('attic', 'one');
  const first = scriptOf({ rounds: 1 });
  const server = await new FleetServer({ script: (told) => (told.length < 1 ? first(told) : undefined) }).open();
  const boards = join(newFolder(), 'boards');
  const folder = join(boards, 'one');
  mkdirSync(folder, { recursive: true });
  cpSync(join(well.folder, 'program.s2a'), join(folder, 'program.s2a'));
  const done = runGateway(gatewayOf(server.url, boards));
  await nextOrder(folder, '');
  const board = newFolder();
  for (const part of ['data', 'model']) cpSync(join(well.folder, part), join(board, part), { recursive: true });
  assert.equal(await onBoard(board, line, { gateway: join(boards, '..') }), { code: 0, err: 'done: answer/ is whole\n' });
  await done;
  await server.close();
  assert.equal(metric(server.told[0]!, 'label-counts'), [10n, 10n, 10n]);
});

test('what s2a.wasm cannot do is refused before the board is asked, and clip is the gateway’s', async () => {
  const asks: [string, Value, string][] = [
    ['optimizer', 'kept', 'keeps no optimizer between rounds'],
    ['local', 'probe', 'does not learn the head alone'],
    ['clip', 0.01, ''],
  ];
  const script: ServerOptions['script'] = (told) => {
    const ask = asks[told.length - 2];
    const question = told.length < 2 ? trainings(1).script(told) : well.server.told[TRAIN]!.question;
    if (told.length < 2) return question;
    return ask && { ...question!, config: new Map([...question!.config, [ask[0], ask[1]]]) };
  };
  const server = await new FleetServer({ script }).open();
  const boards = newFolder();
  const folder = boardLike(boards);
  const done = runGateway(gatewayOf(server.url, boards));
  let order = '';
  for (const kind of ['count', 'count', 'train']) {
    order = await nextOrder(folder, order);
    deliver(folder, well.answers.get(kind)!);
  }
  await done;
  await server.close();
  for (const [i, [, , word]] of asks.entries()) assert.ok(server.told[2 + i]!.error.includes(word), server.told[2 + i]!.error);
  const before = tensorsOf(server.told[1]!);
  const after = tensorsOf(server.told.at(-1)!);
  assert.not.ok(after.has('s2a.rates'));
  let squares = 0;
  for (const [name, { values }] of after) for (const [i, x] of values.entries()) squares += (x - before.get(name)!.values[i]!) ** 2;
  assert.ok(Math.abs(Math.sqrt(squares) - 0.01) < 1e-6, `length ${Math.sqrt(squares)}`);
});

test('two boards are two nodes, each with its key; an error of one ends its part alone', async () => {
  const first = scriptOf({ rounds: 1 });
  const train = well.server.told[TRAIN]!.question;
  const other = new Map([
    ...train.config,
    ['info', (train.config.get('info') as string).replace(/"digest":"[0-9a-f]{8}/, '"digest":"0123abcd')],
  ]);
  const questions = (told: readonly Told[]) =>
    [
      { ...first([])!, to: 1 },
      { ...first([])!, to: 2 },
      { ...train, to: 1 },
      { ...train, to: 2 },
      { ...train, config: other, to: 2 },
      { ...train, to: 1 },
    ][told.length];
  const server = await new FleetServer({ script: questions }).open();
  const boards = newFolder();
  const folders = ['one', 'two'].map((name) => boardLike(boards, name));
  const keys = newFolder();
  const gateway = gatewayOf(server.url, boards, { keys });
  const working = folders.map((folder) => answeringBoard(folder, () => well.answers.get(kindOf(folder))!));
  await refusedLater(runGateway(gateway), 'other base weights', '0123abcd');
  for (const board of working) await board.stop();
  await server.close();
  const names = server.told.map(({ content }) => content?.values.get('config')?.get('name'));
  assert.equal(names, [names[0], names[1], names[0], names[1], undefined, names[0]]);
  assert.equal([...new Set(names.filter((name) => name !== undefined))].sort(), ['one', 'two']);
  assert.equal(readdirSync(keys).sort(), ['one.pem', 'one.pem.pub', 'two.pem', 'two.pem.pub']);
  assert.not.equal(readFileSync(join(keys, 'one.pem'), 'utf8'), readFileSync(join(keys, 'two.pem'), 'utf8'));
  for (const i of [2, 3, 5]) assert.equal(bytesOf(tensorsOf(server.told[i]!)), bytesOf(tensorsOf(well.own[TRAIN]!)));
  const ends = gateway.events.flatMap(({ event, board }) => (['left', 'failed'].includes(event) ? [[event, board]] : []));
  assert.equal(ends, [
    ['failed', names[1]],
    ['left', names[0]],
  ]);
  assert.is(server.doubled, 0);
});

test('a round that the server no longer waits for is dropped, and the board is told', async () => {
  const server = await new FleetServer({ ...trainings(1), ttl: 1.5 }).open();
  const boards = newFolder();
  const folder = boardLike(boards);
  const stop = new AbortController();
  const gateway = gatewayOf(server.url, boards, { signal: stop.signal });
  const done = runGateway(gateway).catch((error: Error) => error);
  await nextOrder(folder, '');
  await until(() => gateway.events.some((e) => e.event === 'late' && e.why.includes('no longer waits')), 'late');
  await until(() => readFileSync(join(folder, 'told.txt'), 'utf8').includes('comes too late'), 'told');
  assert.not.ok(existsSync(join(folder, 'order', 'digests')), 'the order is withdrawn');
  stop.abort();
  assert.match(String(await done), /same command goes on/);
  await server.close();
});

test('cards that are none: of another model, of a program that predicts, no folder of a board', async () => {
  const boards = newFolder();
  const gateway = (): FleetGateway => gatewayOf('http://127.0.0.1:9', boards);
  await refusedLater(runGateway(gateway()), 'holds no board');
  const folder = boardLike(boards);
  const other = newFolder();
  cpSync(MODEL, other, { recursive: true });
  const weights = readFileSync(join(other, 'model.safetensors'));
  weights[weights.length - 2]! ^= 1;
  writeFileSync(join(other, 'model.safetensors'), weights);
  await refusedLater(runGateway({ ...gateway(), job: { ...gateway().job, model: other } }), 'program.s2a', 'other base weights');
  rmSync(join(folder, 'program.s2a'));
  await refusedLater(runGateway(gateway()), 'program.s2a', 'no such file');
  cpSync(join(well.folder, 'order', 'program.s2a'), join(folder, 'program.s2a'));
  await refusedLater(runGateway(gateway()), 'is no card of a board', 's2a pack');
});

test('a gateway that is killed at odd moments loses no round and sends none twice', async () => {
  const KILLS = 5;
  let gateway: ChildProcess | undefined;
  let [calls, kills, next] = [0, 0, 6];
  const server = await new FleetServer({
    ...trainings(2),
    fate(call) {
      // What is given once is lost with any client where it is cut on its way.
      if (gateway === undefined || kills >= KILLS || ++calls < next || call === 'activate-node' || call === 'pull-messages') return 'well';
      kills++;
      next = calls + 1 + chance(3, kills, 12);
      const one = gateway;
      setTimeout(() => one.kill('SIGKILL'), chance(4, kills, 2) * 150);
      return 'well';
    },
  }).open();
  const boards = newFolder();
  const folder = boardLike(boards);
  const out = newFolder();
  const args = [
    'fleet',
    'gateway',
    server.url,
    '--model',
    MODEL,
    '--boards',
    boards,
    '--out',
    out,
    '--budget',
    '8MiB',
    '--batch-size',
    '8',
  ];
  const board = answeringBoard(folder, () => well.answers.get(kindOf(folder))!);
  for (let starts = 0; starts <= KILLS + 1; starts++) {
    gateway = spawn(process.execPath, [CLI, ...args, '--json'], { stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = (await once(gateway, 'exit')) as [number | null];
    if (code !== null) {
      assert.is(code, 0);
      break;
    }
  }
  await board.stop();
  await server.close();
  assert.is(server.told.length, 4);
  assert.is(server.doubled, 0);
  assert.ok(kills > 2, `${kills} kills`);
  for (const told of server.told.slice(2)) assert.equal(bytesOf(tensorsOf(told)), bytesOf(tensorsOf(well.own[TRAIN]!)));
});

test.run();
