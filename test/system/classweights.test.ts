/** Classes that weigh: as scikit-learn balances them, whatever the budget cuts, resumed as such, told by the adapter, and the same on a board. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { classWeightsOf } from '../../src/training/classweights.ts';
import { trainJob } from '../../src/use/library.ts';
import { COLOURS, colourPng, refuses, VIT } from '../cli/command.ts';
import { close } from '../support/close.ts';
import { newFolder, refused, refusedLater } from '../support/folder.ts';
import { compileNetwork, network } from '../support/network.ts';
import { adapterDigest, pack } from '../wasi/board.ts';

const data = newFolder();
for (const [label, name] of COLOURS.entries()) {
  mkdirSync(join(data, 'train', name), { recursive: true });
  mkdirSync(join(data, 'val', name), { recursive: true });
  for (let i = 0; i < [6, 4, 1][label]!; i++) writeFileSync(join(data, 'train', name, `${i}.png`), colourPng(label, i));
  for (let i = 0; i < 2; i++) writeFileSync(join(data, 'val', name, `${i}.png`), colourPng(label, 10 + i));
}
const [FIRST, SECOND, THIRD] = COLOURS as unknown as [string, string, string];
const JOB = { model: VIT, data, batchSize: 4, epochs: 2, budget: '3MiB' };
const WEIGHTS = { [FIRST]: 0.5, [THIRD]: 6 };
const tensors = (folder: string): string => readFileSync(join(folder, 'adapter_model.safetensors')).toString('base64');

test("balanced is scikit-learn's: pictures / (classes · pictures of the class)", () => {
  const list = (counts: readonly number[]) => ({
    classes: ['a', 'b', 'c'],
    train: counts.flatMap((n, label) => new Array(n).fill({ label })),
    val: [],
  });
  const of = (counts: readonly number[]) => classWeightsOf({ classWeights: 'balanced' }, list(counts), ['a', 'b', 'c']);
  // sklearn.utils.class_weight.compute_class_weight('balanced', classes=[0, 1, 2], y=[0] * 6 + [1] * 3 + [2])
  close(of([6, 3, 1])!, [0.5555555555555556, 1.1111111111111112, 3.3333333333333335], 1e-15, 'balanced');
  close(of([6, 2, 0])!, [8 / 12, 2, 1], 1e-15, 'a row without pictures');
  assert.is(classWeightsOf({}, list([1, 1, 1]), ['a', 'b', 'c']), undefined);
  assert.equal(classWeightsOf({ classWeights: { b: 3 } }, list([1, 1, 1]), ['a', 'b', 'c']), [1, 3, 1]);
  refused(
    () => classWeightsOf({ classWeights: { aa: 3 } }, list([1, 1, 1]), ['a', 'b', 'c']),
    '--class-weights',
    'no class aa',
    'did you mean a',
  );
});

test('weights are a table of the program and nothing else of the plan; what judges is not weighed', () => {
  const vit = network('vit-hf');
  const classWeights = Array.from({ length: 5 }, (_, i) => i + 0.5).slice(0, compileNetwork(vit).program.about.classes);
  const [plain, weighed] = [compileNetwork(vit), compileNetwork(vit, { classWeights })];
  const ops = ({ graph }: typeof plain, phase: 'train' | 'eval'): string[] =>
    graph.phases[phase].map(({ op }) => op).filter((op) => op.endsWith('CrossEntropy'));
  assert.equal([ops(weighed, 'train'), ops(weighed, 'eval')], [['SoftCrossEntropy'], ['CrossEntropy']]);
  assert.equal({ ...weighed.plan.parts, program: 0, padding: 0 }, { ...plain.plan.parts, program: 0, padding: 0 });
  assert.is(weighed.program.io.get(Io.ClassWeights)!.bytes, 4 * classWeights.length);
  assert.is(plain.program.io.has(Io.ClassWeights), false);
  refused(() => compileNetwork(vit, { classWeights: [1] }), 'classWeights', 'one finite number above 0 for each class');
  refused(() => compileNetwork(vit, { classWeights: classWeights.map(() => 0) }), 'classWeights');
});

test('the same step however the budget cuts the batch: its mean is divided by the weights of all its labels', async () => {
  const norms = async (more: object): Promise<{ norms: number[]; losses: number[] }> => {
    const steps: { norm: number; loss: number }[] = [];
    const hooks = { onStep: (step: { norm: number; loss: number }) => void steps.push(step) };
    await trainJob({ ...JOB, out: newFolder(), epochs: 1, rate: 1e-4, smoothing: 0.1, ...more }, hooks);
    return { norms: steps.map(({ norm }) => norm), losses: steps.map(({ loss }) => loss) };
  };
  const whole = await norms({ microBatch: 4, classWeights: WEIGHTS });
  for (const more of [{ microBatch: 1 }, { microBatch: 2 }]) {
    const cut = await norms({ ...more, classWeights: WEIGHTS });
    close(cut.norms, whole.norms, 1e-3, 'norms');
    close(cut.losses, whole.losses, 1e-4, 'losses');
  }
  // Twice the weights are the same weights: a mean is divided by them.
  const twice = await norms({ microBatch: 4, classWeights: { [FIRST]: 1, [SECOND]: 2, [THIRD]: 12 } });
  close(twice.norms, whole.norms, 1e-4, 'twice as much');
  const plain = await norms({ microBatch: 4 });
  assert.ok(Math.abs(plain.norms[0]! / whole.norms[0]! - 1) > 1e-3);
});

test('weighed, mixed and smoothed, one picture at a time: on a board to the byte; told by the adapter; resumed with the same alone', async () => {
  const augment = { shift: 0, flip: true, mixup: 0.5, cutmix: 0.5 };
  const job = { ...JOB, microBatch: 1, smoothing: 0.1, augment, classWeights: 'balanced' as const };
  const [here, there, stopped] = [newFolder(), newFolder(), newFolder()];
  const { classWeights } = await trainJob({ ...job, out: here });
  close(classWeights!, [11 / 18, 11 / 12, 11 / 3], 1e-12, 'balanced');
  const config = JSON.parse(readFileSync(join(here, 'adapter_config.json'), 'utf8'));
  assert.equal(config.s2a.classWeights, { [FIRST]: 11 / 18, [SECOND]: 11 / 12, [THIRD]: 11 / 3 });
  const ran = (await pack(job)).train(there);
  assert.is(ran.code, 0, ran.err);
  assert.is(adapterDigest(there), adapterDigest(here));
  let passes = 0;
  const broken = trainJob({ ...job, out: stopped }, { stopping: () => ++passes > 6 });
  assert.is(await broken.catch((error: Error) => error.name), 'Interrupted');
  await refusedLater(trainJob({ ...job, classWeights: WEIGHTS, out: stopped, resume: true }), 'class weights');
  await trainJob({ ...job, out: stopped, resume: true });
  assert.is(tensors(stopped), tensors(here), 'stopped in the middle of a batch');
});

test('what cannot be is refused in a sentence', async () => {
  const train = (weights: string, ...more: string[]): string[] => [
    'train',
    VIT,
    data,
    '--class-weights',
    weights,
    ...more,
    '--out',
    newFolder(),
  ];
  refuses(2, train('cat=2'), '--class-weights', 'no class cat');
  for (const wrong of [`${FIRST}=0`, `${FIRST}=x`, '=2', `${FIRST}=1e9`]) refuses(2, train(wrong), '--class-weights', 'from 1e-6 to 1e6');
  refuses(2, train('balanced', '--balance'), '--class-weights', 'give one of the two');
  refuses(2, train(`${FIRST}=2,${FIRST}=3`), '--class-weights', `the name ${FIRST} stands twice`);
  for (const absent of ['nowhere.json', 'Balanced', '']) refuses(2, train(absent), '--class-weights: wrong value', absent, 'a JSON file');
  const file = join(newFolder(), 'weights.json');
  writeFileSync(file, JSON.stringify({ [FIRST]: 'much' }));
  refuses(2, train(file), `weights.json, ${FIRST}: wrong value`, 'from 1e-6 to 1e6');
  const table = join(newFolder(), 'labels.csv');
  writeFileSync(table, `file,labels\n${COLOURS.map((name) => `train/${name}/0.png,${name}|x`).join('\n')}\n`);
  refuses(2, train('balanced', '--labels', table), '--class-weights', 'is for classes');
  await refusedLater(trainJob({ ...JOB, out: newFolder(), classWeights: { [FIRST]: -1 } }), 'classWeights', 'from 1e-6 to 1e6');
});

test.run();
