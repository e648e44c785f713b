/** When a round is due, by clocks that a test sets: the wall's may jump, the steady one never does. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createSchedule, durationText, lastSlot, readDuration, readTimes } from '../../src/live/schedule.ts';
import { refused } from '../support/folder.ts';

const HOUR = 3600e3;
const NOON = new Date(2026, 5, 10, 12).getTime();

function clocks(wall = NOON) {
  let steady = 5000;
  return {
    wall: () => wall,
    steady: () => steady,
    pass(ms: number) {
      wall += ms;
      steady += ms;
    },
    jump(ms: number) {
      wall += ms;
    },
  };
}

test('so many new pictures start a round', () => {
  const schedule = createSchedule({ at: [], after: 20 }, clocks());
  assert.equal([0, 19, 20, 50].map(schedule.due), [undefined, undefined, 'after 20 new pictures', 'after 50 new pictures']);
});

test('every so often, where there is something new; a clock that jumps changes nothing', () => {
  const clock = clocks();
  const schedule = createSchedule({ at: [], every: 6 * HOUR }, clock);
  clock.jump(1000 * 24 * HOUR);
  assert.is(schedule.due(5), undefined);
  clock.jump(-3000 * 24 * HOUR);
  clock.pass(6 * HOUR - 1);
  assert.is(schedule.due(5), undefined);
  clock.pass(1);
  assert.is(schedule.due(0), undefined);
  assert.is(schedule.due(1), 'every 6h');
  schedule.began();
  assert.is(schedule.due(1), undefined);
  clock.pass(6 * HOUR);
  assert.is(schedule.due(1), 'every 6h');
});

test('what was waited counts after a restart, and the time while the program was off; a clock that was set back loses none of it', () => {
  const clock = clocks();
  const first = createSchedule({ at: [], every: 6 * HOUR }, clock);
  clock.pass(4 * HOUR);
  assert.ok(first.isStale());
  const waited = first.waited();
  assert.not.ok(first.isStale());
  const after = (offMs: number): string | undefined =>
    createSchedule({ at: [], every: 6 * HOUR }, clocks(clock.wall() + offMs), waited).due(1);
  assert.equal([after(0), after(2 * HOUR - 1), after(2 * HOUR), after(-30 * 24 * HOUR)], [undefined, undefined, 'every 6h', undefined]);
  const back = clocks(clock.wall() - 30 * 24 * HOUR);
  const again = createSchedule({ at: [], every: 6 * HOUR }, back, waited);
  back.pass(2 * HOUR);
  assert.is(again.due(1), 'every 6h');
});

test('at times of day: once each, later where the program was off, not for pictures that came after', () => {
  const clock = clocks();
  let schedule = createSchedule({ at: [180] }, clock);
  assert.is(schedule.due(9), undefined);
  clock.pass(15 * HOUR);
  assert.is(schedule.due(9), 'at 03:00');
  schedule.began();
  const waited = schedule.waited();
  for (const _ of Array(20)) {
    clock.pass(HOUR);
    assert.is(schedule.due(9), undefined);
  }
  clock.pass(9 * HOUR);
  schedule = createSchedule({ at: [180] }, clock, waited);
  assert.is(schedule.due(9), 'at 03:00');
  schedule.began();
  clock.pass(24 * HOUR);
  assert.is(schedule.due(0), undefined);
  clock.pass(HOUR);
  assert.is(schedule.due(9), undefined);
});

test('a wall clock that was years ahead costs a day at most, and trains once', () => {
  const clock = clocks();
  const schedule = createSchedule({ at: [180] }, clock);
  clock.jump(365 * 24 * HOUR);
  assert.is(schedule.due(9), 'at 03:00');
  schedule.began();
  clock.jump(-365 * 24 * HOUR);
  assert.is(schedule.due(9), undefined);
  clock.pass(14 * HOUR);
  assert.is(schedule.due(9), undefined);
  clock.pass(HOUR);
  assert.is(schedule.due(9), 'at 03:00');
});

test('an hour back, as summer time ends, is no second run', () => {
  const clock = clocks();
  const schedule = createSchedule({ at: [180] }, clock);
  clock.pass(15 * HOUR);
  assert.is(schedule.due(9), 'at 03:00');
  schedule.began();
  clock.jump(-HOUR);
  assert.is(schedule.due(9), undefined);
  clock.pass(2 * HOUR);
  assert.is(schedule.due(9), undefined);
});

test('the last of several times of day', () => {
  const of = (hour: number, minute = 0): number => new Date(2026, 5, 10, hour, minute).getTime();
  assert.is(lastSlot(of(12), [180, 930]), of(3));
  assert.is(lastSlot(of(16), [180, 930]), of(15, 30));
  assert.is(lastSlot(of(2), [180, 930]), new Date(2026, 5, 9, 15, 30).getTime());
});

test('times and durations as people write them', () => {
  assert.equal(
    ['90s', '15m', '6h', '1d', '1.5h'].map((text) => readDuration(text, '--every')),
    [90e3, 900e3, 6 * HOUR, 24 * HOUR, 1.5 * HOUR],
  );
  assert.equal([90e3, 900e3, 6 * HOUR, 48 * HOUR].map(durationText), ['90s', '15m', '6h', '2d']);
  for (const wrong of ['6', '0h', '1y', '-1h', '', '400d', '1e3h'])
    refused(() => readDuration(wrong, '--every'), '--every: wrong value', '15m, 6h or 1d');
  assert.equal(readTimes('03:00,15:30', '--at'), [180, 930]);
  for (const wrong of ['24:00', '3', '3:60', '03:00;04:00', '']) refused(() => readTimes(wrong, '--at'), '--at: wrong value', '03:00');
});

test.run();
