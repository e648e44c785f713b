import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkNormalize, readNormalize } from '../../src/input/normalize.ts';
import { refused } from '../support/folder.ts';

test('words and numbers of a command line', () => {
  assert.is(readNormalize('measured', '--normalize'), 'measured');
  assert.is(readNormalize('model', '--normalize'), 'model');
  assert.equal(readNormalize('0.5/0.25', '--normalize'), { mean: [0.5], std: [0.25] });
  assert.equal(readNormalize('1,-2/3,4', '--normalize'), { mean: [1, -2], std: [3, 4] });
  for (const text of ['', 'none', '1', '1/', '/1', '1/0', '1/-1', '1,,2/1', '1/2/3', 'a/b'])
    refused(() => readNormalize(text, '--normalize'), '--normalize: wrong value', 'expected measured, model or MEAN/STD');
});

test('what a library is given', () => {
  for (const value of ['measured', 'model', { mean: 0, std: 1 }, { mean: [0, 1], std: [1, 2] }]) checkNormalize(value, 'normalize');
  for (const value of ['given', 3, null, { mean: 0 }, { mean: 0, std: 0 }, { mean: [], std: 1 }, { mean: 0, std: 1, more: 1 }])
    refused(() => checkNormalize(value, 'normalize'), 'normalize: wrong value');
});

test.run();
