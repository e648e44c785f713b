/** What a board without JavaScript says in numbers: what does not add up, or is no number, is refused in a sentence. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { countedIn, judgedIn, metricsIn } from '../../src/fleet/answered.ts';
import { refused } from '../support/folder.ts';

const LABELS = ['cat', 'dog'];
const INFO = 'to learn from   30: 10, 20\nto judge by     6: 2, 4\n';
const files = (all: Record<string, string>) => new Map(Object.entries(all).map(([name, text]) => [name, new TextEncoder().encode(text)]));

test('counts of pictures', () => {
  const counted = (text: string) => countedIn('board', files({ 'info.txt': text }), LABELS.length);
  assert.equal(counted(INFO), { count: 30, counts: [10, 20], heldOut: 6 });
  for (const text of ['', INFO.replace('30:', '31:'), INFO.replace('10, 20', '30'), INFO.replace('10, 20', '10, -20'), INFO.slice(0, 20)])
    refused(() => counted(text), 'info.txt', 'does not tell the pictures to learn from');
  refused(() => counted(INFO.replace('30: 10, 20', '99999999: 99999979, 20')), 'info.txt', 'does not tell the pictures to learn from');
  refused(() => counted(INFO.replace('30: 10, 20', '0: 0, 0')), 'no pictures to learn from');
});

test('an epoch’s line', () => {
  const line = '{"epoch":2,"trainLoss":0.5,"trainCount":30,"trainCorrect":24}';
  const metrics = (text: string) => metricsIn('board', files({ 'metrics.jsonl': text }), 2, 30);
  assert.equal(metrics(line), { loss: 0.5, accuracy: 0.8 });
  for (const loss of ['null', '1e999', '-1', '"0.5"', '[]'])
    refused(() => metrics(line.replace('0.5', loss)), 'metrics.jsonl', 'the loss is no');
  for (const text of [line.replace('24', '31'), line.replace('24', '1.5'), line.replace('30', '29'), line.replace(':2', ':1'), '{}'])
    refused(() => metrics(text), 'metrics.jsonl', 'not of the last epoch', 'expected epoch 2 of 30 pictures');
  for (const text of ['', '[]', 'null', line.slice(0, 20)]) refused(() => metrics(text), 'metrics.jsonl');
});

test('a judgement', () => {
  const text = '{"count":6,"correct":3,"loss":0.5,"classes":[{"label":"cat","count":2,"correct":1},{"label":"dog","count":4,"correct":2}]}';
  const judged = (json: string, info = INFO) => judgedIn('board', files({ 'judged.json': json, 'info.txt': info }), LABELS);
  assert.equal(judged(text), { count: 6, correct: 3, loss: 0.5, counts: [2, 4], rights: [1, 2] });
  assert.equal(judged('{"count":0}', INFO.replace('6: 2, 4', '0: 0, 0')), {
    count: 0,
    correct: 0,
    loss: 0,
    counts: [0, 0],
    rights: [0, 0],
  });
  for (const json of ['{"count":0}', '{}', text.replace('6', '5'), text.replace('6', '"6"')])
    refused(() => judged(json), 'judged.json', 'not of the pictures that info.txt counts', 'expected 6');
  for (const json of [
    text.replace('"cat"', '"dog"'),
    text.replace(/"classes".*/, '"classes":[null,null]}'),
    text.replace(/"classes".*/, '"classes":{}}'),
    text.replace('"correct":3', '"correct":4'),
    text.replace('"correct":1', '"correct":3').replace('"correct":2', '"correct":0'),
    text.replace('"count":2', '"count":2.5').replace('"count":4', '"count":3.5'),
    text.replace('"count":2', '"count":-2').replace('"count":4', '"count":8'),
  ])
    refused(() => judged(json), 'judged.json', 'does not judge these labels');
  for (const loss of ['null', '1e999', '-0.5']) refused(() => judged(text.replace('0.5', loss)), 'judged.json', 'the loss is no number');
});

test.run();
