/** Calibrated tables: what is measured, what is fitted, that a run with them is one run, and that they are no worse than the shipped ones. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Kind } from '../../../assembly/generated/kinds.ts';
import { InputError, Interrupted } from '../../../src/base/error.ts';
import { codeOf, fitTable, slopeOf, tableError, weight } from '../../../src/passes/codebook.ts';
import { CALIBRATION, type Calibration, readCalibration, writeCalibration } from '../../../src/training/calibrate/file.ts';
import { count, densityOf, newHistogram } from '../../../src/training/calibrate/histogram.ts';
import { calibrateJob } from '../../../src/training/calibrate/job.ts';
import { type TrainJob, trainJob } from '../../../src/training/job.ts';
import { fidelity } from '../../../src/use/fidelity/fidelity.ts';
import { does, refuses } from '../../cli/command.ts';
import { functions } from '../../oracle/activation.ts';
import { close } from '../../support/close.ts';
import { drawings } from '../../support/drawings.ts';
import { newFolder, refused } from '../../support/folder.ts';
import { spread } from '../../support/spread.ts';

const DATA = drawings(['apple', 'cat', 'fish'], 8);
const CACHE = newFolder();

const NARROW = spread('vit-timm-gap', /mlp\.fc1\./, 0.2);
const job = (out: string, more: Partial<TrainJob> = {}): TrainJob => ({
  ...{ model: NARROW, data: DATA, out, cacheFolder: CACHE, epochs: 2, batchSize: 4, rate: 5e-3 },
  ...more,
});
const bytes = (out: string): string => readFileSync(join(out, 'adapter_model.safetensors')).toString('base64');
const file = (): string => join(newFolder(), 'tables.json');

async function fails(action: Promise<unknown>, ...words: string[]): Promise<void> {
  try {
    await action;
  } catch (error) {
    assert.instance(error, InputError, (error as Error).stack);
    for (const word of words) assert.ok((error as Error).message.includes(word), `“${(error as Error).message}” lacks “${word}”`);
    return;
  }
  assert.unreachable(`nothing was refused; expected: ${words.join(' … ')}`);
}

test('a histogram counts, and its density is one', () => {
  const h = newHistogram();
  count(h, Float32Array.from([0.5, 0.5, -3, 25, Number.NEGATIVE_INFINITY, Number.NaN]));
  assert.is(h.total, 6);
  assert.is(h.largest, Number.POSITIVE_INFINITY);
  assert.is(
    h.counts.reduce((a, b) => a + b, 0),
    3,
  );
  const density = densityOf(h, weight);
  let sum = 0;
  for (let x = -10 + 1 / 2048; x < 10; x += 1 / 1024) sum += density(x) / 1024;
  close([sum], [1], 1e-3);
  assert.ok(density(0.5) > 50 * density(0.25) && density(0.25) > 0);
  assert.is(densityOf(newHistogram(), weight)(1), weight(1));
});

test('beyond what was seen: defined, sensible, and the limit at the end', () => {
  for (const kind of [Kind.Gelu, Kind.Silu, Kind.HardSwish, Kind.Sigmoid, Kind.Tanh]) {
    const h = newHistogram();
    // Nothing beyond ±0.3 was seen.
    count(
      h,
      Float32Array.from({ length: 4000 }, (_, i) => 0.3 * Math.sin(i)),
    );
    const df = functions[kind].df;
    const table = fitTable(df, { density: densityOf(h, weight), quick: true });
    const span = df(1) - df(-1) || df(0);
    for (let x = -0.3; x <= 0.3; x += 0.01) assert.ok(Math.abs(slopeOf(table, x) - df(x)) < 0.04 * Math.abs(span), `${kind} at ${x}`);
    for (let x = -60; x <= 60; x += 0.37) {
      const code = codeOf(table, x);
      assert.ok(code >= 0 && code < 16);
      assert.ok(Math.abs(slopeOf(table, x) - df(x)) < 0.45, `${kind} at ${x}: ${slopeOf(table, x)} for ${df(x)}`);
    }
    const limit = kind === Kind.Sigmoid || kind === Kind.Tanh ? df(0) / 64 : 1;
    for (const x of [40, 1e6, Number.POSITIVE_INFINITY]) close([slopeOf(table, x)], [limit], 0.01, `${kind} at ${x}`);
    close([slopeOf(table, Number.NaN)], [limit], 0.01, 'NaN');
  }
});

test('the quick search finds nearly as good a table', () => {
  for (const kind of [Kind.Gelu, Kind.HardSwish, Kind.Tanh]) {
    const df = functions[kind].df;
    const [quick, whole] = [true, false].map((q) => tableError(fitTable(df, { quick: q }), df)) as [number, number];
    assert.ok(quick <= 1.04 * whole, `${kind}: ${quick} and ${whole}`);
  }
});

test('a file says the same again, and the same pictures the same file', async () => {
  const [one, two] = [file(), file()];
  const made = await calibrateJob({ model: NARROW, data: DATA, out: one, cacheFolder: CACHE, pictures: 8 });
  await calibrateJob({ model: NARROW, data: DATA, out: two, cacheFolder: CACHE, pictures: 8, microBatch: 1 });
  assert.is(readFileSync(one, 'utf8'), readFileSync(two, 'utf8'));
  assert.equal(readCalibration(one), made);
  assert.is(made.pictures, 8);
  assert.is(made.layers.length, 1);
  for (const layer of made.layers) {
    assert.is(layer.kind, Kind.Gelu);
    assert.ok(layer.error < 0.75 * layer.shippedError, `${layer.error} of ${layer.shippedError}`);
    assert.ok(layer.largest > 0.1 && layer.largest < 10);
  }
});

test('calibrated tables are no worse than the shipped ones: narrow, as golden, and wide inputs', async () => {
  for (const [name, layers, imageSize, factors] of [
    ['vit-hf', /intermediate\.dense\./, 32, [0.15, 1]],
    ['swin-hf', /intermediate\.dense\./, 32, [3]],
    ['convnext-hf', /pwconv1\./, 44, [0.15]],
  ] as const)
    for (const factor of factors) {
      const model = spread(name, layers, factor);
      const of = (more: object) =>
        fidelity({
          model,
          data: DATA,
          imageSize,
          cacheFolder: CACHE,
          keep: 'exact,gelu=4',
          batches: 1,
          steps: 10,
          rate: 5e-3,
          batchSize: 8,
          ...more,
        });
      const [shipped, fitted] = [await of({}), await of({ calibrate: 24 })];
      assert.ok(fitted.whole.error <= shipped.whole.error, `${name}, ${factor}: ${fitted.whole.error} and ${shipped.whole.error}`);
      assert.ok(fitted.whole.cosine >= shipped.whole.cosine);
      if (factor < 1) assert.ok(fitted.whole.error < 0.9 * shipped.whole.error);
    }
});

test('the forward pass does not depend on them, the gradients do; a run stops and goes on to the same bytes', async () => {
  const losses: number[][] = [];
  const run = async (more: Partial<TrainJob>): Promise<string> => {
    const list: number[] = [];
    losses.push(list);
    const out = newFolder();
    await trainJob(job(out, more), { onStep: ({ loss }) => list.push(loss) });
    return out;
  };
  const [plain, own, again] = [await run({}), await run({ calibrate: 12 }), await run({ calibrate: 12 })];
  assert.is(losses[0]![0], losses[1]![0]);
  assert.ok(bytes(plain) !== bytes(own));
  assert.ok(bytes(own) === bytes(again));
  const { layers } = readCalibration(join(own, CALIBRATION));
  assert.is(layers.length, 1);
  assert.throws(() => readCalibration(join(plain, CALIBRATION)));

  const cut = newFolder();
  let asked = 0;
  try {
    await trainJob(job(cut, { calibrate: 12 }), { stopping: () => ++asked === 5 });
    assert.unreachable('not interrupted');
  } catch (error) {
    assert.instance(error, Interrupted);
  }
  // Without its tables, or with others, it is another program.
  await fails(trainJob(job(cut, { resume: true })), 'another program');
  await fails(trainJob(job(cut, { resume: true, tables: writtenElsewhere(join(cut, 'run', CALIBRATION)) })), 'another program');
  await trainJob(job(cut, { calibrate: 12, resume: true }));
  assert.ok(bytes(cut) === bytes(own));
  // They are measured again where the file is gone.
  const copy = newFolder();
  asked = 0;
  await trainJob(job(copy, { calibrate: 12 }), { stopping: () => ++asked === 5 }).catch(() => {});
  rmSync(join(copy, 'run', CALIBRATION));
  await trainJob(job(copy, { calibrate: 12, resume: true }));
  assert.ok(bytes(copy) === bytes(own));
});

/** The same tables but for one level. */
function writtenElsewhere(path: string): string {
  const calibration = readCalibration(path);
  calibration.layers[0]!.table.levels[3]! += 0.25;
  const other = file();
  writeCalibration(other, calibration);
  return other;
}

