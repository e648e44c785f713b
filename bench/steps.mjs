// Whole training steps, bias tuning at batch 8 and 224×224, one thread: s2a beside exact, and PyTorch's beside both.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { processorTime } from './clock.mjs';
import { timeSteps } from './interleaved.mjs';
import { openNetwork, sources } from './network.mjs';

export const MODELS = ['vit-tiny', 'mobilenetv2'];

/** The fastest of `rounds` steps in ms of processor time; the memory and the passes that the product chose. */
export async function measureStep(name, { rounds = 5, batch = 8 } = {}) {
  const { engine, passes, program } = openNetwork(await sources(), name, { batch });
  const timed = (phase) => {
    const began = processorTime();
    engine.run(phase);
    return processorTime() - began;
  };
  const best = { train: timed('train'), update: timed('update') };
  for (let round = 0; round < rounds; round++) for (const phase of ['train', 'update']) best[phase] = Math.min(best[phase], timed(phase));
  return { ms: best.train * passes + best.update, microBatch: program.about.microBatch, linearBytes: program.linearBytes };
}

/** Milliseconds of a step under several values of an option, by value, side by side. */
async function compareSteps(name, option, values, { rounds = 5, batch = 8 } = {}) {
  const source = await sources();
  const networks = values.map((value) => openNetwork(source, name, { batch, [option]: value }));
  const times = timeSteps(networks, rounds, source);
  return Object.fromEntries(values.map((value, i) => [value, times[i]]));
}

/** Milliseconds of a step under both policies, { s2a, exact }. */
export const comparePolicies = (name, options) => compareSteps(name, 'keep', ['s2a', 'exact'], options);

/** Milliseconds of a step over weights of each precision, { f32, int8, int4 }. */
export const comparePrecisions = (name, options) => compareSteps(name, 'weights', ['f32', 'int8', 'int4'], options);

/** The Python that has torch and transformers: $PYTHON, or what lies on the path; undefined where there is none. */
export function findPython() {
  for (const python of [process.env.PYTHON, 'python3', '/usr/bin/python3']) {
    if (!python || (python.includes('/') && !existsSync(python))) continue;
    try {
      execFileSync(python, ['-c', 'import torch, transformers'], { stdio: 'ignore', timeout: 120_000 });
      return python;
    } catch {
      // Not this one.
    }
  }
}

/** What torch-step.py measures of a model, with `hold` as it explains. */
export function torchStep(python, model, hold, steps) {
  const out = execFileSync(
    python,
    [new URL('torch-step.py', import.meta.url).pathname, '--model', model, '--hold', hold, '--steps', String(steps)],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 300_000,
    },
  );
  return JSON.parse(out.trim().split('\n').at(-1) ?? '');
}
