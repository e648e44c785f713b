// Times whole steps of several networks side by side.
import { processorTime } from './clock.mjs';
import { instructions } from './network.mjs';

/** Instructions that are timed together. */
const CHUNK = 8;

/** A step in chunks of instructions, each with how often a step runs it and its fastest time in ms so far. */
function chunksOf(network, source) {
  return ['train', 'update'].flatMap((phase) => {
    const list = instructions(network, phase, source);
    const times = phase === 'train' ? network.passes : 1;
    return list
      .filter((_, i) => i % CHUNK === 0)
      .map((from, i) => ({ start: from.start, end: (list[(i + 1) * CHUNK - 1] ?? list.at(-1)).end, times, best: Infinity }));
  });
}

/**
 * Milliseconds of a step of each network (openNetwork's): a chunk of one, a chunk of the next, and so on to the end, some rounds over after
 * one that does not count; the fastest times are summed. So all see the same moments of a busy machine.
 */
export function timeSteps(networks, rounds, source) {
  const runs = networks.map((network) => ({ network, chunks: chunksOf(network, source) }));
  for (let round = -1; round < rounds; round++)
    for (let i = 0; runs.some(({ chunks }) => i < chunks.length); i++)
      for (const { network, chunks } of runs) {
        const chunk = chunks[i];
        if (chunk === undefined) continue;
        const began = processorTime();
        const status = network.walk(chunk.start, chunk.end);
        const spent = processorTime() - began;
        if (status !== 0) throw new Error(`${network.name}: status ${status}`);
        if (round >= 0) chunk.best = Math.min(chunk.best, spent);
      }
  return runs.map(({ chunks }) => chunks.reduce((sum, { best, times }) => sum + best * times, 0));
}
