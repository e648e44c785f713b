/** The gate, number by number. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Count, decide } from '../../src/live/gate.ts';

const NONE: Count = { count: 0, before: 0, after: 0 };
const of = (count: number, before: number, after: number): Count => ({ count, before, after });
const said = (held: Count, remembered: Count, fresh: Count, hasNewClasses = false, tolerance?: number): boolean =>
  decide({ held, remembered, fresh }, { hasNewClasses, tolerance }).isAccepted;

test('no worse on what was held out before, and on what is remembered', () => {
  assert.equal([said(of(50, 45, 45), NONE, NONE), said(of(50, 45, 44), NONE, NONE), said(of(50, 45, 50), NONE, NONE)], [true, false, true]);
  assert.equal([said(of(50, 45, 46), of(20, 20, 20), NONE), said(of(50, 45, 46), of(20, 20, 19), NONE)], [true, false]);
});

test('labels that nobody has vouched for buy nothing', () => {
  // A bad labeller: the new adapter is right on all of theirs.
  assert.not.ok(said(of(50, 45, 40), NONE, of(50, 0, 50)));
  assert.not.ok(said(of(50, 45, 45), NONE, of(10, 8, 7)));
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

test('a new class may cost 2 % of what is held, or one picture', () => {
  assert.equal([said(of(50, 45, 44), NONE, of(5, 0, 4), true), said(of(50, 45, 43), NONE, of(5, 0, 5), true)], [true, false]);
  assert.equal([said(of(200, 190, 186), NONE, of(5, 0, 5), true), said(of(200, 190, 185), NONE, of(5, 0, 5), true)], [true, false]);
  // Not where nothing is gained for it.
  assert.not.ok(said(of(50, 45, 44), NONE, of(5, 0, 0), true));
});

test('--tolerance is a share of each', () => {
  assert.equal([said(of(50, 45, 43), NONE, NONE, false, 0.05), said(of(50, 45, 42), NONE, NONE, false, 0.05)], [true, false]);
  assert.not.ok(said(of(50, 45, 44), NONE, of(5, 0, 5), true, 0));
});

test('it tells why in one sentence', () => {
  const why = (held: Count, remembered: Count, fresh: Count): string => decide({ held, remembered, fresh }, { hasNewClasses: false }).why;
  assert.is(why(of(50, 45, 44), NONE, NONE), 'it is right on 44 of 50 held-out pictures, where the adapter in use is on 45');
  assert.is(
    why(of(50, 45, 46), of(1, 1, 1), of(5, 2, 4)),
    'it is right on 46 of 50 held-out pictures (45 before), 1 of 1 remembered picture (1 before), 4 of 5 new ones (2 before)',
  );
  assert.is(why(NONE, NONE, NONE), 'there is no picture to judge by');
  assert.is(why(of(4, 4, 4), NONE, of(5, 5, 4)), 'it is right on 8 of all 9 judged pictures, the adapter in use on 9');
});

test.run();
