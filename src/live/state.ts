/**
 * What a watch knows, in its folder, so that it can be killed at any time and go on:
 *
 *     watch.json      all of State, written whole or not at all
 *     log.jsonl       what happened, a line each
 *     adapters/7/     adapters that were accepted, the newest --keep-last of them
 *     next/           the run that is going on, with its own checkpoints
 *     lock-1          held by the program that watches
 */
import { join } from 'node:path';
import { InputError, shownValue } from '../base/error.ts';
import { fileExists, readJson, writeText } from '../base/files.ts';
import { isRecord } from '../base/json.ts';
import type { Waited } from './schedule.ts';

/** `learn` and `held`: what a picture was for in an accepted round. `aside`: its round was refused or rolled back. */
export type Part = 'learn' | 'held' | 'aside';

/** A picture that has been in a round. */
export interface Seen {
  label: string;
  part: Part;
  /** The round's number. */
  round: number;
  bytes: number;
  modifiedMs: number;
  /** SHA-256 of its bytes. */
  content: string;
  /** Of one that is aside: how many rounds with it were refused. Below MOST_TRIES it joins the next one. */
  tries?: number;
}

/** What an adapter was worse by than the best before it, in pictures: losses that were let through, until they are made up for. */
export interface Debt {
  held: number;
  remembered: number;
}

/** An adapter that was accepted. */
export interface Kept {
  /** Of its round, and its folder's name. */
  number: number;
  /** When, by the machine's clock, as ISO 8601. */
  at: string;
  /** Why, in a sentence. */
  why: string;
  /** What it is worse by than the best before it ; absent: nothing. */
  debt?: Debt;
}

export interface Decision {
  isAccepted: boolean;
  /** Why, in a sentence. */
  why: string;
  /** What was counted, for the log. */
  counts?: object;
  /** Of the adapter that is accepted. */
  debt?: Debt;
}

/** A round that is going on. */
export interface Round {
  number: number;
  /** What started it. */
  cause: string;
  /** Its new pictures, by their paths below the folder; not yet among `pictures`. */
  pictures: Record<string, Omit<Seen, 'round'>>;
  /** Once it has been judged. */
  decision?: Decision;
}

export interface State {
  format: 1;
  /** The number of the next round. */
  next: number;
  /** Oldest first; the last one is in use. */
  kept: Kept[];
  pictures: Record<string, Seen>;
  round: Round | null;
  waited: Waited | null;
}

export const STATE = 'watch.json';
export const LOG = 'log.jsonl';
export const NEXT = 'next';
/** Rounds that a picture may be in before it stays aside: it may have been refused for others' sake. */
export const MOST_TRIES = 2;
const MOST_BYTES = 256 << 20;

const EMPTY: State = { format: 1, next: 1, kept: [], pictures: {}, round: null, waited: null };

export const isWatchFolder = (folder: string): boolean => fileExists(join(folder, STATE));
export const adapterPath = (folder: string, { number }: Pick<Kept, 'number'>): string => join(folder, 'adapters', String(number));
/** The adapter in use; undefined before the first one. */
export const currentOf = ({ kept }: State): Kept | undefined => kept.at(-1);

/** How many pictures were learnt from, judge, and are set aside. */
export function partsOf({ pictures }: State): Record<Part, number> {
  const counts = { learn: 0, held: 0, aside: 0 };
  for (const { part } of Object.values(pictures)) counts[part]++;
  return counts;
}

/** What the folder says; InputError where it is damaged. A folder without it begins anew. */
export function readState(folder: string): State {
  const path = join(folder, STATE);
  if (!fileExists(path)) return structuredClone(EMPTY);
  const read = readJson(path, MOST_BYTES);
  const need = (isFine: boolean, name: string, value: unknown): void => {
    if (!isFine)
      throw new InputError({
        where: path,
        what: `bad ${name}`,
        got: shownValue(value),
        expected: 'what s2a watch wrote',
        hint: 'another --out begins anew',
      });
  };
  const { format, next, kept, pictures, round, waited } = read;
  need(format === 1, 'format', format);
  need(isCount(next), 'next', next);
  need(Array.isArray(kept) && kept.every(isKept), 'kept', kept);
  need(isRecord(pictures) && Object.values(pictures).every((seen) => isSeen(seen) && isCount((seen as Seen).round)), 'pictures', pictures);
  need(round === null || isRound(round), 'round', round);
  need(waited === null || (isRecord(waited) && ['waited', 'at', 'slot'].every((name) => Number.isFinite(waited[name]))), 'waited', waited);
  return read as unknown as State;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): boolean => typeof value === 'string';
const isDebt = (value: unknown): boolean => value === undefined || (isRecord(value) && isCount(value.held) && isCount(value.remembered));
const isKept = (value: unknown): boolean =>
  isRecord(value) && isCount(value.number) && isText(value.at) && isText(value.why) && isDebt(value.debt);
const isSeen = (value: unknown): boolean =>
  isRecord(value) &&
  isText(value.label) &&
  ['learn', 'held', 'aside'].includes(String(value.part)) &&
  isCount(value.bytes) &&
  Number.isFinite(value.modifiedMs) &&
  isText(value.content) &&
  (value.tries === undefined || isCount(value.tries));
const isRound = (value: unknown): boolean =>
  isRecord(value) &&
  isCount(value.number) &&
  isText(value.cause) &&
  isRecord(value.pictures) &&
  Object.values(value.pictures).every(isSeen) &&
  (value.decision === undefined ||
    (isRecord(value.decision) &&
      typeof value.decision.isAccepted === 'boolean' &&
      isText(value.decision.why) &&
      isDebt(value.decision.debt)));

/** Writes it whole or not at all. */
export const writeState = (folder: string, state: State): void => writeText(join(folder, STATE), `${JSON.stringify(state)}\n`);
