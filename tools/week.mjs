// A simulated week of `s2a serve --watch`: 500 new drawings come over HTTP, ten times the process is killed, once the disk is full, once someone gives wrong
// labels, and all the while it is asked. No answer may be lost or wait long, memory stays flat, accuracy on drawings that it never gets is never below its start.
//
//     node tools/week.mjs [--pictures 500] [--kills 10] [--seed 1]        after npm run build; some minutes
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encode } from 'fast-png';
import { readClass, TEN } from './pictures/quickdraw.mjs';

const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: '500' },
    kills: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});
const [PICTURES, KILLS, SEED] = [Number(values.pictures), Number(values.kills), Number(values.seed)];
const DAYS = 7;
/** Drawings of each class that it begins with; those that come; those with a wrong label; those that judge it from outside. */
const FIRST = 5;
const WRONG = 4;
const TEST = 20;
const AFTER = 25;
const MODEL = 'models/sketch-vit';
const OPTIONS = ['--epochs', '5', '--save-every', '5', '--threads', '1', '--seed', String(SEED)];

const work = mkdtempSync(join(tmpdir(), 's2a-week-'));
const [photos, watched, full] = ['photos', 'watched', 'full'].map((name) => join(work, name));
let state = SEED >>> 0;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const png = (data) => encode({ width: 28, height: 28, data, channels: 1, depth: 8 });
const drawings = new Map(TEN.map((name) => [name, readClass(name).map(png)]));
/** A class's drawings.
 * @returns {Uint8Array[]} */
const drawn = (name) => drawings.get(name) ?? [];

let failures = 0;
function check(what, isRight, got = '') {
  console.log(`${isRight ? 'ok    ' : 'FAILED'} ${what}${got === '' ? '' : `: ${got}`}`);
  if (!isRight) failures++;
}

/** @type {import('node:child_process').ChildProcess} */
let server;
let port = 0;
/** Starts it and waits until it listens. */
async function start() {
  const args = [
    'serve',
    MODEL,
    '--watch',
    photos,
    '--out',
    watched,
    '--after',
    String(AFTER),
    '--port',
    String(port),
    '--json',
    ...OPTIONS,
  ];
  server = spawn(process.execPath, ['--import', './tools/week/fulldisk.mjs', 'dist/s2a.js', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, FULL_DISK: full },
  });
  let said = '';
  server.stdout?.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  for (let i = 0; i < 300; i++) {
    const found = /"port":(\d+)/.exec(said)?.[1];
    if (found !== undefined) {
      port = Number(found);
      return;
    }
    if (server.exitCode !== null) throw new Error(`the server ended: ${said}`);
    await wait(100);
  }
  throw new Error('the server does not listen');
}

async function kill() {
  const gone = new Promise((done) => server.once('exit', done));
  server.kill('SIGKILL');
  await gone;
}

const agent = new Agent({ keepAlive: false });
/**
 * One request; undefined where nobody is there.
 * @returns {Promise<any>}
 */
function ask(method, path, body) {
  return new Promise((done) => {
    const headers = body ? { 'content-type': 'image/png', 'content-length': body.length } : {};
    const asked = request({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece) => {
        text += piece;
      });
      response.on('end', () => done({ status: response.statusCode, text }));
      response.on('error', () => done(undefined));
    });
    asked.on('error', () => done(undefined));
    asked.end(body);
  });
}
const status = async () => JSON.parse((await ask('GET', '/status')).text);

/** Pictures that the folder holds. */
let there = FIRST * TEN.length;
/** Waits until all of them have been seen, too few are new, and no round goes on. */
async function settled(seconds = 240) {
  for (let i = 0; i < seconds * 4; i++) {
    const { watch } = await status();
    const { learn, held, aside } = watch.pictures;
    const isSeen = learn + held + aside + watch.fresh === there;
    if (isSeen && watch.round === null && watch.fresh < AFTER && watch.adapter !== null && !watch.problem) return watch;
    await wait(250);
  }
  throw new Error(`not settled: ${JSON.stringify((await status()).watch)}`);
}

