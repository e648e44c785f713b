/** The page of a fleet: whole, text is text, and it says what the lines say. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FleetStatus } from '../../src/fleet/status.ts';
import { fleetPage, rangesOf } from '../../src/report/fleet.ts';
import { fleetSample } from './fleetsample.ts';
import { unbalanced } from './markup.ts';

/** What the page has from the server. */
const REASON = 'Array adapter has NaN or infinite numbers';

test('the page is complete: nothing is fetched, nothing runs, the markup is balanced, there are no gaps in the numbers', () => {
  const text = fleetPage(fleetSample());
  assert.not.match(text, /<script|<link|<img|@import|url\(|\ssrc=|\shref=|\son\w+=/i);
  assert.is(unbalanced(text), undefined);
  assert.not.match(text.replace(REASON, ''), /NaN|undefined|Infinity|\[object|null/);
});

test('it says what happened: accuracy, each node, traffic, who fell out and why, options', () => {
  const status = fleetSample();
  const text = fleetPage(status);
  const last = status.rounds.at(-1)!;
  for (const said of [
    'Fleet &lt;birds&gt;',
    'Round 10 of 10: 8 nodes',
    `${(100 * last.accuracy!).toFixed(1)} %`,
    '95 % interval',
    '<th>board-3</th>',
    '<td>4 to 6</td><td>fell out: No answer within 600 s</td>',
    `<td>7</td><td>refused: ${REASON}; its update is left out</td>`,
    '<th>strategy</th><td><code>&quot;fedprox&quot;</code></td>',
    '<th>swift</th>',
  ])
    assert.ok(text.includes(said), said);
  assert.is(text.split('class="spark"').length - 1, 8);
});

test('names from outside are text, never markup', () => {
  const evil = '<img src=x onerror=alert(1)> & "quoted"';
  const status = fleetSample();
  status.options = { fleet: evil, [evil]: evil };
  status.nodes[0]!.name = evil;
  status.labels[0]!.label = evil;
  status.rounds[1]!.fell = [{ name: evil, why: evil }];
  const text = fleetPage(status);
  assert.not.match(text, /<img/);
  assert.is(unbalanced(text), undefined);
});

test('a run that has only begun, and one without a judge, have pages too', () => {
  const none: FleetStatus = { options: undefined, rounds: [], nodes: [], labels: [] };
  assert.match(fleetPage(none), /Nothing has happened yet/);
  const status = fleetSample();
  for (const round of status.rounds) round.accuracy = null;
  for (const node of status.nodes) {
    node.accuracy = null;
    for (const round of node.rounds) round.accuracy = null;
  }
  for (const page of [fleetPage(none), fleetPage(status), fleetPage({ ...status, rounds: status.rounds.slice(0, 1) })]) {
    assert.not.match(page.replace(REASON, ''), /NaN|undefined|Infinity|null/);
    assert.is(unbalanced(page), undefined);
  }
  assert.match(fleetPage(status), /Nobody has judged an adapter yet/);
});

test('a fleet of a thousand nodes has a page that can be read: what is left out is counted', () => {
  const status = fleetSample();
  const nodes = Array.from({ length: 1000 }, (_, i) => ({ ...status.nodes[i % 8]!, name: `board-${i}` }));
  const text = fleetPage({ ...status, nodes });
  assert.match(text, /And 700 nodes more/);
  assert.ok(text.length < 1 << 20, `${text.length}`);
});

test('rounds in a row are a range', () => {
  assert.is(rangesOf([3, 1, 2, 7, 7, 9, 10]), '1 to 3, 7, 9 to 10');
});

test.run();
