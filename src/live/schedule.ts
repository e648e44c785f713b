/**
 * When a watch trains: at stated times of day, at most every so often, or once there are so many new pictures. What is due follows from two clocks:
 * the steady one counts how long a program has waited, whatever is done to the wall's; the wall's tells times of day, and the time while the program
 * was off. A wall clock that jumps never makes a run happen twice, nor keeps one from happening: one that was ahead is noticed, and counted from anew.
 */
import { InputError } from '../base/error.ts';

/** What starts a run; several may be given. */
export interface Triggers {
  /** Times of day, in minutes since midnight, by the machine's own zone. */
  at: readonly number[];
  /** Milliseconds between two runs, at least. */
  every?: number;
  /** New pictures that start one. */
  after?: number;
}

export interface Clock {
  /** Milliseconds since 1970, as the machine has them. */
  wall(): number;
  /** Milliseconds since some moment, which no setting of the clock changes. */
  steady(): number;
}

export const CLOCK: Clock = { wall: () => Date.now(), steady: () => performance.now() };

/** What is kept on disk of it. */
export interface Waited {
  /** Milliseconds waited since the last run. */
  waited: number;
  /** When that was written, by the wall's clock. */
  at: number;
  /** The last time of day that has been dealt with, as a moment of the wall's clock. */
  slot: number;
}

const DAY = 24 * 3600e3;
/** A wait is written to disk so often: a board without a clock counts on from there. */
const KEEP_MS = 600e3;

export interface Schedule {
  /** Why a run is due, as the beginning of a sentence; undefined where none is. `fresh`: new pictures. */
  due(fresh: number): string | undefined;
  /** A run has begun. */
  began(): void;
  /** What is to be kept on disk. */
  waited(): Waited;
  /** Whether it has changed enough to be written again. */
  isStale(): boolean;
}

/** The last moment of one of these times of day that is not after `now`. */
export function lastSlot(now: number, at: readonly number[]): number {
  let last = Number.NEGATIVE_INFINITY;
  const today = new Date(now);
  for (const back of [0, 1])
    for (const minutes of at) {
      // By the calendar, so that a day of 23 or 25 hours has each time of day once.
      const slot = new Date(today.getFullYear(), today.getMonth(), today.getDate() - back, 0, minutes).getTime();
      if (slot <= now) last = Math.max(last, slot);
    }
  return last;
}

export function createSchedule({ at, every, after }: Triggers, clock: Clock, before?: Waited): Schedule {
  const now = clock.wall();
  let began = clock.steady();
  // A clock that stands before what was written has been set back: then only what was written counts.
  let earlier = before === undefined ? 0 : before.waited + Math.max(0, now - before.at);
  let slot = before?.slot ?? lastSlot(now, at);
  let kept = began;
  const waited = (): number => earlier + clock.steady() - began;

  const slotDue = (fresh: number): string | undefined => {
    if (at.length === 0) return undefined;
    const wall = clock.wall();
    const last = lastSlot(wall, at);
    // It was dealt with by a clock that was ahead, more than a day or a change of summer time explain.
    if (slot > wall + DAY / 8) slot = last;
    if (last <= slot) return undefined;
    if (fresh === 0) {
      slot = last;
      return undefined;
    }
    return `at ${timeOf(new Date(last))}`;
  };
  return {
    due(fresh) {
      const daily = slotDue(fresh);
      if (fresh === 0) return undefined;
      if (daily !== undefined) return daily;
      if (after !== undefined && fresh >= after) return `after ${fresh} new pictures`;
      return every !== undefined && waited() >= every ? `every ${durationText(every)}` : undefined;
    },
    began() {
      earlier = 0;
      began = clock.steady();
      if (at.length > 0) slot = Math.max(lastSlot(clock.wall(), at), slot > clock.wall() ? Number.NEGATIVE_INFINITY : slot);
    },
    waited() {
      kept = clock.steady();
      return { waited: Math.round(waited()), at: clock.wall(), slot: Number.isFinite(slot) ? slot : 0 };
    },
    isStale: () => every !== undefined && clock.steady() - kept >= Math.max(KEEP_MS, every / 10),
  };
}

const two = (n: number): string => String(n).padStart(2, '0');
const timeOf = (date: Date): string => `${two(date.getHours())}:${two(date.getMinutes())}`;

const UNITS: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, min: 60e3, h: 3600e3, d: DAY };

/** `90s`, `15m`, `6h`, `2d` in milliseconds; InputError for anything else, and for less than a second or more than a year. */
export function readDuration(text: string, where: string): number {
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,3})?)\s*(s|m|min|h|d)$/.exec(text.trim()) ?? [];
  const ms = number === undefined ? Number.NaN : Number(number) * UNITS[unit!]!;
  if (ms >= 1000 && ms <= 366 * DAY) return ms;
  throw new InputError({ where, what: 'wrong value', got: text, expected: 'a time from 1s to 366d, such as 15m, 6h or 1d' }, 'S2A_OPTION');
}

export function durationText(ms: number): string {
  const [unit, size] = [...Object.entries(UNITS)].reverse().find(([name, n]) => name !== 'min' && ms % n === 0) ?? ['s', 1e3];
  return `${ms / size}${unit}`;
}

/** `03:00` or several with commas between, in minutes since midnight. */
export const readTimes = (text: string, where: string): number[] =>
  text.split(',').map((word) => {
    const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(word.trim()) ?? [];
    if (hours !== undefined && Number(hours) < 24 && Number(minutes) < 60) return 60 * Number(hours) + Number(minutes);
    throw new InputError({ where, what: 'wrong value', got: word, expected: 'times of day, such as 03:00 or 03:00,15:30' }, 'S2A_OPTION');
  });