/** Share of the test drawings that are answered rightly. */
async function accuracy() {
  let right = 0;
  for (const [name, all] of drawings)
    for (const drawing of all.slice(-TEST)) {
      const { classes } = JSON.parse((await ask('POST', '/predict?top=1', drawing)).text);
      if (classes[0].label === name) right++;
    }
  return right / (TEN.length * TEST);
}

/** Asks all the time; while the server lives every answer comes, and soon. */
/** @type {{ isOn: boolean, isAlive: boolean, count: number, lost: number, times: number[] }} */
const asking = { isOn: true, isAlive: true, count: 0, lost: 0, times: [] };
async function askAlways() {
  while (asking.isOn) {
    await wait(150);
    const wasAlive = asking.isAlive;
    const began = performance.now();
    const answer = await ask('POST', '/predict?top=1', drawn(TEN[asking.count % 10])[99]);
    const ms = performance.now() - began;
    if (!wasAlive || !asking.isAlive) continue;
    asking.count++;
    if (answer?.status !== 200) asking.lost++;
    asking.times.push(ms);
  }
}

/** Gives pictures one after the other; what the server could not take, it gets again. Returns how often that was. */
async function give(list) {
  let again = 0;
  for (const { label, drawing } of list) {
    for (;;) {
      const answer = await ask('POST', `/pictures?label=${label}`, drawing);
      if (answer?.status === 201) there++;
      if (answer?.status === 201 || answer?.status === 200) break;
      again++;
      await wait(200);
    }
  }
  return again;
}

async function killNow() {
  asking.isAlive = false;
  await kill();
  await start();
  await wait(300);
  asking.isAlive = true;
}

