/**
 * How a fleet's run stands, from what the server app writes: metrics.jsonl, one object a line for each phase of each round, with what every node said, and options.json,
 * what the run was asked for. docs/fleet.md names the fields. A last line that is still being written is left for the next look.
 */
import { dirname, join } from 'node:path';
import { InputError } from '../base/error.ts';
import { fileExists, isFolder } from '../base/files.ts';
import { isRecord, parseJson } from '../base/json.ts';
import { readLimited, readLimitedText } from '../base/reading.ts';

/** A node that a phase went on without, and why. */
export interface Gone {
  name: string;
  why: string;
}

/** A round as a whole: what was learnt, and how the mean of it does. */
export interface RoundStatus {
  /** 0: before the first. */
  round: number;
  /** Nodes whose updates are in the mean, or whose sums are in the head, of so many that were asked. */
  nodes: number;
  asked: number;
  /** Over what was learnt from, while it was, and the share of it that was right; null where nothing has been. */
  loss: number | null;
  learnt: number | null;
  /** Of the pictures that nodes hold out, over all of them, and how many these are; null where none was judged. */
  accuracy: number | null;
  judged: number;
  /** Bytes of messages to the nodes and from them. */
  down: number;
  up: number;
  seconds: number;
  /** Nodes that did not answer, and that were refused. */
  fell: Gone[];
  refused: Gone[];
}

/** A node in one round. */
export interface NodeRound {
  round: number;
  /** The share of its own pictures that was right while it learnt from them; null where it did not. */
  learnt: number | null;
  /** The fleet's adapter over its own held-out pictures: the share that is right; null where it did not judge. */
  accuracy: number | null;
  /** Bytes of messages to it and from it. */
  down: number;
  up: number;
  /** What its learning took; null where it did not learn, or did not say. */
  seconds: number | null;
}

/** A node as it was last heard of. */
export interface NodeStatus {
  name: string;
  /** The last round that its update is in; null: none. */
  round: number | null;
  /** Pictures that it learns from. */
  pictures: number;
  /** The fleet's adapter over its own held-out pictures: the share that is right, and of how many. */
  accuracy: number | null;
  judged: number;
  /** Bytes of messages to it and from it, the whole run. */
  down: number;
  up: number;
  /** The same round by round. */
  rounds: NodeRound[];
}

/** How many held-out pictures of a label the newest adapter that was judged is right on. */
export interface LabelStatus {
  label: string;
  right: number;
  count: number;
}

export interface FleetStatus {
  /** What the run was asked for, by the options' names; undefined where the server did not write it down. */
  options: Record<string, string | number | boolean> | undefined;
  rounds: RoundStatus[];
  nodes: NodeStatus[];
  labels: LabelStatus[];
}

/** Longest files that are read. */
const MOST = 256 << 20;
const MOST_OPTIONS = 1 << 20;

const numberOf = (value: unknown, where: string, key: string): number => {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new InputError({ where, what: `does not say ${key}`, expected: 'a number' });
  return value;
};
const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isRecord) : []);
const goneIn = (value: unknown): Gone[] =>
  listOf(value).map(({ name, why }) => ({ name: String(name ?? ''), why: String(why ?? 'no reason given') }));

/** Reads the lines of a run: `path` is the server's folder, or the file itself. InputError where a line is no such object. */
export function fleetStatus(path: string): FleetStatus {
  const file = isFolder(path) ? join(path, 'metrics.jsonl') : path;
  const text = readLimitedText(file, MOST, 'a fleet’s lines');
  const lines = text.split('\n');
  // What follows the last line feed is not written to its end.
  lines.pop();
  const found: Found = { rounds: new Map(), nodes: new Map(), labels: [] };
  for (const [i, line] of lines.entries()) {
    const where = `${file}, line ${i + 1}`;
    addLine(where, parseJson(where, new TextEncoder().encode(line)), found);
  }
  const byName = (a: NodeStatus, b: NodeStatus): number => (a.name < b.name ? -1 : 1);
  const byRound = (a: { round: number }, b: { round: number }): number => a.round - b.round;
  const nodes = [...found.nodes.values()].sort(byName);
  for (const node of nodes) node.rounds.sort(byRound);
  return {
    options: optionsIn(join(dirname(file), 'options.json')),
    rounds: [...found.rounds.values()].sort(byRound),
    nodes,
    labels: found.labels,
  };
}

