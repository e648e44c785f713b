/** `s2a eval` as a person uses it: figures, the page, a folder of one class, a table. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFolder } from '../support/folder.ts';
import { asks, COLOURS, colourPng, does, pictureFolder, refuses, SHORT, s2a, VIT } from './command.ts';

const photos = pictureFolder();
const adapter = join(newFolder(), 'adapter');
does('train', VIT, photos, '--out', adapter, ...SHORT);
// What is not what its folder says is a mistake, whatever was learnt.
for (const i of [6, 7]) writeFileSync(join(photos, 'red', `${i}.png`), colourPng(COLOURS.indexOf('blue'), i));

interface Evaluated {
  accuracy: number;
  correct: number;
  count: number;
  mean: { recall: number; f1: number };
  calibration: { error: number; bins: { count: number }[] };
  classes: { label: string; count: number; answered: number; correct: number; recall: number | null }[];
  confusion: number[][];
}

test('the figures, on the terminal, as JSON and on a page', () => {
  const page = join(newFolder(), 'page.html');
  const text = does('eval', VIT, adapter, photos, '--report', page).stdout;
  const json = asks<Evaluated>('eval', VIT, adapter, photos);
  assert.is(json.count, 20);
  assert.ok(json.correct < 20, 'something has to be wrong for this test');
  const diagonal = json.confusion.reduce((sum, row, i) => sum + row[i]!, 0);
  assert.equal([diagonal, json.confusion.flat().reduce((a, b) => a + b)], [json.correct, 20]);
  assert.is(
    json.calibration.bins.reduce((sum, { count }) => sum + count, 0),
    20,
  );
  const html = readFileSync(page, 'utf8');
  for (const share of [json.accuracy, json.mean.recall, json.mean.f1, json.calibration.error]) {
    const shown = `${(100 * share).toFixed(1)} %`;
    assert.ok(text.includes(shown) && html.includes(shown), shown);
  }
  const wrong = 20 - json.correct;
  assert.is(html.split('class="wrong"').length - 1, wrong);
  assert.ok(html.includes(`All of ${wrong} mistakes in 20 pictures`));
});

test('a folder of one class, though a class cannot be learnt from it', () => {
  const one = newFolder();
  mkdirSync(join(one, 'red'));
  for (let i = 0; i < 3; i++) writeFileSync(join(one, 'red', `${i}.png`), colourPng(COLOURS.indexOf('red'), i));
  const { count, classes } = asks<Evaluated>('eval', VIT, adapter, one);
  assert.is(count, 3);
  assert.equal(
    classes.map((c) => c.count),
    [0, 0, 3],
  );
  assert.is(classes[0]!.recall, null);
  refuses(2, ['train', VIT, one, '--out', join(newFolder(), 'x')], 'only one class');
});

test('a table in the place of the folder, of one class and without a part to learn from', () => {
  const table = join(photos, 'some.csv');
  writeFileSync(table, 'file,label,split\nred/0.png,red,test\nred/1.png,red,test\n');
  assert.is(asks<Evaluated>('eval', VIT, adapter, table).count, 2);
  refuses(2, ['eval', VIT, adapter, table, '--labels', table], 'some.csv: is a table of labels, and --labels names another');
  refuses(2, ['eval', VIT, adapter, join(photos, 'none.csv')], 'none.csv');
  writeFileSync(table, 'file,label\nred/0.png,violet\n');
  refuses(2, ['eval', VIT, adapter, table], 'class violet is unknown to the adapter');
});

interface Unknown {
  share: number;
  count: number;
  refused: number;
  named: { count: number; correct: number };
  others: { count: number; refused: number; auroc: number } | null;
}

test('what is called unknown: of known pictures, and of a folder named unknown; on the page as on the terminal', () => {
  const data = pictureFolder(24);
  const known = join(newFolder(), 'known');
  does('train', VIT, data, '--out', known, ...SHORT, '--hold-out', '0.5');
  const told = (...args: string[]): Unknown | null => asks<{ unknown: Unknown | null }>('eval', VIT, known, ...args).unknown;
  const alone = told(data)!;
  assert.equal([alone.share, alone.count, alone.named.count, alone.others], [0.05, 72, 72 - alone.refused, null]);
  // What predict says, picture by picture.
  const refused = does('predict', VIT, known, data, '--json').stdout.trim().split('\n');
  assert.is(refused.filter((line) => line.includes('"known":false')).length, alone.refused);
  mkdirSync(join(data, 'unknown'));
  const noise = (seed: number) => Uint8Array.from({ length: 3600 }, (_, i) => ((i * i * (7 + seed) + i * 31) >> 3) & 255);
  for (let i = 0; i < 5; i++)
    writeFileSync(join(data, 'unknown', `${i}.png`), encode({ width: 40, height: 30, data: noise(i), channels: 3, depth: 8 }));
  const beside = told(data)!;
  assert.equal({ ...beside, others: null }, alone);
  assert.is(beside.others!.count, 5);
  const others = does('predict', VIT, known, join(data, 'unknown'), '--json').stdout.trim().split('\n');
  assert.is(others.filter((line) => line.includes('"known":false')).length, beside.others!.refused);
  assert.ok(told(data, '--unknown', '50%')!.refused > alone.refused);
  const page = join(newFolder(), 'page.html');
  const text = does('eval', VIT, known, data, '--report', page).stdout;
  const html = readFileSync(page, 'utf8');
  for (const figure of [`${beside.refused} of 72`, `${beside.others!.refused} of 5`, beside.others!.auroc.toFixed(3)])
    assert.ok(text.includes(figure) && html.includes(figure), figure);
  // The other figures do not know of them.
  assert.is(asks<Evaluated>('eval', VIT, known, data).count, 72);
  refuses(2, ['eval', VIT, known, join(data), '--unknown', 'off'], 'class unknown is unknown', 'cannot be told');
  refuses(2, ['eval', VIT, adapter, data], 'class unknown is unknown', 'too few');
});

test('a page that cannot be written is said before anything is judged', () => {
  const ran = s2a('eval', VIT, adapter, photos, '--report', '/proc/page.html');
  assert.is(ran.code, 2);
  assert.match(ran.stderr, /^s2a: \S*\/proc\//);
  assert.is(ran.stdout, '');
});

test.run();
