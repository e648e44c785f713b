/** The page of a fleet: how its rounds went, how each node does on its own pictures, what went over the network, who fell out and why. */

import { counted } from '../base/counted.ts';
import type { FleetStatus, Gone, NodeRound, NodeStatus, RoundStatus } from '../fleet/status.ts';
import { escapeText, lineChart, type Series, spark } from './chart.ts';
import { capital, FOOTER, page, wilson } from './page.ts';
import { formatBytes, formatDuration, formatPercent } from './terminal.ts';

/** Rows of a table that a person still reads; the rest is counted, and is in `--json`. */
const [MOST_ROUNDS, MOST_NODES, MOST_GONE, MOST_LABELS] = [60, 300, 100, 100];

export function fleetPage(status: FleetStatus): string {
  const { options } = status;
  const title = options?.fleet === undefined ? 'A fleet' : `Fleet ${options.fleet}`;
  return page(title, [
    `<header><h1>${escapeText(title)}</h1><p>${escapeText(summaryOf(status))}</p></header>`,
    resultSection(status),
    `<div class="two">${accuracyChart(status)}${lossChart(status)}</div>`,
    nodesSection(status.nodes, status.rounds.at(-1)?.round ?? 0),
    labelsSection(status),
    trafficSection(status.nodes),
    goneSection(status.rounds),
    roundsSection(status.rounds),
    optionsSection(options),
    FOOTER,
  ]);
}

function summaryOf({ options, rounds, nodes }: FleetStatus): string {
  const last = rounds.at(-1)?.round ?? 0;
  const of = options?.rounds === undefined ? '' : ` of ${options.rounds}`;
  const pictures = nodes.reduce((n, node) => n + node.pictures, 0);
  const how = options?.strategy === undefined ? '' : `, strategy ${options.strategy}`;
  return `${rounds.length === 0 ? 'Nothing has happened yet' : `Round ${last}${of}`}: ${counted(nodes.length, 'node')} with ${counted(pictures, 'picture')} to learn from, which stay where they are${how}.`;
}

/** The newest judgement, with the first one beside it. */
function resultSection({ rounds }: FleetStatus): string {
  const judged = rounds.filter(({ accuracy }) => accuracy !== null);
  const last = judged.at(-1);
  if (last === undefined) return `<section><h2>Accuracy</h2><p class="quiet">Nobody has judged an adapter yet.</p></section>`;
  const [low, high] = wilson(last.accuracy!, last.judged);
  const first = judged[0]!;
  const before = first === last ? '' : ` After round ${first.round} it was ${formatPercent(first.accuracy!)}.`;
  return `<section><h2>Accuracy</h2>
<p class="big">${formatPercent(last.accuracy!)} <small>of ${counted(last.judged, 'picture')} that the nodes hold out, after round ${last.round}; 95 % interval ${formatPercent(low)} to ${formatPercent(high)}</small></p>
<p class="quiet">No node learns from these pictures.${before}</p></section>`;
}

/** A section with a chart over the rounds; nothing where there is no point of it. */
function chartSection(
  heading: string,
  yLabel: string,
  series: Series[],
  y: { range?: [number, number]; text?: (v: number) => string },
): string {
  const some = series.filter(({ points }) => points.length > 0);
  if (some.length === 0) return '';
  const chart = lineChart({
    title: heading,
    xLabel: 'round',
    yLabel,
    series: some,
    ...(y.range ? { yRange: y.range } : {}),
    ...(y.text ? { yText: y.text } : {}),
  });
  return `<section><h2>${heading}</h2>${chart}</section>`;
}

/** Points of what is known, by round. */
const over = <T extends { round: number }>(rounds: readonly T[], value: (one: T) => number | null): [number, number][] =>
  rounds.flatMap((one) => {
    const y = value(one);
    return y === null ? [] : [[one.round, y] as [number, number]];
  });

const accuracyChart = ({ rounds }: FleetStatus): string =>
  chartSection(
    'Accuracy by round',
    'accuracy',
    [
      { label: 'held out', points: over(rounds, (r) => r.accuracy) },
      { label: 'while learning', points: over(rounds, (r) => r.learnt) },
    ],
    { range: [0, 1], text: (v) => `${Math.round(100 * v)} %` },
  );

