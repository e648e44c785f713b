/** What a node says of time: calls are signed with their moment, so a clock that the server's does not agree with is refused; and answers may come too late. */
import { InputError } from '../base/error.ts';
import type { Denied } from './link.ts';

/** A clock may be so far behind the server's, or ahead of it, in seconds: what flwr allows. */
const MOST_BEHIND = 300;
const MOST_AHEAD = 5;

/** Throws InputError where a server said no because of this machine's clock; `now` is what that says, in ms since 1970. */
export function checkClock(server: string, now: number, error: Denied): void {
  const behind = (error.date - now) / 1000;
  if (error.status !== 401 || !(behind > MOST_BEHIND || behind < -MOST_AHEAD)) return;
  const by = Math.abs(behind) >= 120 ? `${Math.round(Math.abs(behind) / 60)} minutes` : `${Math.round(Math.abs(behind))} s`;
  throw new InputError({
    where: server,
    what: `this machine's clock is ${by} ${behind > 0 ? 'behind' : 'ahead of'} the server's, and calls are signed with their moment`,
    got: new Date(now).toISOString(),
    expected: new Date(error.date).toISOString(),
    hint: 'set the clock (NTP)',
  });
}

const WAITED = 'the server no longer waits for an answer';

/** What is said of an answer that nobody waits for any more: until when it was waited for, in seconds since 1970. */
export function tooLate(deadline: number, now: number): string {
  const minutes = Math.round((now / 1000 - deadline) / 60);
  const ago = minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
  return minutes < 1 ? WAITED : `${WAITED}: it did until ${new Date(1000 * deadline).toISOString()}, ${ago} ago`;
}
