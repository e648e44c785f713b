/** Two pictures in one, whatever a pass has of the batch: the same pairs, the same bytes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { History } from '../../src/training/history.ts';
import { type Samples, startRun, TRAIN_DEFAULTS, train } from '../../src/training/train.ts';
import { compileNetwork, load, network, newEngine, randomHead } from '../support/network.ts';

const VIT = network('vit-hf');
const SIZE = VIT.values.bytes('images').length / VIT.values.get('labels').length;

/** Pictures whose pixels are functions of their number. */
const samples = (count: number): Samples => ({
  count,
  label: (i) => i % 3,
  readInto: (i, target) => void target.set(Uint8Array.from({ length: SIZE }, (_, k) => (k * (i + 3) * 7 + i * 31) & 255)),
});

/** The loss of every picture that is learnt from, in the order of two epochs, with nothing learnt meanwhile; and the last step's gradient norm. */
async function losses(microBatch: number, batchSize: number, count: number): Promise<{ all: number[]; norm: number }> {
  const augment = { shift: 2, flip: true, erase: 0.3, mixup: 0.45, cutmix: 0.45 };
  const { program } = compileNetwork(VIT, { microBatch, augment, method: 'bias' });
  const engine = newEngine(program);
  load(engine, VIT);
  randomHead(engine);
  const options = { ...TRAIN_DEFAULTS, rate: 0, epochs: 2, batchSize, weightDecay: 0, smoothing: 0.1, seed: 5 };
  startRun(engine, options, count);
  const all: number[] = [];
  let position = 0;
  const take = (): boolean => {
    const now = engine.state.getUint32(State.Position, true);
    if (now > position) all.push(...engine.floats(Io.Losses).subarray(0, now - position));
    position = now === count ? 0 : now;
    return false;
  };
  let norm = 0;
  await train(engine, { train: samples(count), val: samples(1) }, options, new History(), {
    stopping: take,
    onStep: (event) => {
      norm = event.norm;
    },
  });
  await engine.close();
  return { all, norm };
}

test('micro-batches of 1, 2, 4 and 8: the same mixed pictures, to the byte, and the same update up to the order of sums', async () => {
  // A last batch of five: its last picture has no partner.
  const whole = await losses(8, 8, 13);
  assert.is(whole.all.length, 26);
  assert.is(new Set(whole.all).size > 20, true);
  for (const microBatch of [1, 2, 4]) {
    const got = await losses(microBatch, 8, 13);
    assert.equal(got.all, whole.all, `micro-batch ${microBatch}`);
    assert.ok(Math.abs(got.norm / whole.norm - 1) < 1e-4, `${got.norm} ${whole.norm}`);
  }
});

test('odd batches too', async () => {
  const whole = await losses(9, 9, 11);
  for (const microBatch of [1, 3]) assert.equal((await losses(microBatch, 9, 11)).all, whole.all, `micro-batch ${microBatch}`);
});

test.run();
