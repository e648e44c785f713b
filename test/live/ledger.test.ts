/** Which pictures are new, and what each is for, over several rounds. */
import { copyFileSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scanFolder } from '../../src/data/scan.ts';
import { createNewcomers, type Found, foundIn, take } from '../../src/live/ledger.ts';
import { MOST_TRIES, type Seen, type State } from '../../src/live/state.ts';
import { addColours, colourPicture } from '../support/colours.ts';
import { newFolder } from '../support/folder.ts';

const EMPTY: State = { format: 1, next: 1, kept: [], pictures: {}, round: null, waited: null };
const listed = (root: string): Found[] => foundIn(scanFolder(root, { isMore: true }));
/** The state after a round with these. */
const learnt = (state: State, pictures: Record<string, Omit<Seen, 'round'>>, round: number): State => ({
  ...state,
  pictures: { ...state.pictures, ...Object.fromEntries(Object.entries(pictures).map(([path, seen]) => [path, { ...seen, round }])) },
});
const partsOf = (pictures: Record<string, { part: string }>): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { part } of Object.values(pictures)) counts[part] = (counts[part] ?? 0) + 1;
  return counts;
};

test('of every class a fifth judges, over the rounds together; one at least of a round learns', async () => {
  const root = newFolder();
  let state = EMPTY;
  let first = 0;
  const rounds: Record<string, number>[] = [];
  for (const count of [1, 2, 2, 5, 10]) {
    addColours(root, 'red', 2, first, count);
    first += count;
    const fresh = listed(root).filter(({ path }) => state.pictures[path] === undefined);
    const { pictures } = await take(root, fresh, state, 0.2);
    state = learnt(state, pictures, rounds.length);
    rounds.push(partsOf(pictures));
  }
  assert.equal(rounds, [{ learn: 1 }, { held: 1, learn: 1 }, { learn: 2 }, { held: 1, learn: 4 }, { held: 2, learn: 8 }]);
});

test('the parts follow from the bytes alone, whatever the files are called', async () => {
  const chosen = async (name: (i: number) => string): Promise<string[]> => {
    const root = newFolder();
    mkdirSync(join(root, 'red'));
    for (let i = 0; i < 10; i++) writeFileSync(join(root, 'red', name(i)), colourPicture(2, i));
    const { pictures } = await take(root, listed(root), EMPTY, 0.3);
    return Object.values(pictures)
      .filter(({ part }) => part === 'held')
      .map(({ content }) => content)
      .sort();
  };
  const one = await chosen((i) => `${i}.png`);
  assert.is(one.length, 3);
  assert.equal(await chosen((i) => `picture-${9 - i}.png`), one);
});

test('a picture keeps its part wherever it is moved or copied to', async () => {
  const root = newFolder();
  addColours(root, 'red', 2, 0, 10);
  const { pictures } = await take(root, listed(root), EMPTY, 0.2);
  const state = learnt(EMPTY, pictures, 1);
  const [held] = Object.entries(pictures).find(([, { part }]) => part === 'held')!;
  mkdirSync(join(root, 'blue'));
  copyFileSync(join(root, held), join(root, 'blue', 'moved.png'));
  copyFileSync(join(root, held), join(root, 'red', 'copy.png'));
  const fresh = listed(root).filter(({ path }) => state.pictures[path] === undefined);
  const taken = await take(root, fresh, state, 0.2);
  assert.equal([taken.pictures['blue/moved.png']!.part, taken.copies['red/copy.png']!.part, taken.refused], ['held', 'held', []]);
});

test('the same picture in two classes at once is used in the first alone, and told', async () => {
  const root = newFolder();
  addColours(root, 'red', 2, 0, 3);
  mkdirSync(join(root, 'blue'));
  copyFileSync(join(root, 'red', '1.png'), join(root, 'blue', 'same.png'));
  const { pictures, copies, refused } = await take(root, listed(root), EMPTY, 0);
  assert.equal(Object.keys(pictures).sort(), ['blue/same.png', 'red/0.png', 'red/2.png']);
  assert.is(copies['red/1.png']!.part, 'aside');
  assert.equal(refused, ['red/1.png is the same picture as blue/same.png, of another class: it is not used']);
});

test('a val folder judges', async () => {
  const root = newFolder();
  addColours(join(root, 'train'), 'red', 2, 0, 4);
  addColours(join(root, 'val'), 'red', 2, 10, 3);
  const { pictures } = await take(root, listed(root), EMPTY, 0);
  assert.equal(partsOf(pictures), { learn: 4, held: 3 });
});

test('new is what stood still since the last look; what a refused round had joins the next one, and no more', () => {
  const root = newFolder();
  addColours(root, 'red', 2, 0, 2);
  const look = createNewcomers();
  assert.equal(look(listed(root), EMPTY).fresh, []);
  writeFileSync(join(root, 'red', '1.png'), colourPicture(2, 50).subarray(0, 300));
  const paths = (found: Found[]): string[] => found.map(({ path }) => path);
  assert.equal(paths(look(listed(root), EMPTY).fresh), ['red/0.png']);
  const entry = (tries?: number): State => {
    const { size: bytes, mtimeMs } = statSync(join(root, 'red', '0.png'));
    const seen: Seen = { label: 'red', part: 'aside', round: 1, bytes, modifiedMs: Math.trunc(mtimeMs), content: 'x' };
    return { ...EMPTY, pictures: { 'red/0.png': tries === undefined ? seen : { ...seen, tries } } };
  };
  const of = (state: State): [string[], string[]] => {
    const { fresh, again } = look(listed(root), state);
    return [paths(fresh), paths(again)];
  };
  assert.equal(of(entry(1)), [['red/1.png'], ['red/0.png']]);
  assert.equal(of(entry(MOST_TRIES)), [['red/1.png'], []]);
  assert.equal(of(entry()), [['red/1.png'], []]);
  rmSync(root, { recursive: true });
});

test.run();
