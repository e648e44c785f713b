/** `train --log`: a table and event files, of a whole run, of one that goes on, and of one that went back. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openLogs } from '../../targets/cli/logs.ts';
import { newFolder } from '../support/folder.ts';
import { does, pictureFolder, refuses, SHORT, VIT } from './command.ts';

const HEADER = 'step,epoch,loss,rate,norm,trainLoss,trainAccuracy,valLoss,valAccuracy,valScore';
const nothing = (): void => {};
const lines = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');

test('a run writes a line for each step and each epoch, in both', () => {
  const folder = newFolder();
  const [csv, events] = [join(folder, 'run.csv'), join(folder, 'tb')];
  does('train', VIT, pictureFolder(), '--out', join(folder, 'a'), ...SHORT, '--log', csv, '--log', events);
  const [header, ...rows] = lines(csv).map((line) => line.split(','));
  assert.is(header!.join(','), HEADER);
  // 15 pictures to learn from, four in a step.
  assert.equal(
    rows.map(([step, epoch, loss, , , trainLoss]) => [Number(step), Number(epoch), loss !== '', trainLoss !== '']),
    [
      ...[1, 2, 3, 4].map((step) => [step, 1, true, false]),
      [4, 1, false, true],
      ...[5, 6, 7, 8].map((step) => [step, 2, true, false]),
      [8, 2, false, true],
    ],
  );
  const [name, ...others] = readdirSync(events);
  assert.match(name!, /^events\.out\.tfevents\.\d+\.s2a$/);
  assert.equal(others, []);
  const text = readFileSync(join(events, name!)).toString('latin1');
  for (const tag of ['train/loss', 'train/rate', 'epoch/val_accuracy']) assert.ok(text.includes(tag), tag);
  assert.not.ok(text.includes('val_score'));
});

test('what was logged beyond the step that a run goes on from is dropped', () => {
  const folder = newFolder();
  const [csv, events] = [join(folder, 'run.csv'), join(folder, 'tb')];
  const open = () => openLogs([csv, events], nothing, () => 1e9);
  const log = open();
  log.begin();
  for (const step of [1, 2, 3, 4]) log.add({ step, epoch: 1, loss: step / 2 });
  log.cut(3);
  assert.is(lines(csv).at(-1), '3,1,1.5,,,,,,,');
  log.add({ step: 4, epoch: 1, valLoss: Number.NaN, valAccuracy: 0.5 });
  assert.is(lines(csv).at(-1), '4,1,,,,,,,0.5,');
  // A power cut tore the last line.
  writeFileSync(csv, `${lines(csv).join('\n')}\n5,1,0.2`);
  const second = open();
  second.cut(4);
  assert.is(lines(csv).at(-1), '4,1,,,,,,,0.5,');
  assert.equal(readdirSync(events).sort(), ['events.out.tfevents.1000000000.s2a', 'events.out.tfevents.1000000000.s2a.1']);
  second.begin();
  assert.equal(lines(csv), [HEADER]);
});

test('a log that cannot be written is said before the run; one that fails later ends alone', () => {
  const out = join(newFolder(), 'a');
  refuses(2, ['train', VIT, pictureFolder(), '--out', out, '--log', '/proc/x.csv'], '/proc/', 'cannot be written');
  const file = join(newFolder(), 'notes');
  writeFileSync(file, '');
  refuses(2, ['train', VIT, pictureFolder(), '--out', out, '--log', file], 'is a file and no .csv');
  const folder = newFolder();
  const said: string[] = [];
  const log = openLogs([join(folder, 'gone.csv'), join(folder, 'kept.csv')], (sentence) => said.push(sentence));
  log.begin();
  // A file that has become a folder takes no line.
  rmSync(join(folder, 'gone.csv'));
  mkdirSync(join(folder, 'gone.csv'));
  for (const step of [1, 2]) log.add({ step, epoch: 1, loss: 1 });
  assert.is(said.length, 1);
  assert.match(said[0]!, /gone\.csv: .*; the run goes on without this log$/);
  assert.is(lines(join(folder, 'kept.csv')).length, 3);
});

test.run();
