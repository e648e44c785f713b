// How long the page takes: processor time of a run by cell, from the runs that are there (of any build), and of all that the page asks for.
import { runOf } from './cell.mjs';
import { KEPT, SEEDS } from './plan.mjs';
import { allAnswers } from './store.mjs';

/** A climb of the grid tries some four rates; the best has run with the first seed then. */
const runsOf = ({ method }) => 4 + (SEEDS.length - 1) + SEEDS.length + (method === KEPT ? SEEDS.length : 0);

export function estimate(cells) {
  const seconds = new Map();
  const about = ({ network, task, job }) => JSON.stringify([network, task, job.method, job.epochs, job.imageSize]);
  for (const { run, answer } of allAnswers()) seconds.set(about(run), [...(seconds.get(about(run)) ?? []), answer.cpuSeconds]);
  let total = 0;
  let unknown = 0;
  for (const cell of cells) {
    const list = seconds.get(about(runOf(cell, { seed: 1 })));
    // The least of them: other work on the machine only adds.
    const one = list && Math.min(...list);
    const name = `${cell.network} / ${cell.task} / ${cell.method}`;
    process.stdout.write(`${name.padEnd(56)} ${one === undefined ? '     ?' : one.toFixed(1).padStart(6)} s a run, ${runsOf(cell)} runs\n`);
    if (one === undefined) unknown++;
    else total += one * runsOf(cell);
  }
  process.stdout.write(`${(total / 3600).toFixed(2)} core-hours${unknown > 0 ? `, and ${unknown} cells of which no run is there` : ''}\n`);
}
