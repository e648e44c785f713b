/** The gate: whether a new adapter takes the place of the one in use. It counts pictures that neither has learnt from. */
import { counted } from '../base/counted.ts';
import type { Debt, Decision } from './state.ts';

/** Right answers of both adapters on the same pictures. */
export interface Count {
  count: number;
  /** Of the adapter in use. */
  before: number;
  /** Of the new one. */
  after: number;
}

/** What both were asked. */
export interface Counts {
  /** Pictures held out of earlier rounds. */
  held: Count;
  /** Remembered ones that judge. */
  remembered: Count;
  /** Held out of this round: nobody has vouched for their labels yet. */
  fresh: Count;
}

const NO_DEBT: Debt = { held: 0, remembered: 0 };

/** The share of pictures that may be lost, in sum over rounds, where nothing else is said: training again and again moves single answers to and fro. */
export const TOLERANCE = 0.02;

export interface GateOptions {
  /** An old picture may then be taken for a new class: what such a round loses is no debt. */
  hasNewClasses: boolean;
  /** A share; absent: 2 %, and one picture at least. */
  tolerance?: number | undefined;
  /** Of the adapter in use. */
  debt?: Debt | undefined;
}

/** How many pictures more may be wrong. */
const allowance = (count: number, tolerance: number | undefined): number =>
  tolerance === undefined ? Math.max(1, Math.floor(count * TOLERANCE)) : Math.floor(count * tolerance);

/** Accepts a new adapter that is no worse on what was held out before, on what is remembered, and on all of it with the round's own. */
export function decide(counts: Counts, { hasNewClasses, tolerance, debt = NO_DEBT }: GateOptions): Decision {
  const parts = [
    { part: 'held', name: 'held-out', ...counts.held },
    { part: 'remembered', name: 'remembered', ...counts.remembered },
  ] as const;
  const asked = parts.filter(({ count }) => count > 0);
  const refuse = (why: string): Decision => ({ isAccepted: false, why, counts });
  for (const { part, name, count, before, after } of asked) {
    const owed = hasNewClasses ? 0 : debt[part];
    if (before - after + owed <= Math.max(allowance(count, tolerance), after >= before ? owed : 0)) continue;
    const earlier = owed > 0 ? `, after ${owed} that were lost before` : '';
    return refuse(`it is right on ${after} of ${counted(count, `${name} picture`)}, where the adapter in use is on ${before}${earlier}`);
  }
  const [before, after, all] = [counts.held, counts.remembered, counts.fresh].reduce(
    ([b, a, n], part) => [b + part.before, a + part.after, n + part.count],
    [0, 0, 0],
  );
  if (all === 0) return { isAccepted: true, why: 'there is no picture to judge by', counts };
  if (before - after > allowance(all, tolerance))
    return refuse(`it is right on ${after} of all ${counted(all, 'judged picture')}, the adapter in use on ${before}`);
  const doubt = hasNewClasses ? undefined : doubtOf(counts);
  if (doubt !== undefined) return refuse(doubt);
  const texts = asked.map(({ name, count, before: b, after: a }) => `${a} of ${counted(count, `${name} picture`)} (${b} before)`);
  if (counts.fresh.count > 0)
    texts.push(`${counts.fresh.after} of ${counted(counts.fresh.count, 'new one')} (${counts.fresh.before} before)`);
  return { isAccepted: true, why: `it is right on ${texts.join(', ')}`, counts, debt: debtAfter(counts, debt, hasNewClasses) };
}

function debtAfter({ held, remembered }: Counts, debt: Debt, hasNewClasses: boolean): Debt {
  const of = ({ before, after }: Count, owed: number): number =>
    Math.max(0, owed + (hasNewClasses ? Math.min(0, before - after) : before - after));
  return { held: of(held, debt.held), remembered: of(remembered, debt.remembered) };
}

/** Fewer pictures say nothing. */
const LEAST_EARLIER = 10;
const LEAST_FRESH = 4;

/**
 * Wrong labels among many right ones may cost nothing that is held. But nobody can learn to guess them: the new adapter then names far fewer of the round's
 * held-out pictures rightly than of those before, by more than two standard deviations.
 */
function doubtOf({ held, remembered, fresh }: Counts): string | undefined {
  const earlier = held.count + remembered.count;
  if (earlier < LEAST_EARLIER || fresh.count < LEAST_FRESH) return undefined;
  // One right and one wrong more: that all were right does not say that all ever will be (Laplace's rule).
  const share = (held.after + remembered.after + 1) / (earlier + 2);
  const expected = share * fresh.count;
  if (fresh.after >= expected - 2 * Math.sqrt(expected * (1 - share)) - 0.5) return undefined;
  return `it is right on ${fresh.after} of ${counted(fresh.count, 'new picture')}, where ${Math.round(expected)} were expected; are their labels right?`;
}
