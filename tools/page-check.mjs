// Drives the page of `s2a serve` in headless Chromium as a person with a phone does: a picture, its answer, "this is …", a new adapter; and what is first
// painted, at 390 pixels. Needs Chromium, so npm test does not run it.
//
//     node tools/page-check.mjs [screenshots' folder]        after npm run build; CHROMIUM names the program where it is not `chromium`
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encode } from 'fast-png';

const [WIDTH, HEIGHT] = [390, 844];
/** First paint, in ms. */
const MOST_PAINT = 1000;
const work = mkdtempSync(join(tmpdir(), 's2a-page-'));
const shots = process.argv[2] === undefined ? undefined : resolve(process.argv[2]);
if (shots) mkdirSync(shots, { recursive: true });
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** A picture of a colour, of other bytes each time. */
let drawn = 0;
function picture(channel) {
  const number = ++drawn;
  const noise = (k) => ((k * 7919 + number * 104729) ^ (k >> 3)) % 61;
  const data = Uint8Array.from({ length: 60 * 45 * 3 }, (_, k) => (k % 3 === channel ? 170 : 40) + noise(k));
  return encode({ width: 60, height: 45, data, channels: 3, depth: 8 });
}

const photos = join(work, 'photos');
for (const [channel, name] of ['red', 'green', 'blue'].entries()) {
  mkdirSync(join(photos, name), { recursive: true });
  for (let i = 0; i < 12; i++) writeFileSync(join(photos, name, `${i}.png`), picture(channel));
}

/** The server, with a token, and the address that it prints. */
async function startServer() {
  const args = [
    'serve',
    'test/golden/vit-hf',
    '--watch',
    photos,
    '--out',
    join(work, 'watched'),
    '--after',
    '3',
    '--epochs',
    '4',
    '--batch-size',
    '4',
  ];
  const server = spawn(process.execPath, ['dist/s2a.js', ...args, '--port', '0', '--token', join(work, 'token')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  server.stdout.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  for (let i = 0; i < 600 && !/round 1 accepted/.test(said); i++) await wait(100);
  const address = /listening on (\S+)/.exec(said)?.[1];
  if (address === undefined || !/accepted/.test(said)) throw new Error(`the server did not start:\n${said}`);
  return { server, address };
}

/** Chromium over the pipes that it has for this, and one page. */
async function openPage() {
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', `--user-data-dir=${join(work, 'profile')}`];
  const browser = spawn(process.env.CHROMIUM ?? 'chromium', flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const [to, from] = /** @type {[import('node:stream').Writable, import('node:stream').Readable]} */ (
    /** @type {unknown} */ ([browser.stdio[3], browser.stdio[4]])
  );
  const waiting = new Map();
  /** Sentences of what went wrong in the page's script, or was kept from it by its policy. */
  const faults = [];
  let next = 0;
  let rest = '';
  from.setEncoding('utf8').on('data', (text) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop() ?? '';
    for (const message of messages) {
      const { id, result, error, method, params } = JSON.parse(message);
      if (method === 'Runtime.exceptionThrown') faults.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      if (method === 'Log.entryAdded' && ['javascript', 'security'].includes(params.entry.source)) faults.push(params.entry.text);
      const { done, fail } = waiting.get(id) ?? {};
      if (error) fail?.(new Error(error.message));
      else done?.(result);
    }
  });
  const send = (method, params = {}, sessionId = undefined) =>
    new Promise((done, fail) => {
      waiting.set(++next, { done, fail });
      to.write(`${JSON.stringify({ id: next, method, params, ...(sessionId ? { sessionId } : {}) })}\0`);
    });
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  return { browser, faults, ask: (method, params) => send(method, params, sessionId) };
}

let failures = 0;
function check(what, isRight, got) {
  console.log(`${isRight ? 'ok    ' : 'FAILED'} ${what}${got === undefined ? '' : `: ${got}`}`);
  if (!isRight) failures++;
}

const { server, address } = await startServer();
const { browser, faults, ask } = await openPage();
const run = async (expression) => (await ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })).result.value;
const text = (id) => run(`document.getElementById('${id}').textContent`);
async function until(what, id, pattern, seconds = 30) {
  let said = '';
  for (let i = 0; i < seconds * 10; i++) {
    said = await text(id);
    if (pattern.test(said)) break;
    await wait(100);
  }
  check(what, pattern.test(said), said);
}
async function shot(name) {
  if (!shots) return;
  const { data } = await ask('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
  writeFileSync(join(shots, `${name}.png`), Buffer.from(data, 'base64'));
}
/** Chooses a file as a person does. */
async function choose(bytes, name) {
  const path = join(work, name);
  writeFileSync(path, bytes);
  const { root } = await ask('DOM.getDocument');
  const { nodeIds } = await ask('DOM.querySelectorAll', { nodeId: root.nodeId, selector: '[data-choose]' });
  await ask('DOM.setFileInputFiles', { files: [path], nodeId: nodeIds[1] });
}

try {
  for (const part of ['Page', 'Runtime', 'Log']) await ask(`${part}.enable`);
  await ask('Emulation.setDeviceMetricsOverride', { width: WIDTH, height: HEIGHT, deviceScaleFactor: 2, mobile: true });
  await ask('Page.navigate', { url: address });
  await until('the state is told', 'state', /3 classes · adapter 1/);
  await shot('1-start');
  const paint = await run("performance.getEntriesByName('first-contentful-paint')[0].startTime");
  check(`first paint under ${MOST_PAINT} ms`, paint < MOST_PAINT, `${Math.round(paint)} ms`);
  check('the token is gone from the address', (await run('location.hash')) === '');

  await choose(picture(2), 'door.png');
  await until('an answer', 'answer', /^blue$/);
  await shot('2-answer');
  const wide = await run('document.documentElement.scrollWidth');
  check('nothing is wider than the screen', wide <= WIDTH, `${wide} px`);
  const low = await run(
    "Math.min(...[...document.querySelectorAll('button, .button')].filter((b) => b.offsetHeight).map((b) => b.offsetHeight))",
  );
  check('buttons are as high as a finger', low >= 44, `${low} px`);

  await run("[...document.querySelectorAll('#known button')].find((b) => b.textContent === 'blue').click()");
  await until('the picture is added', 'added', /^Added to blue\.$/);
  for (let i = 0; i < 3; i++) {
    await choose(picture(2), `more-${i}.png`);
    await until('an answer to another one', 'answer', /^blue$/);
    await run("document.getElementById('label').value = 'blue'; document.getElementById('teach').requestSubmit()");
    await until('it is added by its name', 'added', /^Added to blue\.$/);
  }
  await until('a new adapter is in use', 'state', /adapter 2/, 60);
  await shot('3-learnt');

  await choose(new TextEncoder().encode('no picture'), 'text.jpg');
  await until('what is no picture is told', 'answer', /a text file, not a JPEG, PNG or WebP/);
  check('and not shown', await run("document.getElementById('shown').hidden"));
  await shot('4-refused');
  await run("document.getElementById('back').click()");
  await until('the adapter before is in use again', 'state', /adapter 1/, 30);
  check("nothing went wrong in the page's script", faults.length === 0, faults.join('; ') || undefined);
} finally {
  browser.kill();
  server.kill();
  await wait(500);
  rmSync(work, { recursive: true, force: true, maxRetries: 5 });
}
process.exitCode = failures > 0 ? 1 : 0;
