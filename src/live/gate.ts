/** The gate: whether a new adapter takes the place of the one in use. It counts pictures that neither has learnt from. */
import { counted } from '../base/counted.ts';
import type { Decision } from './state.ts';

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

/** Where classes were added, so much of what is held may be lost: an old picture may now be taken for a new class. */
export const TOLERANCE = 0.02;

/** How many pictures more may be wrong. `tolerance`: a share; absent: none, and with new classes 2 % or one picture, whichever is more. */
function allowance(count: number, hasNewClasses: boolean, tolerance: number | undefined): number {
  if (tolerance !== undefined) return Math.floor(count * tolerance);
  return hasNewClasses ? Math.max(1, Math.floor(count * TOLERANCE)) : 0;
}

/** Accepts a new adapter that is no worse on what was held out before, on what is remembered, and on all of it with the round's own. */
export function decide(counts: Counts, { hasNewClasses, tolerance }: { hasNewClasses: boolean; tolerance?: number | undefined }): Decision {
  const parts: [string, Count][] = [
    ['held-out', counts.held],
    ['remembered', counts.remembered],
  ];
  const asked = parts.filter(([, { count }]) => count > 0);
  for (const [name, { count, before, after }] of asked) {
    const lost = before - after;
    if (lost > allowance(count, hasNewClasses, tolerance))
      return {
        isAccepted: false,
        why: `it is right on ${after} of ${counted(count, `${name} picture`)}, where the adapter in use is on ${before}`,
        counts,
      };
  }
  const [before, after] = [counts.held, counts.remembered, counts.fresh].reduce(
    ([b, a], part) => [b + part.before, a + part.after],
    [0, 0],
  );
  const all = counts.held.count + counts.remembered.count + counts.fresh.count;
  if (all === 0) return { isAccepted: true, why: 'there is no picture to judge by', counts };
  if (after < before && !(tolerance !== undefined && before - after <= Math.floor(all * tolerance)))
    return {
      isAccepted: false,
      why: `it is right on ${after} of all ${counted(all, 'judged picture')}, the adapter in use on ${before}`,
      counts,
    };
  const doubt = hasNewClasses ? undefined : doubtOf(counts);
  if (doubt !== undefined) return { isAccepted: false, why: doubt, counts };
  const texts = asked.map(([name, { count, before: b, after: a }]) => `${a} of ${counted(count, `${name} picture`)} (${b} before)`);
  if (counts.fresh.count > 0)
    texts.push(`${counts.fresh.after} of ${counted(counts.fresh.count, 'new one')} (${counts.fresh.before} before)`);
  return { isAccepted: true, why: `it is right on ${texts.join(', ')}`, counts };
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
