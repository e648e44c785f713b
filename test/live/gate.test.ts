/** The gate, number by number. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Count, decide } from '../../src/live/gate.ts';
import type { Debt } from '../../src/live/state.ts';

const NONE: Count = { count: 0, before: 0, after: 0 };
const of = (count: number, before: number, after: number): Count => ({ count, before, after });
const said = (held: Count, remembered: Count, fresh: Count, hasNewClasses = false, tolerance?: number): boolean =>
  decide({ held, remembered, fresh }, { hasNewClasses, tolerance }).isAccepted;

test('no worse on what was held out before, and on what is remembered: one picture or 2 % is nothing', () => {
  assert.equal(
    [45, 44, 43, 50].map((after) => said(of(50, 45, after), NONE, NONE)),
    [true, true, false, true],
  );
  assert.equal(
    [186, 185].map((after) => said(of(200, 190, after), NONE, NONE)),
    [true, false],
  );
  assert.equal(
    [20, 19, 18].map((after) => said(of(50, 45, 46), of(20, 20, after), NONE)),
    [true, true, false],
  );
});

test('what is lost counts up over rounds until it is made up for', () => {
  let debt: Debt = { held: 0, remembered: 0 };
  const rounds: [number, number][] = [
    [45, 44],
    [44, 43],
    [44, 44],
    [44, 46],
    [46, 45],
    [45, 44],
  ];
  const ends = rounds.map(([before, after]) => {
    const decision = decide({ held: of(50, before, after), remembered: NONE, fresh: NONE }, { hasNewClasses: false, debt });
    debt = decision.debt ?? debt;
    return [decision.isAccepted, debt.held];
  });
  assert.equal(ends, [
    [true, 1],
    [false, 1],
    [true, 1],
    [true, 0],
    [true, 1],
    [false, 1],
  ]);
  const why = decide(
    { held: of(50, 44, 43), remembered: NONE, fresh: NONE },
    { hasNewClasses: false, debt: { held: 1, remembered: 0 } },
  ).why;
  assert.is(why, 'it is right on 43 of 50 held-out pictures, where the adapter in use is on 44, after 1 that were lost before');
});

test('labels that nobody has vouched for buy nothing', () => {
  // A bad labeller: the new adapter is right on all of theirs.
  assert.not.ok(said(of(50, 45, 40), NONE, of(50, 0, 50)));
  assert.not.ok(said(of(50, 45, 45), NONE, of(10, 8, 6)));
});

test('labels that cannot be learnt are refused, even where they cost nothing', () => {
  assert.not.ok(said(of(40, 35, 36), of(40, 35, 36), of(10, 4, 4)));
  assert.ok(said(of(40, 35, 36), of(40, 35, 36), of(10, 4, 7)), 'other pictures than before, and learnt');
  assert.ok(said(of(40, 35, 36), of(40, 35, 36), of(3, 0, 0)), 'too few to say so');
  assert.ok(said(of(5, 5, 5), NONE, of(10, 4, 4)), 'nothing to compare with');
  assert.ok(said(of(40, 40, 40), NONE, of(10, 9, 9)), 'one of ten is nothing');
  const counts = { held: of(40, 35, 36), remembered: NONE, fresh: of(10, 4, 4) };
  assert.is(
    decide(counts, { hasNewClasses: false }).why,
    'it is right on 4 of 10 new pictures, where 9 were expected; are their labels right?',
  );
});

test('what a new class costs is no debt, within the same bounds', () => {
  const debt = { held: 1, remembered: 0 };
  const end = (after: number, fresh: number): unknown[] => {
    const counts = { held: of(50, 45, after), remembered: NONE, fresh: of(5, 0, fresh) };
    const decision = decide(counts, { hasNewClasses: true, debt });
    return [decision.isAccepted, decision.debt?.held];
  };
  assert.equal(
    [end(44, 4), end(43, 5), end(46, 5)],
    [
      [true, 1],
      [false, undefined],
      [true, 0],
    ],
  );
});

test('--tolerance is a share of each', () => {
  assert.equal([said(of(50, 45, 43), NONE, NONE, false, 0.05), said(of(50, 45, 42), NONE, NONE, false, 0.05)], [true, false]);
  assert.not.ok(said(of(50, 45, 44), NONE, of(5, 0, 5), true, 0));
});

test('it tells why in one sentence', () => {
  const why = (held: Count, remembered: Count, fresh: Count): string => decide({ held, remembered, fresh }, { hasNewClasses: false }).why;
  assert.is(why(of(50, 45, 43), NONE, NONE), 'it is right on 43 of 50 held-out pictures, where the adapter in use is on 45');
  assert.is(
    why(of(50, 45, 46), of(1, 1, 1), of(5, 2, 4)),
    'it is right on 46 of 50 held-out pictures (45 before), 1 of 1 remembered picture (1 before), 4 of 5 new ones (2 before)',
  );
  assert.is(why(NONE, NONE, NONE), 'there is no picture to judge by');
  assert.is(why(of(4, 4, 4), NONE, of(5, 5, 3)), 'it is right on 7 of all 9 judged pictures, the adapter in use on 9');
});

test.run();
