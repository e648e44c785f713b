import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hintFor, renamed } from '../../src/use/optionnames.ts';

test('flags in a sentence become options', () => {
  assert.is(renamed('--batch-size: wrong value; --lr 0.5x'), 'batchSize: wrong value; rate 0.5x');
  assert.is(renamed('nothing-here -- stays'), 'nothing-here -- stays');
});

test('a name that is none', () => {
  const allowed = ['batchSize', 'rate', 'arithmetic'];
  assert.is(hintFor('batchsize', allowed), 'did you mean batchSize?');
  assert.is(hintFor('--lr', allowed), 'did you mean rate?');
  assert.is(hintFor('fast', allowed), "it is arithmetic: 'fast' now");
  assert.is(hintFor('fast', ['rate']), undefined, 'not where the function does not take it');
});

test.run();
