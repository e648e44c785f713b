// What the page asks of every cell, network x task x method: the product's defaults beside the best of the grid. The grid is climbed on the
// first seed, chosen by validation alone; the best and the defaults are then run with every seed.
import { climb } from '../rates.mjs';
import { runOf, valOf } from './cell.mjs';
import { GRID, STARTS } from './choose.mjs';

export const SEEDS = [1, 2, 3];
/** The method that is run under both policies of what is kept. */
export const KEPT = 'bias+prompt+side';

class Missing extends Error {}

const validation = (answer) => {
  const { correct, count, loss } = valOf(answer);
  return { accuracy: correct / count, loss: loss / count };
};

/** `{ cell, defaults, best: { rate, tried, answers }, exact, runs }`, `runs` all that were made; what is not there, and why, in `missing`. `run`: false only looks. */
export async function measure(cell, store, run) {
  const missing = [];
  const runs = [];
  const ask = async (seed, options) => {
    const wish = runOf(cell, { seed, options });
    const answer = run ? await store.done(wish) : store.stored(wish);
    if (!answer) throw new Missing('not run');
    runs.push(answer);
    return answer;
  };
  const part = async (name, work) => {
    try {
      return await work();
    } catch (error) {
      missing.push(`${name}: ${error.message.trim().split('\n').at(-1)}`);
      if (!(error instanceof Missing)) process.stderr.write(`${error.message}\n`);
    }
  };
  const seeds = (options) => Promise.all(SEEDS.map((seed) => ask(seed, options)));
  const defaults = await part('defaults', () => seeds({}));
  const best = await part('grid', async () => {
    const { best: rate, tried } = await climb(GRID, STARTS[cell.method], async (r) => validation(await ask(1, { rate: r })));
    return { rate, tried, answers: await seeds({ rate }) };
  });
  const exact = cell.method === KEPT && best ? await part('exact', () => seeds({ rate: best.rate, keep: 'exact' })) : undefined;
  return { cell, defaults, best, exact, runs, missing };
}