const lossChart = ({ rounds }: FleetStatus): string =>
  chartSection('Loss by round', 'loss', [{ label: 'while learning', points: over(rounds, (r) => r.loss) }], { range: [0, 0.1] });

/** A row; `more` stands small below its name. */
const row = (name: string, cells: readonly string[], more = ''): string =>
  `<tr><th>${escapeText(name)}${more === '' ? '' : ` <small>${more}</small>`}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;

/** A table that fits a phone: names break where they must. */
function tableOf(head: readonly string[], rows: readonly string[], left: string, kind = 'names'): string {
  const more = left === '' ? '' : `<p class="quiet">${left}</p>`;
  return `<div class="scroll"><table class="number ${kind}"><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>${more}`;
}

const leftOut = (count: number, most: number, what: string): string =>
  count <= most ? '' : `And ${counted(count - most, what)} more, which s2a fleet status --json tells.`;

/** As people count: board-2 before board-10. */
const inOrder = (nodes: readonly NodeStatus[]): NodeStatus[] => {
  const { compare } = new Intl.Collator('en', { numeric: true });
  return [...nodes].sort((a, b) => compare(a.name, b.name));
};

const share = (value: number | null): string => (value === null ? '' : formatPercent(value));

function nodesSection(all: readonly NodeStatus[], last: number): string {
  if (all.length === 0) return '';
  const nodes = inOrder(all);
  const rows = nodes.slice(0, MOST_NODES).map((n) => {
    const curve = spark(
      over(n.rounds, (r) => r.accuracy),
      [0, 1],
    );
    const accuracy = n.accuracy === null ? '' : `${formatPercent(n.accuracy)} <small>of ${n.judged}</small>`;
    const late = n.round === last || last === 0 ? '' : n.round === null ? 'in no round yet' : `last in round ${n.round}`;
    return row(n.name, [String(n.pictures), curve, accuracy], late);
  });
  return `<section><h2>Each node, on its own pictures</h2>
<p class="quiet">The fleet’s adapter on what each node holds out, round by round and when it was last judged; before it how many pictures the node learns from.</p>
${tableOf(['node', 'learns from', 'held out', ''], rows, leftOut(nodes.length, MOST_NODES, 'node'))}</section>`;
}

function labelsSection({ labels }: FleetStatus): string {
  const seen = labels.filter(({ count }) => count > 0);
  if (seen.length === 0) return '';
  const rows = seen
    .slice(0, MOST_LABELS)
    .map(({ label, right, count }) => row(label, [`${right} of ${count}`, formatPercent(right / count)]));
  const unseen = labels.length - seen.length;
  const none = unseen === 0 ? '' : ` Of ${counted(unseen, 'label')} more nobody holds a picture out.`;
  return `<section><h2>Labels</h2>
<p class="quiet">Over the held-out pictures of all nodes, when they were judged last.${none}</p>
${tableOf(['label', 'right', 'share'], rows, leftOut(seen.length, MOST_LABELS, 'label'))}</section>`;
}

const meanOf = (list: readonly NodeRound[], value: (one: NodeRound) => number): number =>
  list.reduce((sum, one) => sum + value(one), 0) / list.length;

/** Bytes a node and round: as a chart of the mean node, and for each node. */
function trafficSection(nodes: readonly NodeStatus[]): string {
  const byRound = new Map<number, NodeRound[]>();
  for (const { rounds } of nodes) for (const one of rounds) byRound.set(one.round, [...(byRound.get(one.round) ?? []), one]);
  if (byRound.size === 0) return '';
  const mean = (value: (one: NodeRound) => number): [number, number][] =>
    [...byRound].sort(([a], [b]) => a - b).map(([round, list]) => [round, meanOf(list, value) / 1024]);
  const chart = lineChart({
    title: 'Traffic of a node by round',
    xLabel: 'round',
    yLabel: 'KiB, the mean of all nodes',
    yRange: [0, 1],
    series: [
      { label: 'to a node', points: mean((one) => one.down) },
      { label: 'from a node', points: mean((one) => one.up) },
    ],
  });
  const rows = inOrder(nodes)
    .slice(0, MOST_NODES)
    .map((n) => {
      // What comes before the first round is no round's cost.
      const learning = n.rounds.filter(({ round }) => round > 0);
      const a = (value: (one: NodeRound) => number): string =>
        learning.length === 0 ? '' : formatBytes(Math.round(meanOf(learning, value)));
      return row(n.name, [a((one) => one.down), a((one) => one.up), formatBytes(n.down + n.up)]);
    });
  return `<section><h2>Traffic</h2>
