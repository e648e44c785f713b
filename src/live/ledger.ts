/**
 * Which pictures of the folder are new, and what each is for. A picture that judges never teaches, in any round: who compares two adapters on it would
 * otherwise find the one right that has learnt it. So its part is settled when it is first seen, follows its bytes wherever they are moved, and stays.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { turn } from '../base/pace.ts';
import { readLimited } from '../base/reading.ts';
import type { Folder, Sample } from '../data/folder.ts';
import { readHeader, Unreadable } from '../pictures/header.ts';
import { MOST_TRIES, type Round, type Seen, type State } from './state.ts';

/** A listed picture with its class's name. */
export interface Found extends Pick<Sample, 'path' | 'bytes' | 'modifiedMs'> {
  label: string;
  /** The folder or its table says that it judges. */
  isHeld: boolean;
}

/** Most bytes of a picture's file. */
const MOST_BYTES = 128 << 20;

/** All pictures that a folder has to learn from or to judge by. */
export function foundIn({ classes, train, val }: Folder): Found[] {
  const of = (samples: readonly Sample[], isHeld: boolean): Found[] =>
    samples.map(({ path, label, bytes, modifiedMs }) => ({ path, label: classes[label]!, bytes, modifiedMs, isHeld }));
  return [...of(train, false), ...of(val ?? [], true)];
}

/** What may be in a round. */
export interface Newcomers {
  /** Pictures that no round has had as they are now, and that have stood still since they were last looked at. */
  fresh: Found[];
  /** Those of a refused round, which join the next one. */
  again: Found[];
}

export function createNewcomers(): (found: readonly Found[], state: State) => Newcomers {
  let before = new Map<string, string>();
  return (found, { pictures }) => {
    const now = new Map<string, string>();
    const again: Found[] = [];
    const fresh = found.filter((one) => {
      const seen = pictures[one.path];
      if (seen && seen.label === one.label && seen.bytes === one.bytes && seen.modifiedMs === one.modifiedMs) {
        if (seen.part === 'aside' && (seen.tries ?? MOST_TRIES) < MOST_TRIES) again.push(one);
        return false;
      }
      const mark = `${one.label}/${one.bytes}/${one.modifiedMs}`;
      now.set(one.path, mark);
      return before.get(one.path) === mark;
    });
    before = now;
    return { fresh, again };
  };
}

/** What became of new pictures when they were read. */
export interface Taken {
  /** For the round. */
  pictures: Round['pictures'];
  /** The same bytes as a picture that a round has had already: known from now on, and not learnt again. */
  copies: Record<string, Seen>;
  /** Those that are not used, and why, a sentence each. */
  refused: string[];
}

/** Reads new pictures and settles their parts: of each class `share` judges, over all rounds together, and one at least of a round learns. */
export async function take(root: string, fresh: readonly Found[], state: State, share: number): Promise<Taken> {
  const taken: Taken = { pictures: {}, copies: {}, refused: [] };
  // One that is aside has taught nobody: it may get any part.
  const used = Object.values(state.pictures).filter(({ part }) => part !== 'aside');
  const known = new Map(used.map((seen) => [seen.content, seen]));
  const here = new Map<string, Found & { content: string }>();
  for (const one of fresh) {
    await turn();
    const content = contentOf(root, one);
    if (typeof content !== 'string') {
      taken.refused.push(content.why);
      taken.copies[one.path] = { ...aside(one), content: '' };
      continue;
    }
    const earlier = known.get(content);
    const twin = here.get(content);
    if (earlier?.label === one.label) taken.copies[one.path] = { ...earlier, ...standing(one), content };
    else if (twin) {
      if (twin.label !== one.label) taken.refused.push(`${one.path} is the same picture as ${twin.path}, of another class: it is not used`);
      taken.copies[one.path] = { ...aside(one), content };
    } else here.set(content, { ...one, content });
  }
  settle(taken, [...here.values()], state, share, known);
  return taken;
}

const standing = ({ label, bytes, modifiedMs }: Found): Pick<Seen, 'label' | 'bytes' | 'modifiedMs'> => ({ label, bytes, modifiedMs });
const aside = (one: Found): Omit<Seen, 'content'> => ({ ...standing(one), part: 'aside', round: 0 });

/** SHA-256 of a picture's bytes, or why it is none. */
function contentOf(root: string, { path }: Found): string | { why: string } {
  try {
    const bytes = readLimited(join(root, path), MOST_BYTES, 'a picture');
    readHeader(bytes);
    return createHash('sha256').update(bytes).digest('hex');
  } catch (error) {
    if (error instanceof Unreadable) return { why: `${path}: ${error.message}` };
    if (error instanceof InputError) return { why: error.message };
    throw error;
  }
}

function settle(
  { pictures }: Taken,
  fresh: readonly (Found & { content: string })[],
  state: State,
  share: number,
  known: ReadonlyMap<string, Seen>,
): void {
  const add = (one: Found & { content: string }, part: 'learn' | 'held'): void => {
    pictures[one.path] = { ...standing(one), part, content: one.content };
  };
  for (const label of new Set(fresh.map((one) => one.label))) {
    const own = fresh.filter((one) => one.label === label);
    const before = Object.values(state.pictures).filter((seen) => seen.label === label && seen.part !== 'aside');
    let held = before.filter(({ part }) => part === 'held').length;
    const all = before.length + own.length;
    // By their bytes: in an order that says nothing of when they came.
    const free = own.filter((one) => !one.isHeld && known.get(one.content) === undefined).sort((a, b) => (a.content < b.content ? -1 : 1));
    for (const one of own)
      if (!free.includes(one)) {
        const part = one.isHeld || known.get(one.content)?.part === 'held' ? 'held' : 'learn';
        add(one, part);
        held += part === 'held' ? 1 : 0;
      }
    const wanted = Math.max(0, Math.min(free.length - 1, Math.round(all * share) - held));
    for (const [i, one] of free.entries()) add(one, i < wanted ? 'held' : 'learn');
  }
}
