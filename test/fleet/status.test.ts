/** How a run stands, from lines as the server app writes them (a run of two nodes on one machine). */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fleetStatus } from '../../src/fleet/status.ts';
import { newFolder, refused } from '../support/folder.ts';

const LINES = [
  {
    round: 0,
    phase: 'query',
    seconds: 6.1,
    nodes: [
      { name: 'n0', examples: 39, down: 424, up: 946 },
      { name: 'n1', examples: 30, down: 424, up: 945 },
    ],
    traffic: { down: 848, up: 1891 },
    fell: [],
    refused: [],
  },
  {
    round: 1,
    phase: 'train',
    seconds: 3.25,
    nodes: [{ name: 'n0', examples: 39, loss: 1.2, accuracy: 0.7, seconds: 2.5, down: 27304, up: 27451 }],
    traffic: { down: 54608, up: 27451 },
    fell: [{ name: 'n1', why: 'n1: no answer within 60 s' }],
    refused: [],
    mean: { loss: 1.2, accuracy: 0.7 },
  },
  {
    round: 1,
    phase: 'evaluate',
    seconds: 3,
    nodes: [
      { name: 'n0', examples: 9, loss: 0.5, accuracy: 1, down: 100, up: 975 },
      { name: 'n1', examples: 0, loss: 0, accuracy: 0, down: 100, up: 975 },
    ],
    traffic: { down: 200, up: 1950 },
    fell: [],
    refused: [{ name: 'n1', why: 'n1: holds NaN' }],
    mean: { loss: 0.5, accuracy: 1 },
    labels: { cat: [4, 4], dog: [5, 5] },
  },
];
const text = LINES.map((line) => `${JSON.stringify(line)}\n`).join('');

test('rounds with their phases together, nodes with all that they said', () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'metrics.jsonl'), text);
  const { rounds, nodes, labels, options } = fleetStatus(folder);
  assert.equal(rounds[0], {
    ...{
      round: 0,
      nodes: 0,
      asked: 0,
      loss: null,
      learnt: null,
      accuracy: null,
      judged: 0,
      down: 848,
      up: 1891,
      seconds: 6.1,
      fell: [],
      refused: [],
    },
  });
  assert.equal(rounds[1], {
    ...{ round: 1, nodes: 1, asked: 2, loss: 1.2, learnt: 0.7, accuracy: 1, judged: 9, down: 54808, up: 29401, seconds: 6.25 },
    ...{ fell: [{ name: 'n1', why: 'n1: no answer within 60 s' }], refused: [{ name: 'n1', why: 'n1: holds NaN' }] },
  });
  const [n0, n1] = nodes.map(({ rounds: _, ...node }) => node);
  assert.equal(n0, { name: 'n0', round: 1, pictures: 39, accuracy: 1, judged: 9, down: 27828, up: 29372 });
  assert.equal(n1, { name: 'n1', round: null, pictures: 30, accuracy: null, judged: 0, down: 524, up: 1920 });
  assert.equal(nodes[0]!.rounds, [
    { round: 0, learnt: null, accuracy: null, down: 424, up: 946, seconds: null },
    { round: 1, learnt: 0.7, accuracy: 1, down: 27404, up: 28426, seconds: 2.5 },
  ]);
  assert.equal(labels, [
    { label: 'cat', right: 4, count: 4 },
    { label: 'dog', right: 5, count: 5 },
  ]);
  assert.is(options, undefined);
});

test('what the run was asked for stands beside its lines; a value that is none is refused', () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'metrics.jsonl'), text);
  writeFileSync(join(folder, 'options.json'), '{"fleet": "birds", "rounds": 10, "prox": 0.5, "resume": false}');
  const wanted = { fleet: 'birds', rounds: 10, prox: 0.5, resume: false };
  assert.equal(fleetStatus(folder).options, wanted);
  assert.equal(fleetStatus(join(folder, 'metrics.jsonl')).options, wanted);
  writeFileSync(join(folder, 'options.json'), '{"fleet": ["birds"]}');
  refused(() => fleetStatus(folder), 'options.json', 'fleet is no option');
});

test('a last line in the writing is left out; one that is no object, or lacks a number, is refused by its place', () => {
  const path = join(newFolder(), 'metrics.jsonl');
  writeFileSync(path, text);
  appendFileSync(path, '{"round": 2, "pha');
  assert.is(fleetStatus(path).rounds.length, 2);
  appendFileSync(path, '\n');
  refused(() => fleetStatus(path), 'metrics.jsonl, line 4', 'not valid JSON');
  writeFileSync(path, '{"phase": "train"}\n');
  refused(() => fleetStatus(path), 'line 1', 'does not say round');
  writeFileSync(path, text.replace('[4,4]', '[4]'));
  refused(() => fleetStatus(path), 'line 3', 'how many of cat there are');
  refused(() => fleetStatus(newFolder()), 'metrics.jsonl', 'no such file');
});

test.run();
