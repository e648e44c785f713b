/** The training loop as a state machine: what it asks for, in order, of a host that only counts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CheckpointHead as Head } from '../../../assembly/abi/checkpoint.ts';
import { State } from '../../../assembly/abi/head.ts';
import { Astray } from '../../../assembly/abi/watch.ts';
import { countClass } from '../../../assembly/runner/classes.ts';
import { Part, Run, Want } from '../../../assembly/runner/run.ts';
import { beginJudging, beginMeasuring, beginRun, fail, interrupt, next } from '../../../assembly/runner/runner.ts';
import { wordsOf } from '../../../src/base/words.ts';
import { History } from '../../../src/training/history.ts';

const LABELS_AT = 256;
const CHOICES_AT = 512;
const WEIGHTS_AT = 896;
const CLASSES = 3;

interface Bench {
  run: Run;
  history: History;
  state: DataView;
}

/** A run over its own 1 KiB of arena, which has no update to clear and one parameter. */
function bench(settings: Partial<Run>): Bench {
  const state = new DataView(new ArrayBuffer(1024));
  const table = new DataView(new ArrayBuffer(16 * CLASSES));
  const history = new History();
  const given = { epochs: 2, batchSize: 4, microBatch: 2, classes: CLASSES, train: 5, val: 3, retries: 2, ...settings };
  const memory = { arena: wordsOf(() => state), own: history.words, counts: wordsOf(() => table) };
  const run = Object.assign(new Run(), memory, { labelsAt: LABELS_AT, choicesAt: CHOICES_AT, parametersAt: 768, parameterBytes: 4 }, given);
  state.setFloat32(State.BaseRate, 1, true);
  for (let i = 0; i < run.train; i++) countClass(run, Part.Learn, i % CLASSES);
  for (let i = 0; i < run.val; i++) countClass(run, Part.Judge, i % CLASSES);
  return { run, history, state };
}

/** Does what is wanted as an engine would: every picture has this loss; judged ones are all right, or all answered with class 0. */
function serve({ run, state }: Bench, want: Want, loss: number, isRight: boolean): void {
  const tally = (correct: number): void => {
    state.setFloat64(State.LossSum, state.getFloat64(State.LossSum, true) + run.rows * loss, true);
    state.setInt32(State.Correct, state.getInt32(State.Correct, true) + correct, true);
    state.setInt32(State.Count, state.getInt32(State.Count, true) + run.rows, true);
  };
  if (want === Want.Weigh) for (let row = 0; row < run.rows; row++) state.setInt32(LABELS_AT + 4 * row, (run.first + row) % CLASSES, true);
  if (want === Want.Learn) tally(0);
  if (want === Want.Update) state.setInt32(State.Step, state.getInt32(State.Step, true) + 1, true);
  if (want !== Want.Judge) return;
  for (let row = 0; row < run.rows; row++) {
    const label = (run.first + row) % CLASSES;
    state.setInt32(LABELS_AT + 4 * row, label, true);
    state.setInt32(CHOICES_AT + 4 * row, isRight ? label : 0, true);
  }
  tally(isRight ? run.rows : 0);
}

const NAMES: Readonly<Record<Want, string>> = {
  ...{ [Want.Done]: 'done', [Want.Learn]: 'learn', [Want.Update]: 'update', [Want.Judge]: 'judge', [Want.Step]: 'step' },
  ...{ [Want.KeepBest]: 'best', [Want.Epoch]: 'epoch', [Want.Save]: 'save', [Want.Restore]: 'restore', [Want.Back]: 'back' },
  ...{ [Want.Measure]: 'measure', [Want.SetRates]: 'rates', [Want.Unsound]: 'unsound', [Want.Weigh]: 'weigh' },
};

/** All that is wanted, pictures as `first+rows`; `lossOf`: by epoch. */
function all(made: Bench, lossOf = (_epoch: number): number => 0.1, isRight = true): string {
  const said: string[] = [];
  for (let want = next(made.run); want !== Want.Done && said.length < 200; want = next(made.run)) {
    serve(made, want, lossOf(made.run.epoch), isRight);
    const hasRows = want === Want.Weigh || want === Want.Learn || want === Want.Judge || want === Want.Measure;
    said.push(hasRows ? `${NAMES[want]} ${made.run.first}+${made.run.rows}` : NAMES[want]);
    if (want === Want.Unsound) break;
  }
  return said.join(', ');
}

