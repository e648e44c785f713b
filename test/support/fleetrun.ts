/** A fleet's run with one node, as the server app would lead it: query, start, then rounds of train and evaluate. */

import type { NumberArray } from '../../src/fleet/arrays.ts';
import type { FleetEvent } from '../../src/fleet/events.ts';
import { type FleetJoin, joinFleet } from '../../src/fleet/join.ts';
import type { Value } from '../../src/fleet/records.ts';
import { packTensors, type Tensors, unpackTensors } from '../../src/fleet/tensors.ts';
import { type AdapterInfo, infoText, readInfo } from '../../src/formats/adapterfile.ts';
import { drawings } from './drawings.ts';
import type { Question, ServerOptions, Told } from './fleetserver.ts';
import { newFolder } from './folder.ts';

export const MODEL = 'models/sketch-vit';

/** Twelve drawings of each of three classes. */
export const photos = (): string => drawings(['apple', 'fish', 'star'], 12);

/** What a node is started with; `tell` collects events. */
export function nodeOf(url: string, data: string, more: Partial<FleetJoin> = {}): FleetJoin & { events: FleetEvent[] } {
  const events: FleetEvent[] = [];
  return {
    server: url,
    job: { model: MODEL, data, out: newFolder(), budget: '8MiB', threads: 1, batchSize: 8 },
    name: 'one',
    pace: 0.02,
    tell: (event) => void events.push(event),
    events,
    ...more,
  };
}

export { joinFleet };

/** Of every message. */
export const common = (round: number, info: string): [string, Value][] => [
  ['format', 1n],
  ['flwr', '1.42.0'],
  ['fleet', 'test'],
  ['round', BigInt(round)],
  ['rounds', 3n],
  ['info', info],
];

/** How a round is learnt, where nothing else is asked. */
export const learning = (seed: number): [string, Value][] => [
  ['phase', 'train'],
  ['seed', BigInt(seed)],
  ['epochs', 1n],
  ['rate', ''],
  ['batch-size', 0n],
  ['local', 'method'],
  ['classes', 'all'],
  ['optimizer', 'fresh'],
  ['prox', 0],
  ['clip', 0],
  ['noise', 0],
];

/** Labels that other nodes have, beside those of this one. */
export const OTHERS = ['cat', 'house'];

/** The tensors that an answer brought. */
export function tensorsOf({ content }: Told): Tensors {
  const layout = content!.values.get('config')!.get('layout') as string | undefined;
  const arrays = content!.arrays.get('arrays')!;
  return layout === undefined ? arrays : unpackTensors('test', arrays, layout);
}

export const infoOf = ({ content }: Told): AdapterInfo => readInfo('test', content!.values.get('config')!.get('info') as string);

export interface Script {
  rounds: number;
  /** Changes what is asked: by its number. */
  change?(question: Question, n: number): Question;
  more?: [string, Value][];
}

/** The script of a run: what is learnt goes back as it came, as the mean over one. */
export function scriptOf({ rounds, change = (question) => question, more = [] }: Script): ServerOptions['script'] {
  return (told) => {
    const question = next(told, rounds, more);
    return question && change(question, told.length);
  };
}

function next(told: readonly Told[], rounds: number, more: [string, Value][]): Question | undefined {
  const n = told.length;
  if (n === 0) return { type: 'query', config: new Map(common(0, '')) };
  if (told[0]!.content === undefined) return undefined;
  const own = infoOf(told[0]!);
  const labels = [...new Set([...OTHERS, ...own.labels])].sort();
  const info = infoText({ ...own, labels });
  if (n === 1) return { type: 'train', config: new Map<string, Value>([...common(0, info), ['phase', 'start'], ['seed', 7n]]) };
  const round = Math.ceil((n - 1) / 2);
  if (round > rounds) return undefined;
  const last = told.findLast(({ content }) => (content?.arrays.size ?? 0) > 0)!;
  const { arrays, layout } = packTensors(tensorsOf(last) as Map<string, NumberArray>);
  const config: [string, Value][] = [...common(round, info), ['layout', layout]];
  if (n % 2 === 1) return { type: 'evaluate', config: new Map(config), arrays };
  return { type: 'train', config: new Map<string, Value>([...config, ...learning(7 + round), ...more]), arrays };
}
