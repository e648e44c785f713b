// Trials of rates: a table on the terminal, a line for each cell and rate.
import { percent } from '../statistics.mjs';
import { runOf, testOf, valOf } from './cell.mjs';

const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
const COLUMNS = ['network / task / method', 'rate', 'val', 'loss', 'test', 'loss', 'most named', 'best epoch', 's', ''];
const WIDTHS = [50, 12, 8, 7, 8, 7, 10, 10, 6, 0];
const line = (list) => list.map((text, i) => (i < 2 ? String(text).padEnd(WIDTHS[i]) : String(text).padStart(WIDTHS[i]))).join(' ');

export async function trials(cells, { store, rates, seeds, set, dev }) {
  process.stdout.write(`${line(COLUMNS)}\n`);
  for (const cell of cells)
    await Promise.all(
      rates.map(async ({ text, options }) => {
        const answers = await Promise.all(seeds.map((seed) => store.done(runOf(cell, { seed, dev, options, set }))));
        const name = `${cell.network} / ${cell.task} / ${cell.method}`;
        process.stdout.write(`${line([name, text, ...figures(answers)])}\n`);
      }),
    );
}

/** Means over the seeds; where there are several, each one's test accuracy at the end. */
function figures(answers) {
  const vals = answers.map(valOf);
  const most = answers.map(({ answers: named }) => {
    const counts = Object.values(named);
    return Math.max(...counts) / counts.reduce((a, b) => a + b, 0);
  });
  return [
    percent(mean(vals.map(({ correct, count }) => correct / count))),
    mean(vals.map(({ loss, count }) => loss / count)).toFixed(3),
    percent(mean(answers.map(testOf))),
    mean(answers.map(({ testLoss }) => testLoss)).toFixed(3),
    percent(mean(most)),
    answers.map(({ bestEpoch, epochs }) => `${bestEpoch}/${epochs.length}`).join(' '),
    mean(answers.map(({ cpuSeconds }) => cpuSeconds)).toFixed(1),
    answers.length > 1 ? answers.map((answer) => percent(testOf(answer))).join(', ') : '',
  ];
}
