// A fleet's page as people see it: lines as a server writes them, the command that makes the page, a phone and a screen, light and dark.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [NODES, ROUNDS] = [12, 20];
const LABELS = ['apple', 'bicycle', 'cat', 'house', 'star', 'tree', 'umbrella', 'alabelwithaverylongnamethatneverendsandhasnospace'];
const WIDTHS = [360, 1280];

/** Lines and options of a run that never was, in a folder as the server app leaves it. */
function writeRun(folder) {
  mkdirSync(folder, { recursive: true });
  const rise = (round, from, to) => to - (to - from) * Math.exp(-round / 4);
  const names = Array.from({ length: NODES }, (_, i) =>
    i === 4 ? 'greenhouse-north-wall-second-shelf-by-the-window-of-the-old-tank' : `board-${i + 1}`,
  );
  const lines = [];
  const tell = (round, phase, seconds, nodes, more = {}) => {
    const sum = (key) => nodes.reduce((n, node) => n + node[key], 0);
    lines.push({ round, phase, seconds, nodes, traffic: { down: sum('down'), up: sum('up') }, fell: [], refused: [], ...more });
  };
  const each = (what) => names.map((name, i) => ({ name, examples: 30 + 7 * i, down: 424, up: 946, ...what(i) }));
  tell(
    0,
    'query',
    2.5,
    each(() => ({})),
  );
  for (let round = 0; round <= ROUNDS; round++) {
    const learnt = each((i) => ({
      loss: rise(round, 1.6, 0.05),
      accuracy: rise(round, 0.6, 0.99),
      seconds: 9 + i,
      down: 51000,
      up: 52000 + i,
    }));
    const is = round > 5 && round < 9;
    const fell = is ? [{ name: names[2], why: 'no answer within 600 s' }] : [];
    const refused =
      round === 11 ? [{ name: names[4], why: `${names[4]}: array adapter has NaN or infinite numbers, its update is left out` }] : [];
    const here = learnt.filter((_, i) => !(is && i === 2) && !(round === 11 && i === 4));
    if (round > 0)
      tell(round, 'train', 14.2, here, { mean: { loss: rise(round, 1.6, 0.05), accuracy: rise(round, 0.6, 0.99) }, fell, refused });
    const judged = each((i) => ({
      examples: 8 + i,
      loss: 0.3,
      accuracy: Math.round((8 + i) * rise(round, 0.4, 0.95 - 0.01 * i)) / (8 + i),
      down: 900,
      up: 980,
    }));
    const count = judged.reduce((n, { examples }) => n + examples, 0);
    const accuracy = judged.reduce((n, { examples, accuracy: a }) => n + examples * a, 0) / count;
    tell(round, 'evaluate', 4.1, judged, {
      mean: { loss: 0.3, accuracy },
      labels: Object.fromEntries(LABELS.map((label, i) => [label, [20 - i, 22]])),
    });
  }
  writeFileSync(join(folder, 'metrics.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const options = {
    fleet: 'greenhouse',
    out: '/home/me/fleet/greenhouse/with/a/long/path/to/it',
    strategy: 'fedprox',
    rounds: ROUNDS,
    epochs: 2,
    rate: '0.4x',
    prox: 0.01,
    'keep-rounds': true,
  };
  writeFileSync(join(folder, 'options.json'), JSON.stringify(options));
}

/**
 * @param {{ work: string, ask: (method: string, params?: object) => Promise<any>, requests: string[], faults: string[],
 *   check: (what: string, isRight: boolean, got?: string) => void, shot: (name: string) => Promise<void> }} tools
 */
export async function checkFleetPage({ work, ask, requests, faults, check, shot }) {
  const folder = join(work, 'fleet');
  writeRun(folder);
  const file = join(work, 'fleet.html');
  execFileSync(process.execPath, ['dist/s2a.js', 'fleet', 'status', folder, '--report', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  const run = async (expression) => (await ask('Runtime.evaluate', { expression, returnByValue: true })).result.value;
  await ask('Network.enable');
  const url = pathToFileURL(file).href;
  const papers = new Set();
  for (const width of WIDTHS)
    for (const scheme of ['light', 'dark']) {
      await ask('Emulation.setDeviceMetricsOverride', { width, height: 800, deviceScaleFactor: width < 600 ? 2 : 1, mobile: width < 600 });
      await ask('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
      requests.length = 0;
      await ask('Page.navigate', { url });
      for (let i = 0; i < 100 && (await run('location.href + document.readyState')) !== `${url}complete`; i++)
        await new Promise((done) => setTimeout(done, 50));
      const where = `a fleet's page, ${width} px, ${scheme}`;
      check(`${where}: is there`, (await run('document.title')) === 'Fleet greenhouse');
      const wide = await run('document.documentElement.scrollWidth');
      check(`${where}: nothing is wider than the screen`, wide <= width, `${wide} px`);
      const scrolled = await run(
        "[...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.parentElement.querySelector('h2').textContent + ': ' + one.scrollWidth + ' of ' + one.clientWidth).join('; ')",
      );
      check(`${where}: no table needs sideways scrolling`, scrolled === '', scrolled || undefined);
      const others = requests.filter((one) => one !== url && !one.startsWith('data:'));
      check(`${where}: nothing is asked of the network`, requests.length > 0 && others.length === 0, others.join(' ') || undefined);
      papers.add(await run('getComputedStyle(document.body).backgroundColor'));
      await shot(`fleet-${width}-${scheme}`);
    }
  check("a fleet's page is light or dark as the reader's machine is", papers.size === 2, [...papers].join(' and '));
  check("nothing went wrong in a fleet's page", faults.length === 0, faults.join('; ') || undefined);
}
