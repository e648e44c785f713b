import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BudgetError, InputError, nearest, sentence, shown, shownValue } from '../../src/base/error.ts';

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

test('text from a file cannot break a sentence', () => {
  assert.is(shown('head.weight größe "x"'), 'head.weight größe "x"');
  assert.is(shown('a\nb\u001b[2J\u2028\u009b'), 'a\\nb\\u001b[2J\\u2028\\u009b');
  assert.is(shown('x'.repeat(100)), 'x'.repeat(100));
  assert.is(shown('x'.repeat(1e6)), `${'x'.repeat(97)}...`);
  assert.is(shownValue(undefined), 'nothing');
  assert.is(shownValue(['a', null]), '["a",null]');
});

test('the nearest names, best first, and none that is far', () => {
  const names = ['encoder.layer.0.bias', 'encoder.layer.1.bias', 'encoder.layer.10.bias', 'encoder.layer.2.bias', 'head', ''];
  assert.equal(nearest('encoder.layer.1.bais', names), ['encoder.layer.1.bias', 'encoder.layer.0.bias', 'encoder.layer.10.bias']);
  assert.equal(nearest('haed', names), ['head']);
  assert.equal(nearest('something else', names), []);
  assert.equal(nearest('x'.repeat(1e6), ['x'.repeat(1e6)]), []);
});

test.run();
