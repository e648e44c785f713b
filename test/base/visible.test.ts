import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../src/base/error.ts';
import { spelled, visible, visibleBytes, visibleJson, visibleLines } from '../../src/base/visible.ts';
import { escapeText } from '../../src/report/chart.ts';
import { table } from '../../src/report/terminal.ts';

test('what a terminal obeys, nobody sees or turns a line around is escaped; letters and emoji are not', () => {
  assert.is(visible('a\nb\r\t\u001b[31m\u0007\u009b\u007f'), 'a\\nb\\r\\t\\u001b[31m\\u0007\\u009b\\u007f');
  assert.is(
    visible('\u202egpj.exe\u2066\u200f\u061c\ufeff\u2028\u{e0041}\ud800'),
    '\\u202egpj.exe\\u2066\\u200f\\u061c\\ufeff\\u2028\\u{e0041}\\ud800',
  );
  for (const plain of ['größe', 'שלום', 'عربى', '日本', '👩\u200d🚒', 'नि\u200dक्', "a'b\\c"]) assert.is(visible(plain), plain);
  assert.is(visibleLines('a\n\u001b'), 'a\n\\u001b');
  assert.is(spelled('e\u0301'), 'e\\u0301');
  assert.is(visibleBytes(Uint8Array.of(97, 0xe9, 10)), 'a\\xe9\\x0a');
});

test('every code point that Unicode calls a control, a format or a separator of lines, but for joiners and signs that are seen', () => {
  const seen = new Set([0x200c, 0x200d, 0x6dd, 0x70f, 0x8e2, 0x890, 0x891, 0x110bd, 0x110cd]);
  for (let code = 0; code < 0x110000; code++) {
    const c = String.fromCodePoint(code);
    if (/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]/u.test(c) || (/\p{Cf}/u.test(c) && code < 0x2070 && code >= 0x700 && !seen.has(code)))
      assert.not.equal(visible(c), c, code.toString(16));
    if (/[\p{L}\p{N}\p{P}\p{S}\p{M}]/u.test(c)) assert.is(visible(c), c, code.toString(16));
  }
});

test('JSON stays JSON of the same value', () => {
  const value = { 'a\u202e': 'b\u009b\n\ufeff\u{e0041}\u007f', c: [1, null] };
  const json = visibleJson(JSON.stringify(value));
  assert.equal(JSON.parse(json), value);
  assert.match(json, /^[ -~]*$/);
});

test('sentences, tables and pages', () => {
  const error = new InputError({ where: 'a\u001b', what: 'b\n', got: 'c\u202e', expected: 1, hint: '\u0007' });
  assert.is(error.message, 'a\\u001b: b\\n, got c\\u202e, expected 1; \\u0007');
  assert.equal([error.where, error.got, error.expected, error.hint], ['a\\u001b', 'c\\u202e', 1, '\\u0007']);
  assert.is(table([['a\nb', '1']]), 'a\\nb  1');
  assert.is(escapeText('<\u001b>\u202e'), '&lt;\\u001b&gt;\\u202e');
});

test.run();
