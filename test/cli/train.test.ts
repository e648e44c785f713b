/** plan, train, eval and predict as a person uses them: what is printed, what is written, what is measured. */

import { appendFileSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mebibytes } from '../../src/base/bytes.ts';
import { VERSION } from '../../src/base/version.ts';
import type { PlanReport } from '../../src/budget/report.ts';
import { decodePicture } from '../../src/input/decode.ts';
import type { Preprocess } from '../../src/input/preprocess.ts';
import type { JobResult } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { HELP } from '../../targets/cli/help.ts';
import { newFolder } from '../support/folder.ts';
import { asks, COLOURS, contents, does, modelCopy, pictureFolder, refuses, SHORT, VIT, watched } from './command.ts';

const photos = pictureFolder();
const adapter = join(newFolder(), 'adapter');

test('plan --json, from config.json alone', () => {
  const folder = newFolder();
  cpSync(join(VIT, 'config.json'), join(folder, 'config.json'));
  const plan = asks<PlanReport>('plan', folder, '--classes', '3', '--batch-size', '8', '--micro-batch', '4', '--budget', '2MiB');
  assert.equal(Object.keys(plan.parts).sort(), ['batch', 'frozen', 'kept', 'program', 'scratch', 'temporaries', 'trainable']);
  const sum = Object.values(plan.parts).reduce((a, b) => a + b, 0);
  assert.is(sum + plan.padding, plan.linearBytes);
  assert.ok(plan.padding >= 0);
  assert.is(plan.linearBytes % 65536, 0);
  assert.is(plan.budgetBytes, 2 << 20);
  assert.ok(plan.keptBytesPerImage > 0 && plan.keptBytesPerImage < plan.keptBytesPerImageF32);
  assert.type(plan.peak.node, 'string');
  assert.is(plan.peak.bytes, plan.parts.kept + plan.parts.temporaries);
  assert.ok(plan.trainable.count > 0 && plan.trainable.percent < 20);
  assert.is(asks<PlanReport>('plan', folder).budgetBytes, null);
});

test('plan for people: 80 columns, no colours in a pipe', () => {
  const { stdout } = does('plan', VIT, '--classes', '3', '--batch-size', '8', '--budget', '2MiB');
  const lines = stdout.split('\n');
  assert.ok(lines.every((line) => line.length <= 80 && /^[\x20-\x7e]*$/.test(line)));
  assert.is(lines[0], 'vit 32x32, 3 classes; method bias, keep s2a, adamw');
  assert.is(lines[1], 'batch 8, in one pass');
  const names = lines.map((line) => line.split(/ {2,}/)[0]);
  assert.equal(names.filter(Boolean).slice(2), [
    'frozen weights',
    'trainable + optimizer',
    'kept for backward',
    'temporaries',
    'batch',
    'program',
    'scratch',
    'padding',
    'linear memory',
    'budget',
    'kept per picture',
    'by f32 autograd',
    'learns',
    'peak at',
    'kept + temporaries',
    'computed again',
    'at a time',
    'predicted time',
  ]);
});