/** Lines of the watch's log. */
const eventsOf = () =>
  readFileSync(join(watched, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
let told = 0;
function tellEvents() {
  const events = eventsOf();
  for (const { event, round, why } of events.slice(told))
    if (event !== 'began') console.log(`    ${round === undefined ? '' : `round ${round} `}${event}: ${why}`);
  told = events.length;
}

const resident = async () => Number(/s2a_resident_bytes (\d+)/.exec((await ask('GET', '/metrics')).text)?.[1]) / 2 ** 20;

/** Drawings under wrong names: the gate keeps them out. */
async function wrongLabels(each) {
  await settled();
  const before = await status();
  const from = FIRST + each;
  const wrong = TEN.flatMap((name, i) =>
    drawn(name)
      .slice(from, from + WRONG)
      .map((drawing) => ({ label: TEN[(i + 3) % 10], drawing })),
  );
  await give(wrong);
  const { adapter } = await settled();
  const last = eventsOf().at(-1);
  check('someone who gives wrong labels is gated', last.event === 'refused' && adapter === before.watch.adapter, last.why);
}

/** For a while nothing can be written. */
async function fullDisk() {
  writeFileSync(full, '');
  const refused = await ask('POST', '/pictures?label=cat', png(blot(77)));
  const isSaid = refused.status === 507 && /no space left/.test(refused.text);
  check('on a full disk a picture is refused, in a sentence', isSaid, refused.text.trim());
  await ask('POST', '/learn');
  await wait(8000);
  const answered = await ask('POST', '/predict', drawn('cat')[99]);
  check('answers go on', answered.status === 200);
  rmSync(full);
}

/** A day's drawings, with kills between them at moments that nobody chose. */
async function day(coming, kills) {
  for (let k = 0; k <= kills; k++) {
    const from = Math.floor((coming.length * k) / (kills + 1));
    await give(coming.slice(from, Math.floor((coming.length * (k + 1)) / (kills + 1))));
    if (k === kills) return;
    await wait(random() * 9000);
    await killNow();
  }
}

async function week() {
  for (const [name, all] of drawings) {
    mkdirSync(join(photos, name), { recursive: true });
    for (const [i, drawing] of all.slice(0, FIRST).entries()) writeFileSync(join(photos, name, `${i}.png`), drawing);
  }
  await start();
  await settled();
  const begun = await accuracy();
  console.log(`begins with ${(100 * begun).toFixed(1)} % of ${TEN.length * TEST} drawings`);
  const coming = Array.from({ length: PICTURES }, (_, i) => ({
    label: TEN[i % 10],
    drawing: drawn(TEN[i % 10])[FIRST + Math.floor(i / 10)],
  }));
  void askAlways();
  const upTo = (all, n) => Math.round((all * n) / DAYS);
  let lowest = begun;
  for (let n = 0; n < DAYS; n++) {
    await day(coming.slice(upTo(PICTURES, n), upTo(PICTURES, n + 1)), upTo(KILLS, n + 1) - upTo(KILLS, n));
    if (n === 2) await wrongLabels(Math.ceil(PICTURES / TEN.length));
    if (n === 4) await fullDisk();
    await settled();
    const now = await accuracy();
    lowest = Math.min(lowest, now);
    tellEvents();
    const { watch } = await status();
    const given = `${upTo(PICTURES, n + 1)} drawings given, ${upTo(KILLS, n + 1)} kills`;
    console.log(`day ${n + 1}: ${(100 * now).toFixed(1)} %, adapter ${watch.adapter}, ${given}, ${(await resident()).toFixed(0)} MiB`);
  }
  const range = `${(100 * lowest).toFixed(1)} % at the least, ${(100 * begun).toFixed(1)} % at first`;
  check('accuracy is never below its start', lowest >= begun, range);
}

/** Round after round in one process. */
async function memoryFlat() {
  await killNow();
  const sizes = [];
  for (let round = 0; round < 5; round++) {
    const list = Array.from({ length: AFTER }, (_, i) => ({ label: TEN[i % 10], drawing: png(blot(round * AFTER + i)) }));
    await give(list);
    await settled();
    await wait(500);
    sizes.push(await resident());
  }
  check('memory stays flat from round to round', (sizes.at(-1) ?? 0) - (sizes[1] ?? 0) < 12, sizes.map((n) => n.toFixed(0)).join(', '));
}

/** A drawing of nothing, another one each time. */
const blot = (n) => Uint8Array.from({ length: 784 }, (_, k) => ((k * 31 + n * 97) % 251 < 40 ? 0 : 255));

try {
  await week();
  await memoryFlat();
  asking.isOn = false;
  const events = eventsOf();
  const rounds = events.filter(({ event }) => event === 'accepted' || event === 'refused');
  check(
    'no round ended twice',
    new Set(rounds.map(({ round }) => round)).size === rounds.length,
    `${rounds.length} rounds, ${rounds.filter(({ event }) => event === 'accepted').length} accepted`,
  );
  const times = asking.times.sort((a, b) => a - b);
  check(
    'no answer lost',
    asking.lost === 0,
    `${asking.count} asked, median ${(times[times.length >> 1] ?? 0).toFixed(0)} ms, slowest ${(times.at(-1) ?? 0).toFixed(0)} ms`,
  );
  const known = Object.keys(JSON.parse(readFileSync(join(watched, 'watch.json'), 'utf8')).pictures);
  const files = readdirSync(photos).flatMap((label) => readdirSync(join(photos, label)).map((name) => `${label}/${name}`));
  check(
    'no picture lost, none half-written',
    files.every((path) => /^[\w ]+\/[\w-]+\.png$/.test(path)) && files.length === there,
    `${files.length} files of ${there} that were taken, ${known.length} in the ledger`,
  );
} finally {
  asking.isOn = false;
  await kill().catch(() => {});
  rmSync(work, { recursive: true, force: true, maxRetries: 5 });
}
process.exitCode = failures > 0 ? 1 : 0;