test('they travel with the adapter: --from goes on with them', async () => {
  const before = newFolder();
  await trainJob(job(before, { calibrate: 12 }));
  const tables = readCalibration(join(before, CALIBRATION));
  const after = newFolder();
  await trainJob(job(after, { from: before, epochs: 1 }));
  assert.equal(readCalibration(join(after, CALIBRATION)), tables);
  const given = newFolder();
  await trainJob(job(given, { from: before, epochs: 1, tables: join(before, CALIBRATION) }));
  assert.ok(bytes(given) === bytes(after));
});

test('on the command line; what is refused', async () => {
  const out = file();
  const { stdout } = does('calibrate', NARROW, DATA, '--out', out, '--pictures', '8', '--cache', CACHE);
  assert.match(stdout, /tables of 1 layer, from 8 pictures/);
  const adapter = newFolder();
  does('train', NARROW, DATA, '--tables', out, '--out', adapter, '--epochs', '1', '--cache', CACHE);
  assert.is(readFileSync(join(adapter, CALIBRATION), 'utf8'), readFileSync(out, 'utf8'));
  refuses(2, ['calibrate', NARROW, DATA], '--out', 'missing');
  refuses(2, ['train', NARROW, DATA, '--out', newFolder(), '--tables', out, '--calibrate', '4'], '--calibrate', '--tables');
  refuses(2, ['calibrate', 'test/golden/mobilenetv2-hf', DATA, '--out', file()], 'nothing to calibrate');
  refuses(2, ['train', 'test/golden/vit-hf', DATA, '--out', newFolder(), '--tables', out], 'another architecture');

  const good = JSON.parse(readFileSync(out, 'utf8')) as Calibration;
  const bad = (change: (c: Calibration) => unknown, ...words: string[]): void => {
    const copy = structuredClone(good);
    change(copy);
    const path = file();
    writeFileSync(path, JSON.stringify(copy));
    refused(() => readCalibration(path), ...words);
  };
  const table = (c: Calibration) => c.layers[0]!.table;
  bad((c) => table(c).cells.push(1), 'cells');
  bad((c) => table(c).cells.fill(16), 'cells');
  bad((c) => table(c).levels.pop(), 'levels');
  bad((c) => table(c).levels.fill(Number.NaN), 'levels');
  bad((c) => Object.assign(table(c), { scale: 0 }), 'scale');
  bad((c) => Object.assign(table(c), { shift: -1 }), 'shift');
  bad((c) => Object.assign(table(c), { flip: 3 }), 'flip');
  bad((c) => c.layers.push(c.layers[0]!), 'layer name');
  bad((c) => Object.assign(c, { version: 2 }), 'version');
  bad((c) => Object.assign(c, { layers: [] }), 'layers');
});

test.run();