<p class="quiet">Bytes of messages: the mean of a round for each node, and the whole run both ways.</p><div class="half">${chart}</div>
${tableOf(['node', 'to it, a round', 'from it', 'in all'], rows, leftOut(nodes.length, MOST_NODES, 'node'))}</section>`;
}

/** `1 to 3, 7` */
export function rangesOf(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const n of [...new Set(numbers)].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last !== undefined && n === last[1] + 1) last[1] = n;
    else parts.push([n, n]);
  }
  return parts.map(([a, b]) => (a === b ? String(a) : `${a} to ${b}`)).join(', ');
}

/** Who fell out or was refused: the same node for the same reason in one row. */
function goneSection(rounds: readonly RoundStatus[]): string {
  const found = new Map<string, Gone & { word: string; rounds: number[] }>();
  for (const { round, fell, refused } of rounds)
    for (const [word, list] of [['fell out', fell] as const, ['refused', refused] as const])
      for (const { name, why } of list) {
        const key = `${word}\n${name}\n${why}`;
        const one = found.get(key) ?? { name, why, word, rounds: [] };
        one.rounds.push(round);
        found.set(key, one);
      }
  if (found.size === 0) return `<section><h2>Who fell out</h2><p class="quiet">Nobody, in no round.</p></section>`;
  const said = ({ name, why }: Gone): string => capital(why.startsWith(`${name}: `) ? why.slice(name.length + 2) : why);
  const rows = [...found.values()]
    .slice(-MOST_GONE)
    .map(
      (one) => `<tr><th>${escapeText(one.name)}</th><td>${rangesOf(one.rounds)}</td><td>${one.word}: ${escapeText(said(one))}</td></tr>`,
    );
  const left = leftOut(found.size, MOST_GONE, 'reason');
  return `<section><h2>Who fell out</h2>
<p class="quiet">A round goes on without a node that does not answer (fell out), and without an answer that cannot be used (refused).</p>
<div class="scroll"><table class="names reasons"><thead><tr><th>node</th><th>rounds</th><th>why</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>${left === '' ? '' : `<p class="quiet">${left}</p>`}</section>`;
}

function roundsSection(rounds: readonly RoundStatus[]): string {
  if (rounds.length === 0) return '';
  const rows = rounds.slice(-MOST_ROUNDS).map((r) => {
    return row(String(r.round), [
      r.nodes === r.asked ? String(r.nodes) : `${r.nodes} <small>of ${r.asked}</small>`,
      ...[r.loss === null ? '' : r.loss.toFixed(3), share(r.accuracy)],
      ...[formatBytes(r.down + r.up), formatDuration(r.seconds)],
    ]);
  });
  return `<section><h2>Rounds</h2>
<p class="quiet">Round 0 is what comes before the first: who is there, and the head that they begin with.</p>
${tableOf(['round', 'nodes', 'loss', 'held out', 'traffic', 'time'], rows, leftOut(rounds.length, MOST_ROUNDS, 'round'), 'small')}</section>`;
}

function optionsSection(options: FleetStatus['options']): string {
  if (options === undefined) return '';
  const rows = Object.entries(options).map(
    ([name, value]) => `<tr><th>${escapeText(name)}</th><td><code>${escapeText(JSON.stringify(value))}</code></td></tr>`,
  );
  return `<section><h2>Strategy and options</h2>
<p class="quiet">What the run was asked for; docs/fleet.md says what each does.</p>
<div class="scroll"><table><tbody>${rows.join('\n')}</tbody></table></div></section>`;
}
