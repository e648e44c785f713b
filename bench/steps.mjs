// Whole training steps, bias tuning at batch 8 and 224×224, one thread: s2a beside exact, and PyTorch's beside both.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { openNetwork, sources } from './network.mjs';

export const MODELS = ['vit-tiny', 'mobilenetv2'];

/**
 * Milliseconds of a step: { 's2a': ms, 'exact': ms }, best of `rounds`. A step is run pass by pass, the two policies by turns, and each
 * pass counts with its fastest time, so both see the same moments of a busy machine.
 */
export async function measureSteps(name, { rounds = 5, batch = 8 } = {}) {
  const source = await sources();
  const policies = ['s2a', 'exact'];
  const networks = policies.map((keep) => openNetwork(source, name, { batch, keep }));
  const passes = networks.map(({ engine }) => ({ train: () => engine.run('train'), update: () => engine.run('update') }));
  const best = policies.map(() => ({ train: Infinity, update: Infinity }));
  for (let round = -1; round < rounds; round++)
    for (const phase of ['train', 'update'])
      for (const i of policies.keys()) {
        const began = performance.now();
        passes[i][phase]();
        if (round >= 0) best[i][phase] = Math.min(best[i][phase], performance.now() - began);
      }
  const ms = Object.fromEntries(policies.map((keep, i) => [keep, best[i].train * networks[i].passes + best[i].update]));
  return { ...ms, microBatch: networks[0].program.about.microBatch, linearBytes: networks[0].program.linearBytes };
}

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
  return JSON.parse(out.trim().split('\n').at(-1));
}