const EPOCH = 'learn 0+2, learn 2+2, update, step, learn 4+1, update, step, judge 0+2, judge 2+1';

test('passes fill batches, the last of an epoch is what is left; the first epoch is the best until another is better', () => {
  const made = bench({});
  beginRun(made.run);
  assert.is(all(made), `${EPOCH}, best, epoch, ${EPOCH}, epoch`);
  assert.is(made.history.epochs.length, 2);
  assert.is(made.history.bestEpoch, 1, 'the second was no better');
  assert.equal(made.history.epoch(1).val, { lossSum: 3 * 0.1, correct: 3, count: 3 });
  assert.is(made.history.epoch(0).judged.answers, 3);
  assert.ok(Math.abs(made.history.firstLoss - 0.1) < 1e-7);
});

test('classes that weigh: the labels of a batch are asked for before its first pass, and the mean is divided by their weights', () => {
  const made = bench({ epochs: 1, weightsAt: WEIGHTS_AT });
  for (const [c, weight] of [1, 2, 4].entries()) made.state.setFloat32(WEIGHTS_AT + 4 * c, weight, true);
  beginRun(made.run);
  const scales: number[] = [];
  const said: string[] = [];
  for (let want = next(made.run); want !== Want.Judge; want = next(made.run)) {
    serve(made, want, 0.1, true);
    said.push(`${NAMES[want]} ${made.run.first}+${made.run.rows}`);
    if (want === Want.Learn) scales.push(made.state.getFloat32(State.LossScale, true));
  }
  assert.is(said.filter((text) => /weigh|learn/.test(text)).join(', '), 'weigh 0+2, weigh 2+2, learn 0+2, learn 2+2, weigh 4+1, learn 4+1');
  // Labels 0 1 2 0, then 1.
  assert.equal(scales, [1 / 8, 1 / 8, 1 / 2]);
  // Sums of 0.4 and 0.1: means of 0.4/8 over four pictures and 0.1/2 over one.
  assert.ok(Math.abs(made.history.epochTally.lossSum - (4 * 0.05 + 0.05)) < 1e-9);
  // Weights 1, 2, 4 of 2, 2 and 1 pictures: the entropy of 2, 4 and 4 tenths.
  assert.ok(Math.abs(made.run.trainConstant - (0.2 * Math.log(5) + 0.8 * Math.log(2.5))) < 1e-9);
});

test('weights of nothing, which a damaged program may hold, do not keep a run asking for labels', () => {
  for (const weight of [0, -1, Number.NaN]) {
    const made = bench({ epochs: 1, weightsAt: WEIGHTS_AT });
    for (let c = 0; c < CLASSES; c++) made.state.setFloat32(WEIGHTS_AT + 4 * c, weight, true);
    beginRun(made.run);
    for (const wanted of [Want.Weigh, Want.Weigh, Want.Learn]) {
      const want = next(made.run);
      assert.is(want, wanted);
      serve(made, want, 0.1, true);
    }
  }
});

test('the partner that a pass of an odd number of pictures lacks is its neighbour in the batch', () => {
  const partners = (settings: Partial<Run>): number[] => {
    const made = bench({ epochs: 1, ...settings });
    beginRun(made.run);
    const list: number[] = [];
    for (let want = next(made.run); want !== Want.Done; want = next(made.run)) {
      if (want === Want.Learn) list.push(made.run.partner);
      serve(made, want, 0.1, true);
    }
    return list;
  };
  assert.equal(partners({ microBatch: 1 }), [1, 0, 3, 2, -1]);
  assert.equal(partners({ microBatch: 3, batchSize: 9, train: 14 }), [3, 2, -1, 12, 11]);
  assert.equal(partners({ microBatch: 2 }), [-1, -1, -1]);
});

test('a smaller loss with as many right is better; patience ends the run', () => {
  const made = bench({ epochs: 9, patience: 2 });
  beginRun(made.run);
  all(made, (epoch) => (epoch === 1 ? 0.05 : 0.1));
  assert.is(made.history.bestEpoch, 2);
  assert.is(made.history.epochs.length, 4);
});