test('train writes the adapter, metrics and a page; memory as planned', () => {
  const page = join(newFolder(), 'report.html');
  const flags = ['--out', adapter, '--budget', '2MiB', '--process-budget', '1GiB', '--report', page, ...SHORT, '--epochs', '6'];
  const { stdout, stderr } = does('train', VIT, photos, ...flags);
  for (const name of ['adapter_config.json', 'adapter_model.safetensors']) assert.ok(existsSync(join(adapter, name)));
  const metrics = readFileSync(join(adapter, 'run', 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  const records = metrics.map((line) => JSON.parse(line) as Record<string, number>);
  const steps = records.filter((r) => r.step !== undefined);
  assert.equal(
    steps.map((r) => r.step),
    steps.map((_, i) => i + 1),
  );
  assert.ok(steps.every((r) => r.loss! >= 0 && r.rate! >= 0 && r.norm! >= 0));
  assert.is(records.filter((r) => r.valAccuracy !== undefined).length, 6);
  assert.match(stdout, /linear memory {2}\S+ \wiB planned, \S+ \wiB measured, budget 2\.0 MiB/);
  assert.match(stdout, /written {8}\S+ \wiB, of it \S+ \wiB picture cache\n {15}\S+ \wiB an hour/);
  assert.match(stdout, /process, peak {2}\S+ MiB while training/);
  assert.ok(stdout.includes(`next: s2a predict ${VIT} ${adapter}`));
  assert.match(readFileSync(page, 'utf8'), /^<!doctype html>[\s\S]*<\/html>\s*$/i);
  assert.ok(!(stdout + stderr).includes('\u001b') && !stderr.includes('\r'), 'plain lines in a pipe');
  assert.match(stderr, /epoch 6\/6/);
});

test('--depth: run, page and modules speak of the short network', () => {
  const [target, page] = [join(newFolder(), 'adapter'), join(newFolder(), 'report.html')];
  const sgd = ['--optimizer', 'sgd', '--depth', '2'];
  const { plan, classes } = asks<JobResult>('train', VIT, photos, '--out', target, ...SHORT, ...sgd, '--report', page);
  assert.is(plan.method, 'bias+depth:blocks=2');
  const html = readFileSync(page, 'utf8');
  // What the page sets beside the run is the same job: as `plan` has it with the run's own options.
  const of = (method: string): string => {
    const job = ['--classes', String(classes.length), '--batch-size', String(plan.batchSize), '--micro-batch', String(plan.microBatch)];
    const same = [...job, '--keep', 'exact', '--depth', '2', '--method', method, '--optimizer', 'sgd'];
    const { parts } = asks<{ parts: { trainable: number } }>('plan', VIT, ...same);
    return `title="trainable + optimizer: ${mebibytes(parts.trainable)}"`;
  };
  for (const method of ['bias', 'full']) {
    const [, bar = ''] = html.split(`${method}+depth:blocks=2, f32 kept</span>`);
    assert.ok(bar.includes(of(method)), `${method}: ${of(method)}`);
  }
  assert.match(does('modules', VIT).stdout, /; 3 blocks\n$/);
  const { blocks, tensors } = asks<{ blocks: number; tensors: { name: string }[] }>('modules', VIT, '--depth', '1');
  assert.is(blocks, 1);
  assert.ok(tensors.some(({ name }) => name.includes('layer.0.')) && !tensors.some(({ name }) => name.includes('layer.1.')));
});

test('train --json: one object with planned and measured', () => {
  const target = join(newFolder(), 'adapter');
  const result = asks<JobResult>('train', VIT, photos, '--out', target, ...SHORT);
  assert.is(result.memory.linearBytes, result.memory.plannedBytes);
  assert.is(result.memory.plannedBytes, result.plan.linearBytes);
  assert.ok(result.memory.residentPeakBytes > result.memory.linearBytes);
  assert.ok(result.bytesWrittenPerHour > 0);
  // Everything in the folder was counted, and the checkpoints that later ones replaced.
  assert.ok(result.bytesWritten >= contents(target).reduce((sum, [, bytes]) => sum + Buffer.from(bytes, 'base64').length, 0));
  assert.equal(result.classes, COLOURS);
  assert.is(result.epochs.length, 2);
  assert.is(result.epochs[0]!.train.count, 15);
});

test('eval and predict on the adapter; predict is the library’s', async () => {
  const judged = asks<{ accuracy: number; count: number; classes: { label: string }[] }>('eval', VIT, adapter, photos);
  assert.is(judged.count, 18);
  assert.ok(judged.accuracy > 0.5, `accuracy ${judged.accuracy}`);
  const file = join(photos, 'red', '0.png');
  const { classes } = asks<{ classes: { label: string; probability: number }[] }>('predict', VIT, adapter, file, '--top', '3');
  assert.is(classes.length, 3);
  const classifier = loadClassifier(adapter, { model: VIT });
  const own = classifier.predictPrepared(await decodePicture(readFileSync(file), classifier.preprocess as Preprocess));
  assert.equal(
    classes,
    own.map(({ label, probability }) => ({ label, probability })),
  );
});

test('an adapter of another base, image size or class is refused, and a broken one', () => {
  const file = join(photos, 'red', '0.png');
  refuses(2, ['predict', 'test/golden/deit-hf', adapter, file], 'another architecture');
  refuses(2, ['predict', 'test/golden/vit-hf-f16', adapter, file], 'other base weights');
  refuses(2, ['predict', VIT, '/no/such/adapter', file], '/no/such/adapter');
  refuses(2, ['predict', VIT, VIT, file], 'adapter');
  const cut = newFolder();
  const bytes = readFileSync(join(adapter, 'adapter_model.safetensors'));
  writeFileSync(join(cut, 'adapter_model.safetensors'), bytes.subarray(0, bytes.length - 9));
  refuses(2, ['predict', VIT, cut, file], 'adapter_model.safetensors');
  const other = pictureFolder(2);
  cpSync(join(other, 'red'), join(other, 'violet'), { recursive: true });
  cpSync(join(other, 'red'), join(other, 'Red'), { recursive: true });
  refuses(2, ['eval', VIT, adapter, other], 'class Red is unknown to the adapter, expected blue, green, red; did you mean red?');
  refuses(3, ['predict', VIT, adapter, file, '--budget', '64KiB'], 'smallest');
});

test('Ctrl-C: exit 130, the run is saved, --resume ends as if nothing had happened', async () => {
  const flags = [...SHORT, '--epochs', '40', '--save-every', '1000', '--seed', '3'];
  const [whole, cut] = [join(newFolder(), 'a'), join(newFolder(), 'b')];
  does('train', VIT, photos, '--out', whole, ...flags);
  let sent = false;
  const ran = await watched(['train', VIT, photos, '--out', cut, ...flags], (stderr, kill) => {
    if (sent || !/epoch +1\/40/.test(stderr)) return;
    sent = true;
    kill('SIGINT');
  });
  assert.is(ran.code, 130, ran.stderr);
  assert.match(ran.stderr, /s2a: interrupted.*--resume/);
  assert.not.ok(existsSync(join(cut, 'adapter_model.safetensors')));
  const { stderr } = does('train', VIT, photos, '--out', cut, ...flags, '--resume');
  assert.match(stderr, /going on from step \d+ of \d+/);
  const adapterOf = (folder: string) => contents(folder).flatMap(([path, bytes]) => (path.endsWith('model.safetensors') ? [bytes] : []));
  assert.equal(adapterOf(cut), adapterOf(whole));
});

test('help, version, print', () => {
  assert.match(does().stdout, /s2a train/);
  for (const command of Object.keys(HELP).filter((name) => name !== '')) {
    const { stdout } = does(command, '--help');
    assert.ok(stdout.startsWith(`s2a ${command} `));
    assert.equal(
      stdout.split('\n').filter((line) => line.length > 100),
      [],
      command,
    );
  }
  assert.is(does('--version').stdout, `${VERSION}\n`);
  assert.is(VERSION, JSON.parse(readFileSync('package.json', 'utf8')).version);
  assert.match(does('print', VIT, '--classes', '3').stdout, /^; vit 32x32, 3 classes/);
});

test('a model folder with text after its weights is no longer the same base', () => {
  const model = modelCopy('vit-hf');
  appendFileSync(join(model, 'model.safetensors'), 'x');
  refuses(2, ['predict', model, adapter, join(photos, 'red', '0.png')], 'model.safetensors');
});

test.run();
