// What tiles cost: a pass of training by turns without tiles, in pieces of rows, and in pieces of pictures too, processor time, one thread:
//   node bench/tiles.mjs [network:pictures:method:size …]   --rounds 6   --rows 256
// By kind: linear memory, the fastest pass and the median one, both over those without tiles.
import { parseArgs } from 'node:util';
import { processorTime } from './clock.mjs';
import { openNetwork, sources } from './network.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '6' }, rows: { type: 'string', default: '256' } },
});
const [rounds, rows] = [Number(values.rounds), Number(values.rows)];
const JOBS = ['mobilenetv2:8', 'mobilenetv2:2', 'mobilenetv2:8:bias:96', 'mobilenetv3:8', 'convnext-tiny:4', 'resnet-50:4'];
const KINDS = { none: { rows: 0 }, rows: { rows, pictures: false }, pictures: { rows, pictures: true } };

const source = await sources();
const quantile = (times, q) => times.toSorted((a, b) => a - b)[Math.floor(q * (times.length - 1))];
for (const job of positionals.length > 0 ? positionals : JOBS) {
  const [name, pictures, method = 'bias', size = '224'] = job.split(':');
  const options = { batch: Number(pictures), microBatch: Number(pictures), method, imageSize: Number(size), recompute: 'none' };
  const runs = Object.entries(KINDS).map(([kind, tiles]) => ({
    kind,
    times: /** @type {number[]} */ ([]),
    ...openNetwork(source, name, { ...options, tiles }),
  }));
  for (let round = -1; round < rounds; round++)
    for (const { engine, times } of round % 2 === 0 ? runs : runs.toReversed()) {
      const began = processorTime();
      engine.run('train');
      if (round >= 0) times.push(processorTime() - began);
    }
  console.log(job);
  for (const { kind, program, times } of runs) {
    const over = (q) => (quantile(times, q) / quantile(runs[0].times, q)).toFixed(3);
    const memory = (program.linearBytes / 2 ** 20).toFixed(1);
    console.log(
      `  ${kind.padEnd(8)}  ${memory.padStart(6)} MiB  ${quantile(times, 0).toFixed(0).padStart(5)} ms  ${over(0)}  median ${over(0.5)}`,
    );
  }
}