test('checkpoints are wanted after every so many steps, at the end of an epoch behind what is kept and told', () => {
  const made = bench({ epochs: 1, saveEvery: 1 });
  beginRun(made.run);
  const [first, second] = ['learn 0+2, learn 2+2, update, step, save', 'learn 4+1, update, step'];
  assert.is(all(made), `${first}, ${second}, judge 0+2, judge 2+1, best, epoch, save`);
});

test('stopped at any Learn or Judge it goes on from its memory as if nothing had happened', () => {
  const whole = bench({});
  beginRun(whole.run);
  all(whole);
  for (let stop = 1; stop < 20; stop++) {
    const made = bench({});
    beginRun(made.run);
    let asked = 0;
    let want = next(made.run);
    for (; want !== Want.Done; want = next(made.run)) {
      if ((want === Want.Learn || want === Want.Judge) && ++asked === stop) break;
      serve(made, want, 0.1, true);
    }
    if (want === Want.Done) break;
    interrupt(made.run);
    // A run that knows nothing but the region and the head.
    const again = bench({});
    again.run.arena = made.run.arena;
    again.run.own = new History(made.history.bytes.slice() as Uint8Array<ArrayBuffer>).words;
    beginRun(again.run);
    all({ ...again, state: made.state });
    const bytes = (run: Run): number[] => Array.from({ length: Head.Bytes + 128 }, (_, at) => run.own.u8(at));
    assert.equal(bytes(again.run), bytes(whole.run), `stopped at ${stop}`);
  }
});

test('numbers that are not finite: back to the start with a tenth of the rate, twice at most', () => {
  const made = bench({ epochs: 1 });
  beginRun(made.run);
  for (let time = 1; time <= 2; time++) {
    assert.is(next(made.run), Want.Learn);
    assert.is(fail(made.run), true);
    assert.equal([next(made.run), made.run.to, made.run.reason], [Want.Restore, 0, Astray.NotFinite]);
    assert.equal([next(made.run), next(made.run)], [Want.Save, Want.Back]);
    assert.is(made.history.backs, time);
    assert.ok(Math.abs(made.state.getFloat32(State.BaseRate, true) - 0.1 ** time) < 1e-7);
  }
  next(made.run);
  assert.is(fail(made.run), false, 'the host ends it');
});

test('one answer for all and a loss above its start: back to the best epoch that had learnt', () => {
  const made = bench({ epochs: 20, batchSize: 1, microBatch: 1, train: 6, val: 3 });
  beginRun(made.run);
  // Two epochs learn, then two in a row do not: the first of them may pass.
  const said: number[] = [];
  for (let want = next(made.run); said.length === 0; want = next(made.run)) {
    const { epoch } = made.run;
    serve(made, want, epoch < 2 ? 0.1 : 9, epoch < 2);
    if (want === Want.Back) said.push(made.run.epoch, made.run.to, made.run.reason);
  }
  assert.equal(said, [3, 1, Astray.Loss]);
  assert.is(made.history.epochs.length, 1, 'what came after is forgotten');
});

test('nothing to judge by: the last epoch is kept, and what the last step made is looked at', () => {
  const made = bench({ val: 0, epochs: 1 });
  beginRun(made.run);
  const learnt = EPOCH.slice(0, EPOCH.indexOf(', judge'));
  assert.is(all(made), `${learnt}, epoch`);
  const broken = bench({ val: 0, epochs: 1, retries: 0 });
  broken.state.setFloat32(768, Number.NaN, true);
  beginRun(broken.run);
  assert.is(all(broken), `${learnt}, unsound`);
});

test('judging alone, and measuring before the first step', () => {
  const made = bench({});
  beginJudging(made.run);
  assert.is(
    all(made, () => 2),
    'judge 0+2, judge 2+1',
  );
  assert.equal([made.run.loss, made.run.correct, made.run.count], [6, 3, 3]);
  const measured = bench({ microBatch: 12, batchSize: 12 });
  beginMeasuring(measured.run);
  assert.is(all(measured), 'measure 0+12, measure 12+12, measure 24+12, rates');
  assert.is(measured.state.getInt32(State.Measured, true), 0);
});

test.run();
