/** `s2a fleet status`: the rounds and the nodes of a run, from the folder that its server writes. */
import { writeText } from '../../src/base/files.ts';
import { fleetStatus, type Gone } from '../../src/fleet/status.ts';
import { fleetPage } from '../../src/report/fleet.ts';
import { formatBytes, formatDuration, formatPercent, table } from '../../src/report/terminal.ts';
import { tryFile } from '../../src/training/beforehand.ts';
import { parse } from './options.ts';
import type { Output } from './output.ts';

/** Rounds whose reasons are told on a terminal. */
const TOLD = 3;

export function status(args: string[], out: Output): void {
  const p = parse(args, { json: 'flag', report: 'text' }, { least: 1, most: 1, usage: 's2a fleet status <the server app’s folder>' });
  const path = p.text('report');
  if (path !== undefined) tryFile(path, '--report');
  const found = fleetStatus(p.positionals[0]!);
  if (path !== undefined) {
    writeText(path, fleetPage(found));
    out.note(`report ${path}`);
  }
  if (p.flag('json')) {
    out.json(found);
    return;
  }
  const share = (value: number | null): string => (value === null ? '' : formatPercent(value));
  const rounds = found.rounds.map((r) => [
    ...[String(r.round), String(r.nodes), r.loss === null ? '' : r.loss.toFixed(3), share(r.accuracy)],
    ...[formatBytes(r.down), formatBytes(r.up), formatDuration(r.seconds), String(r.fell.length), String(r.refused.length)],
  ]);
  out.line(table([['round', 'nodes', 'loss', 'held out', 'down', 'up', 'time', 'fell out', 'refused'], ...rounds]));
  const nodes = found.nodes.map((n) => [
    ...[n.name, n.round === null ? 'none' : String(n.round), String(n.pictures), share(n.accuracy), n.judged === 0 ? '' : String(n.judged)],
    ...[formatBytes(n.down), formatBytes(n.up)],
  ]);
  out.line(`\n${table([['node', 'last round', 'pictures', 'held out', 'of', 'down', 'up'], ...nodes])}`);
  for (const { round, fell, refused } of found.rounds.slice(-TOLD))
    for (const one of [...fell, ...refused]) out.warn(`round ${round}: ${sentenceOf(one)}`);
}

/** With the node's name, where the reason does not begin with it. */
const sentenceOf = ({ name, why }: Gone): string => (why.startsWith(name) ? why : `${name}: ${why}`);
