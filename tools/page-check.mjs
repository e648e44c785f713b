// Drives the page of `s2a serve` in headless Chromium as a person with a phone does: a picture, its answer, "this is …", a new adapter; and what is first
// painted, at 390 pixels. Then a fleet's page, on a phone and a screen, light and dark. Needs Chromium, so npm test does not run it.
//
//     node tools/page-check.mjs [screenshots' folder] [--fleet]     after npm run build; CHROMIUM names the program where it is not `chromium`; --fleet: that page alone
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encode } from 'fast-png';
import { openPage } from './page/browser.mjs';
import { checkFleetPage } from './page/fleet.mjs';

const [WIDTH, HEIGHT] = [390, 844];
/** First paint, in ms. */
const MOST_PAINT = 1000;
const work = mkdtempSync(join(tmpdir(), 's2a-page-'));
const [folder] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const shots = folder === undefined ? undefined : resolve(folder);
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

let failures = 0;
function check(what, isRight, got) {
  console.log(`${isRight ? 'ok    ' : 'FAILED'} ${what}${got === undefined ? '' : `: ${got}`}`);
  if (!isRight) failures++;
}

const { browser, faults, requests, ask } = await openPage(work);
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

/** The page of `s2a serve`, from its start to an adapter that is taken back. */
async function servePage(address) {
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
}

let server;
try {
  for (const part of ['Page', 'Runtime', 'Log']) await ask(`${part}.enable`);
  if (!process.argv.includes('--fleet')) {
    const started = await startServer();
    server = started.server;
    await servePage(started.address);
    faults.length = 0;
  }
  await checkFleetPage({ work, ask, requests, faults, check, shot });
} finally {
  browser.kill();
  server?.kill();
  await wait(500);
  rmSync(work, { recursive: true, force: true, maxRetries: 5 });
}
process.exitCode = failures > 0 ? 1 : 0;