/** The options of a run, as its server wrote them. */
function optionsIn(path: string): FleetStatus['options'] {
  if (!fileExists(path)) return undefined;
  const read = Object.entries(parseJson(path, readLimited(path, MOST_OPTIONS, 'a run’s options')));
  const isPlain = (value: unknown): value is string | number | boolean => ['string', 'number', 'boolean'].includes(typeof value);
  return Object.fromEntries(
    read.map(([name, value]) => {
      if (!isPlain(value))
        throw new InputError({ where: path, what: `${name} is no option’s value`, expected: 'a text, a number, true or false' });
      return [name, value];
    }),
  );
}

/** What has been read so far. */
interface Found {
  rounds: Map<number, RoundStatus>;
  nodes: Map<string, NodeStatus>;
  labels: LabelStatus[];
}

function addLine(where: string, line: Record<string, unknown>, all: Found): void {
  const round = numberOf(line.round, where, 'round');
  const none = {
    nodes: 0,
    asked: 0,
    loss: null,
    learnt: null,
    accuracy: null,
    judged: 0,
    down: 0,
    up: 0,
    seconds: 0,
    fell: [],
    refused: [],
  };
  const found: RoundStatus = all.rounds.get(round) ?? { round, ...none };
  all.rounds.set(round, found);
  const traffic = isRecord(line.traffic) ? line.traffic : {};
  found.down += numberOf(traffic.down, where, 'traffic.down');
  found.up += numberOf(traffic.up, where, 'traffic.up');
  found.seconds += numberOf(line.seconds, where, 'seconds');
  found.fell.push(...goneIn(line.fell));
  found.refused.push(...goneIn(line.refused));
  const mean = isRecord(line.mean) ? line.mean : undefined;
  const answers = listOf(line.nodes);
  // A round that makes the head anew has sums in the place of updates.
  if (line.phase === 'train' || (line.phase === 'sums' && round > 0 && found.asked === 0)) {
    found.nodes = answers.length;
    found.asked = answers.length + listOf(line.fell).length + listOf(line.refused).length;
  }
  if (line.phase === 'train') {
    found.loss = mean === undefined ? null : numberOf(mean.loss, where, 'mean.loss');
    found.learnt = mean === undefined ? null : numberOf(mean.accuracy, where, 'mean.accuracy');
  }
  if (line.phase === 'evaluate' && mean !== undefined) {
    found.accuracy = numberOf(mean.accuracy, where, 'mean.accuracy');
    found.judged = answers.reduce((n, { examples }) => n + numberOf(examples, where, 'examples'), 0);
    if (line.labels !== undefined) all.labels = labelsIn(where, line.labels);
  }
  for (const answer of answers) addAnswer(where, { round, phase: String(line.phase) }, answer, all.nodes);
}

function labelsIn(where: string, value: unknown): LabelStatus[] {
  return Object.entries(isRecord(value) ? value : {}).map(([label, pair]) => {
    const [right, count] = Array.isArray(pair) ? pair : [];
    return {
      label,
      right: numberOf(right, where, `how many of ${label} are right`),
      count: numberOf(count, where, `how many of ${label} there are`),
    };
  });
}

function addAnswer(
  where: string,
  { round, phase }: { round: number; phase: string },
  answer: Record<string, unknown>,
  nodes: Map<string, NodeStatus>,
): void {
  const name = String(answer.name);
  const fresh = { name, round: null, pictures: 0, accuracy: null, judged: 0, down: 0, up: 0, rounds: [] };
  const node: NodeStatus = nodes.get(name) ?? fresh;
  nodes.set(name, node);
  // Lines of one round follow each other.
  let here = node.rounds.at(-1);
  if (here?.round !== round) {
    here = { round, learnt: null, accuracy: null, down: 0, up: 0, seconds: null };
    node.rounds.push(here);
  }
  const [down, up] = [numberOf(answer.down, where, 'down'), numberOf(answer.up, where, 'up')];
  for (const one of [node, here]) {
    one.down += down;
    one.up += up;
  }
  const examples = numberOf(answer.examples, where, 'examples');
  if (phase === 'evaluate') {
    node.judged = examples;
    node.accuracy = here.accuracy = examples === 0 ? null : numberOf(answer.accuracy, where, 'accuracy');
    return;
  }
  node.pictures = examples;
  if (phase === 'train' || (phase === 'sums' && round > 0)) node.round = round;
  if (phase !== 'train') return;
  here.learnt = numberOf(answer.accuracy, where, 'accuracy');
  if (answer.seconds !== undefined) here.seconds = numberOf(answer.seconds, where, 'seconds');
}
