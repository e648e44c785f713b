/**
 * How a fleet's run stands, from the lines that the server app writes (metrics.jsonl): one object a line for each phase of each round, with what every node said.
 * docs/fleet.md names the fields. A last line that is still being written is left for the next look.
 */
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { isFolder } from '../base/files.ts';
import { isRecord, parseJson } from '../base/json.ts';
import { readLimitedText } from '../base/reading.ts';

/** A round as a whole: what was learnt, and how the mean of it does. */
export interface RoundStatus {
  /** 0: before the first. */
  round: number;
  /** Nodes whose updates are in the mean. */
  nodes: number;
  /** Over what was learnt from, while it was; null where nothing has been. */
  loss: number | null;
  /** Of the pictures that nodes hold out, over all of them; null where none was judged. */
  accuracy: number | null;
  /** Bytes of messages to the nodes and from them. */
  down: number;
  up: number;
  seconds: number;
  /** Nodes that did not answer, and that were refused, each with why. */
  fell: string[];
  refused: string[];
}

/** A node as it was last heard of. */
export interface NodeStatus {
  name: string;
  /** The last round that its update is in; null: none. */
  round: number | null;
  /** Pictures that it learns from. */
  pictures: number;
  /** The fleet's adapter over its own held-out pictures: the share that is right, and when. */
  accuracy: number | null;
  judged: number;
  /** Bytes of messages to it and from it, the whole run. */
  down: number;
  up: number;
}

export interface FleetStatus {
  rounds: RoundStatus[];
  nodes: NodeStatus[];
}

/** Longest file that is read. */
const MOST = 256 << 20;

const numberOf = (value: unknown, where: string, key: string): number => {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new InputError({ where, what: `does not say ${key}`, expected: 'a number' });
  return value;
};
const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isRecord) : []);
const textsOf = (value: unknown): string[] => listOf(value).map(({ name, why }) => String(why ?? name ?? 'no reason given'));

/** Reads the lines of a run: `path` is the server's folder, or the file itself. InputError where a line is no such object. */
export function fleetStatus(path: string): FleetStatus {
  const file = isFolder(path) ? join(path, 'metrics.jsonl') : path;
  const text = readLimitedText(file, MOST, 'a fleet’s lines');
  const lines = text.split('\n');
  // What follows the last line feed is not written to its end.
  lines.pop();
  const rounds = new Map<number, RoundStatus>();
  const nodes = new Map<string, NodeStatus>();
  for (const [i, line] of lines.entries()) {
    const where = `${file}, line ${i + 1}`;
    addLine(where, parseJson(where, new TextEncoder().encode(line)), rounds, nodes);
  }
  const byName = (a: NodeStatus, b: NodeStatus): number => (a.name < b.name ? -1 : 1);
  return { rounds: [...rounds.values()].sort((a, b) => a.round - b.round), nodes: [...nodes.values()].sort(byName) };
}

function addLine(where: string, line: Record<string, unknown>, rounds: Map<number, RoundStatus>, nodes: Map<string, NodeStatus>): void {
  const round = numberOf(line.round, where, 'round');
  const empty = { round, nodes: 0, loss: null, accuracy: null, down: 0, up: 0, seconds: 0, fell: [], refused: [] };
  const found: RoundStatus = rounds.get(round) ?? empty;
  rounds.set(round, found);
  const traffic = isRecord(line.traffic) ? line.traffic : {};
  found.down += numberOf(traffic.down, where, 'traffic.down');
  found.up += numberOf(traffic.up, where, 'traffic.up');
  found.seconds += numberOf(line.seconds, where, 'seconds');
  found.fell.push(...textsOf(line.fell));
  found.refused.push(...textsOf(line.refused));
  const mean = isRecord(line.mean) ? line.mean : undefined;
  const answers = listOf(line.nodes);
  if (line.phase === 'train') {
    found.nodes = answers.length;
    found.loss = mean === undefined ? null : numberOf(mean.loss, where, 'mean.loss');
  }
  if (line.phase === 'evaluate' && mean !== undefined) found.accuracy = numberOf(mean.accuracy, where, 'mean.accuracy');
  for (const answer of answers) addAnswer(where, round, String(line.phase), answer, nodes);
}

function addAnswer(where: string, round: number, phase: string, answer: Record<string, unknown>, nodes: Map<string, NodeStatus>): void {
  const name = String(answer.name);
  const node: NodeStatus = nodes.get(name) ?? { name, round: null, pictures: 0, accuracy: null, judged: 0, down: 0, up: 0 };
  nodes.set(name, node);
  node.down += numberOf(answer.down, where, 'down');
  node.up += numberOf(answer.up, where, 'up');
  const examples = numberOf(answer.examples, where, 'examples');
  if (phase === 'evaluate') {
    node.judged = examples;
    node.accuracy = examples === 0 ? null : numberOf(answer.accuracy, where, 'accuracy');
    return;
  }
  node.pictures = examples;
  if (phase === 'train') node.round = round;
}
