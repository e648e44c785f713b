/** Names, order and ends of checkpoints; what is wrong with their bytes test/training/checkpointfile.test.ts asks. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isFinished, settingOf, stepOf } from '../../../assembly/formats/checkpoint.ts';
import { wordsOf } from '../../../src/base/words.ts';

test('the step of a name, and of nothing that only looks like one', () => {
  const step = (name: string): number => stepOf((i) => name.charCodeAt(i), name.length);
  for (const n of [0, 7, 12, 4294967295]) assert.is(step(`checkpoint-${n}.s2ac`), n);
  const others = ['', '4294967296', '07', '00', '-1', '1e3', ' 1', '99999999999'].map((n) => `checkpoint-${n}.s2ac`);
  for (const name of [...others, 'checkpoint-1.s2a', 'Checkpoint-1.s2ac', 'checkpoint-1.s2ac.tmp', 'x']) assert.is(step(name), -1, name);
});

test('a run is finished where all epochs are done or patience has ended', () => {
  assert.equal(
    [isFinished(3, 1, 4, 0), isFinished(4, 1, 4, 0), isFinished(3, 1, 9, 2), isFinished(2, 1, 9, 2), isFinished(1, 2, 9, 1)],
    [false, true, true, false, false],
  );
});

test('whole numbers of settings', () => {
  const text = new TextEncoder().encode('{"batch":8,"epochs":12,"epochsLeft":3,"rate":0.5}');
  const view = new DataView(text.buffer);
  const setting = (key: string): number =>
    settingOf(
      wordsOf(() => view),
      0,
      text.length,
      key,
    );
  assert.equal([setting('"epochs":'), setting('"batch":'), setting('"patience":')], [12, 8, 0]);
});

test.run();
