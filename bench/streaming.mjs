// What weights that stay in a file cost: the pass of a bias step over streamed weights beside the same over resident ones, by turns in one process, one thread:
//
//     node bench/streaming.mjs [vit-base …] [--micro-batch 8,1] [--weights int8] [--rounds 3] [--budget 16MiB]
//
// The file lies in build/bench, in the system's page cache after the first pass. Every read is waited for, as on one thread that has nothing else to do
// (engine.run); a training run reads ahead where its window is a block or a layer. Processor time, the fastest of rounds: it counts the copying, not a medium's waits.
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { processorTime } from './clock.mjs';
import { openNetwork, sources } from './network.mjs';

const { values, positionals } = parseArgs({
  options: {
    'micro-batch': { type: 'string', default: '8,1' },
    weights: { type: 'string', default: 'int8' },
    rounds: { type: 'string', default: '3' },
    budget: { type: 'string' },
  },
  allowPositionals: true,
});
/** Most that a streamed pass may cost over a resident one. */
const LIMITS = { 8: 1.05, 1: 1.15 };
const source = await sources();
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
let missed = 0;
for (const name of positionals.length > 0 ? positionals : ['vit-base'])
  for (const microBatch of values['micro-batch'].split(',').map(Number)) {
    const stored = `build/bench/${name}.s2aw`;
    const job = { batch: microBatch, microBatch };
    const limit = values.budget === undefined ? {} : { budgetBytes: source.parseBytes(values.budget, '--budget') };
    const resident = openNetwork(source, name, { ...job, weights: values.weights });
    const streamed = openNetwork(source, name, { ...job, ...limit, weights: `${values.weights},stream`, stored });
    const times = [resident, streamed].map(() => Infinity);
    for (let round = 0; round <= Number(values.rounds); round++)
      for (const [i, { engine }] of [resident, streamed].entries()) {
        const began = processorTime();
        engine.run('train');
        if (round > 0) times[i] = Math.min(times[i], processorTime() - began);
      }
    const ratio = times[1] / times[0];
    const most = LIMITS[microBatch];
    const isMissed = most !== undefined && ratio > most;
    if (isMissed) missed++;
    console.log(
      `${name} ${values.weights}, passes of ${microBatch}: streamed ÷ resident ${ratio.toFixed(3)}${most === undefined ? '' : ` (≤ ${most}${isMissed ? ', MISSED' : ''})`}; ` +
        `${times.map((ms) => ms.toFixed(0)).join(' and ')} ms; ${mib(resident.program.linearBytes)} and ${mib(streamed.program.linearBytes)}, window ${streamed.chosen.streaming.window}`,
    );
    await Promise.all([resident.engine.close(), streamed.engine.close()]);
    rmSync(stored, { force: true });
  }
process.exit(missed > 0 ? 1 : 0);
