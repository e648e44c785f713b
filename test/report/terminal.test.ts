import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PlanColumn } from '../../src/report/data.ts';
import {
  bar,
  epochLine,
  formatBytes,
  formatDuration,
  formatPercent,
  plainLine,
  planTable,
  progressLine,
  rewrite,
  style,
  table,
  wantsColour,
} from '../../src/report/terminal.ts';

const MIB = 1 << 20;

test('bytes have one decimal and change unit where rounding does', () => {
  assert.equal([0, 1023, 1024, 1536, MIB - 1, MIB, 18.44 * MIB, 4096 * MIB].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '1.0 MiB',
    '1.0 MiB',
    '18.4 MiB',
    '4096.0 MiB',
  ]);
});

test('durations never show sixty of anything', () => {
  assert.equal([0, 0.84, 9.94, 9.96, 59.4, 59.6, 185, 3599.7, 7620, 7199, Number.NaN, Number.POSITIVE_INFINITY, -1].map(formatDuration), [
    '0.0 s',
    '0.8 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 00 s',
    '3 min 05 s',
    '1 h 00 min',
    '2 h 07 min',
    '2 h 00 min',
    '-',
    '-',
    '-',
  ]);
});

test('percent', () => {
  assert.is(formatPercent(0.7534), '75.3 %');
  assert.is(formatPercent(1), '100.0 %');
  assert.is(formatPercent(Number.NaN), '-');
});

test('a bar is as wide as asked and full only at the end', () => {
  for (const f of [-1, 0, 0.01, 0.5, 0.999, 1, 2, Number.NaN]) assert.is(bar(f, 12).length, 12, `${f}`);
  assert.is(bar(0, 12), '[          ]');
  assert.is(bar(0.5, 12), '[====>     ]');
  assert.is(bar(1, 12), '[==========]');
});

const progress = {
  epoch: 3,
  epochs: 10,
  step: 61,
  steps: 250,
  loss: 1.23456,
  accuracy: 0.625,
  imagesPerSecond: 31.27,
  secondsLeft: 101,
};

test('a progress line never reaches the edge, and gives up the least wanted numbers first', () => {
  for (let columns = 20; columns <= 200; columns++) {
    const line = progressLine(progress, columns);
    assert.ok(line.length < columns, `${columns}: ${line}`);
    assert.ok(line.includes('epoch 3/10'), `${columns}: ${line}`);
  }
  assert.is(
    progressLine(progress, 120),
    '[======>                     ]  epoch 3/10  loss 1.235  accuracy 62.5 %  1 min 41 s left  31.3 images/s  step 61/250',
  );
  assert.is(progressLine(progress, 60), '[===>            ]  epoch 3/10  loss 1.235  accuracy 62.5 %');
});

test('a plain line has all numbers and no control characters', () => {
  assert.is(plainLine(progress), 'epoch 3/10  loss 1.235  accuracy 62.5 %  1 min 41 s left  31.3 images/s  step 61/250');
  assert.is(rewrite('x'), '\rx\x1b[K');
});

test('an epoch line', () => {
  const e = { epoch: 2, epochs: 10, trainLoss: 1.5, valLoss: 1.25, valAccuracy: 0.61, seconds: 5.2, best: true };
  assert.is(epochLine(e), 'epoch  2/10  loss 1.500  validation 1.250  accuracy  61.0 %  5.2 s  best');
});

test('colour: a terminal only, and NO_COLOR wins', () => {
  assert.is(wantsColour(true, {}), true);
  assert.is(wantsColour(true, { NO_COLOR: '' }), true);
  assert.is(wantsColour(true, { NO_COLOR: '1' }), false);
  assert.is(wantsColour(true, { TERM: 'dumb' }), false);
  assert.is(wantsColour(false, {}), false);
  assert.is(style(false).red('x'), 'x');
  assert.is(style(true).red('x'), '\x1b[31mx\x1b[39m');
});

test('a table lines up', () => {
  assert.is(
    table([
      ['', 'a', 'bb'],
      ['long name', '1', '22'],
      ['x', '333', ''],
    ]),
    '             a  bb\nlong name    1  22\nx          333',
  );
});

test('plans side by side', () => {
  const parts = { frozen: 8 * MIB, trainable: MIB, kept: 2 * MIB, temporaries: 4 * MIB, batch: MIB, program: MIB / 4, scratch: MIB / 4 };
  const plan = (label: string, linear: number, kept = 2): PlanColumn => ({
    label,
    parts: { ...parts, kept: kept * MIB },
    linearBytes: linear * MIB,
  });
  assert.is(
    planTable([plan('s2a', 17), plan('exact', 75, 60)], 32 * MIB),
    [
      '                            s2a         exact',
      'frozen weights          8.0 MiB       8.0 MiB',
      'trainable + optimizer   1.0 MiB       1.0 MiB',
      'kept for backward       2.0 MiB      60.0 MiB',
      'temporaries             4.0 MiB       4.0 MiB',
      'batch                   1.0 MiB       1.0 MiB',
      'program                 0.3 MiB       0.3 MiB',
      'scratch                 0.3 MiB       0.3 MiB',
      'padding                 0.5 MiB       0.5 MiB',
      'linear memory          17.0 MiB      75.0 MiB',
      'budget                 32.0 MiB      32.0 MiB',
      '                           fits  does not fit',
    ].join('\n'),
  );
  assert.not.match(planTable([plan('s2a', 17)]), /budget/);
});

test.run();
