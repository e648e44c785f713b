import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lineChart, ticks } from '../../src/report/chart.ts';
import { paddingBytes } from '../../src/report/data.ts';
import { reportPage } from '../../src/report/html.ts';
import { wilson } from '../../src/report/page.ts';
import { unbalanced } from './markup.ts';
import { sample } from './sample.ts';

test('the page is complete: nothing is fetched, nothing runs', () => {
  const page = reportPage(sample());
  assert.not.match(page, /<script|<link|@import|url\(|\son\w+=/i);
  for (const [, source] of page.matchAll(/\b(?:src|href)="([^"]*)"/g)) assert.match(source!, /^data:image\/png;base64,/);
});

test('the markup is balanced, and there are no gaps in the numbers', () => {
  const page = reportPage(sample());
  assert.is(unbalanced(page), undefined);
  assert.is(unbalanced('<p><b></p>'), '</p>');
  assert.not.match(page, /NaN|undefined|Infinity|\[object/);
});

test('names from outside are text, never markup', () => {
  const evil = '<img src=x onerror=alert(1)> & "quoted" \'too\'';
  const data = sample();
  data.title = data.summary = data.command = data.adapter = data.accuracy!.part = data.plan.label = evil;
  data.skipped = [{ file: evil, reason: evil }];
  data.configuration = [{ name: evil, value: evil }];
  data.pictures = [{ ...data.pictures[0]!, truth: evil, predicted: evil, file: evil }];
  const page = reportPage(data);
  assert.not.match(page, /<img src=x/);
  assert.is(unbalanced(page), undefined);
  assert.match(page, /&lt;img src=x onerror=alert\(1\)&gt; &amp; &quot;quoted&quot; &#39;too&#39;/);
});

test('it says what happened', () => {
  const data = sample();
  const page = reportPage(data);
  for (const text of ['10.0 %', '50.2 %', '71.4 %', '67.3 % to 75.2 %', 'budget 24.0 MiB', 'equal to the byte', '71.3 MiB resident'])
    assert.ok(page.includes(text), text);
  assert.is(page.split('over the budget').length - 1, 2);
  assert.is(page.split('<figure').length - 1, 24);
  assert.is(page.split('class="wrong"').length - 1, 5);
  data.pictures = data.pictures.filter((p) => p.truth === p.predicted);
  assert.ok(reportPage(data).includes('All 19 are right.'));
  data.measured.linearBytes += 65536;
  assert.ok(reportPage(data).includes('a difference of 65536 bytes'));
});

test('what is not known is left out', () => {
  const data = sample();
  delete data.accuracy!.head;
  delete data.budgetBytes;
  delete data.measured.residentBytes;
  data.others = [];
  data.skipped = [];
  data.pictures = [];
  for (const epoch of data.epochs) delete epoch.trainAccuracy;
  const page = reportPage(data);
  assert.not.match(page, /classifier alone|budget 24\.0|resident|Skipped|<figure|NaN|undefined/);
  assert.is(unbalanced(page), undefined);
});

test('the widths of a bar are its parts, padding included', () => {
  const data = sample();
  const widths = [
    ...reportPage(data).matchAll(/<div class="track"><span style="width:([\d.]+)%;background:var\(--frozen\)" title(.*?)<\/div>/g),
  ];
  assert.is(widths.length, 3);
  const last = [...widths[2]![0].matchAll(/width:([\d.]+)%/g)].reduce((sum, m) => sum + Number(m[1]), 0);
  assert.ok(Math.abs(last - 100) < 0.01, `${last}`);
  assert.ok(paddingBytes(data.plan) >= 0 && paddingBytes(data.plan) < 65536);
});

test('a run of one epoch, and a loss that was not a number, still make a chart', () => {
  const data = sample();
  data.epochs = data.epochs.slice(0, 1);
  data.bestEpoch = 1;
  data.losses = [{ step: 1, loss: Number.NaN }];
  assert.not.match(reportPage(data), /NaN|Infinity/);
  data.losses = [];
  assert.not.match(reportPage(data), /NaN|Infinity/);
});

test('a long run is thinned', () => {
  const data = sample();
  const size = reportPage(data).length;
  data.losses = Array.from({ length: 200_000 }, (_, i) => ({ step: i + 1, loss: 1 }));
  assert.ok(reportPage(data).length < size + 10_000);
});

test('ticks are round and inside', () => {
  assert.equal(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.equal(ticks(0.13, 2.4, 5), [0.5, 1, 1.5, 2]);
  assert.equal(ticks(3, 3, 5), [3]);
});

test('a line breaks where a value is missing', () => {
  const points = [
    [0, 1],
    [1, 2],
    [2, Number.NaN],
    [3, 1],
  ] as const;
  const svg = lineChart({ title: 't', xLabel: 'x', yLabel: 'y', series: [{ label: 's', points }] });
  assert.is(svg.match(/ d="([^"]*)"/)![1]!.replace(/[^ML]/g, ''), 'MLM');
});

test("Wilson's interval: a textbook case and the ends", () => {
  const [low, high] = wilson(0.8, 10);
  assert.ok(Math.abs(low - 0.4902) < 5e-4 && Math.abs(high - 0.9433) < 5e-4, `${low} ${high}`);
  assert.is(wilson(0, 20)[0], 0);
  assert.ok(wilson(1, 20)[1] > 1 - 1e-9 && wilson(1, 20)[1] <= 1);
});

test.run();
