// A cell of the experiment, network x task x method, as the job that the library is given.
import { inDepth } from '../../tools/builtin.mjs';
import { NETWORKS } from './models.mjs';
import { TASKS } from './tasks.mjs';

/** Pictures in a step. */
const BATCH = 8;

/** The run of a cell at a rate: `options` are the job's (a rate, how much is kept); `set` overrides everything. */
export function runOf({ network, task, method }, { seed, dev = false, options = {}, set = {} }) {
  const { side, epochs, depth, lora } = NETWORKS[network];
  const recipe = { imageSize: side, epochs: TASKS[task].large ? Math.ceil(epochs / 2) : epochs, batchSize: BATCH };
  const text = inDepth(method === 'lora' ? lora : method, depth);
  return { network, task, dev, seed, job: { method: text, seed, ...recipe, ...options, ...set } };
}

export const valOf = ({ epochs, bestEpoch }) => epochs[bestEpoch - 1].val;
export const testOf = ({ right }) => {
  const list = Object.values(right);
  return list.reduce((a, b) => a + b, 0) / list.length;
};
