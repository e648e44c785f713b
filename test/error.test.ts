import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BudgetError, InputError, sentence } from '../src/error.ts';

test('the parts become one sentence', () => {
  assert.is(
    sentence({ where: 'a.png', what: 'wrong size', got: 3, expected: 4, hint: 'resize it' }),
    'a.png: wrong size, got 3, expected 4; resize it',
  );
  assert.is(sentence({ where: 'a', what: 'b' }), 'a: b');
});

test('each error has its exit code', () => {
  assert.is(new InputError({ where: 'a', what: 'b' }).exitCode, 2);
  assert.is(new BudgetError({ where: 'a', what: 'b' }, 9).smallestBytes, 9);
});

test.run();
