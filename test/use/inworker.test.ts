/** A run in a thread of its own: the same bytes, the same events, errors of the same classes, and the caller's event loop does not wait. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as s2a from '../../src/index.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

const data = pictureFolder({ train: 4, val: 2 });
const job = (more: object = {}): s2a.TrainJob => ({
  ...{ model: 'test/golden/vit-timm-gap', data, out: join(newFolder(), 'out'), epochs: 2, batchSize: 4, method: 'bias', threads: 1 },
  ...more,
});
const bytesOf = (folder: string): Buffer => readFileSync(join(folder, 'adapter_model.safetensors'));
/** Everything that a hook is told, in order. Times are the machine's. */
function record(told: unknown[]): s2a.WorkerHooks {
  const plain = (event: unknown): unknown =>
    JSON.parse(JSON.stringify(event, (key, value) => (/ms|seconds/i.test(key) ? undefined : value)));
  return {
    onPlan: (plan) => told.push(['plan', plan.linearBytes]),
    onPrepare: (event) => told.push(['prepare', plain(event)]),
    onStart: (event) => told.push(['start', plain(event)]),
    onStep: (event) => told.push(['step', plain(event)]),
    onEpoch: (event) => told.push(['epoch', plain(event)]),
    warn: (sentence) => told.push(['warn', sentence]),
  };
}

test('the adapter and the events are those of trainJob', async () => {
  const told: [unknown[], unknown[]] = [[], []];
  const outs = [job(), job()] as const;
  const here = await s2a.trainJob(outs[0], record(told[0]));
  const there = await s2a.trainInWorker(outs[1], record(told[1]));
  assert.equal(bytesOf(outs[1].out), bytesOf(outs[0].out));
  assert.equal(there.accuracy, here.accuracy);
  assert.equal(there.classes, here.classes);
  assert.ok(told[0].length > 8);
  assert.equal(told[1], told[0]);
});

test('the event loop has its turns, whatever a run does', async () => {
  let longest = 0;
  let before = performance.now();
  const clock = setInterval(() => {
    longest = Math.max(longest, performance.now() - before);
    before = performance.now();
  }, 1);
  const times: number[] = [];
  await s2a.trainInWorker(job(), { onStep: () => times.push(performance.now()) });
  clearInterval(clock);
  assert.ok(times.length > 0);
  // What this thread does itself is a few clones. A neighbour on the same core takes the rest.
  assert.ok(longest < 500, `${longest} ms`);
});

test('errors keep their class, code and parts', async () => {
  const refused = async (more: object): Promise<s2a.S2aError> => {
    const [here, there] = await Promise.all([s2a.trainJob, s2a.trainInWorker].map((run) => run(job(more)).catch((e: unknown) => e)));
    assert.instance(here, s2a.S2aError);
    assert.is((there as Error).constructor, (here as Error).constructor);
    for (const name of ['code', 'exitCode', 'parts', 'message', 'smallestBytes'] as const)
      assert.equal((there as s2a.BudgetError)[name], (here as s2a.BudgetError)[name], name);
    return there as s2a.S2aError;
  };
  const budget = await refused({ budget: '300KiB' });
  assert.instance(budget, s2a.BudgetError);
  assert.ok((budget as s2a.BudgetError).smallestBytes > 300 << 10);
  assert.match((await refused({ model: '/nowhere' })).where, '/nowhere');
  assert.is((await refused({ epochs: 0.5 })).where, 'epochs');
  assert.match((await refused({ threads: 1, from: '/nowhere' })).message, '/nowhere');
});

test('signal ends it, saved; a hook that throws does so too, and is thrown', async () => {
  const stop = new AbortController();
  const run = job({ epochs: 50 });
  let steps = 0;
  const error = await s2a
    .trainInWorker(run, {
      signal: stop.signal,
      onStep: () => {
        steps++;
        stop.abort();
      },
    })
    .catch((e: unknown) => e);
  assert.instance(error, s2a.Interrupted);
  assert.ok(steps < 200);
  const again = await s2a
    .trainInWorker(
      { ...run, resume: true },
      {
        onStart: ({ resumedAt }) => {
          assert.ok(resumedAt! > 0);
          throw new Error('mine');
        },
      },
    )
    .catch((e: unknown) => e);
  assert.is((again as Error).message, 'mine');
  // At the last event too, when the run may have ended well before it hears of it.
  const onEpoch = (): void => {
    throw new Error('late');
  };
  const late = await s2a.trainInWorker(job({ epochs: 1 }), { onEpoch }).catch((e: unknown) => e);
  assert.is((late as Error).message, 'late');
});

test('an unknown hook, and one whose event cannot leave the thread, are refused', async () => {
  for (const name of ['stopping', 'onPrepared', 'onSteps']) {
    const error = await s2a.trainInWorker(job(), { [name]: () => {} }).catch((e: unknown) => e);
    assert.match((error as Error).message, `${name}: unknown option of the hooks of trainInWorker`);
  }
});

test.run();
