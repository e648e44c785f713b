/** What a node answers to each message of the server app: what it has, what it learnt, how the fleet's adapter does on its own pictures. */
import { InputError } from '../base/error.ts';
import { collectGarbage } from '../base/processmemory.ts';
import { VERSION } from '../base/version.ts';
import { type AdapterInfo, infoText } from '../formats/adapterfile.ts';
import type { JobHooks } from '../training/jobtypes.ts';
import type { NumberArray } from './arrays.ts';
import { type Board, checkInfo, countsOf, freshTensors, labelsNow, preparePictures, rowsAmong } from './board.ts';
import { type Asked, type Asks, FORMAT, Keys, readAsked, readAsks } from './contract.ts';
import type { FleetEvent } from './events.ts';
import { type JudgedHere, judgeHere } from './judged.ts';
import type { Content, Metadata, Reply } from './message.ts';
import type { Value } from './records.ts';
import { type Global, type Learnt, learnRound } from './round.ts';
import { type Sums, sumsHere } from './sums.ts';
import { adapterBytes, checkTensorsOf, packTensors, readTensorsOf, type Tensors, unpackTensors, writeTensorsTo } from './tensors.ts';

export interface WorkerOptions {
  board: Board;
  /** The folder that holds the newest global adapter. */
  out: string;
  /** What the node is called in the fleet. */
  name: string;
  /** Known to nobody else: for noise. */
  secret: Uint8Array;
  hooks: JobHooks;
  tell(event: FleetEvent): void;
}

const WHERE = 'server';
const ints = (list: readonly number[]): bigint[] => list.map(BigInt);

/** What a message asks, checked. */
export type Question =
  | { kind: 'query' }
  | { kind: 'start'; info: AdapterInfo; asks: Asks }
  | { kind: 'sums'; about: Asked; global: Global; asks: Asks }
  | { kind: 'train'; about: Asked; global: Global; asks: Asks }
  | { kind: 'evaluate'; about: Asked; global: Global };

/** Reads what a message asks of this board; `labelsHere`: of its pictures as they are now. InputError for what is not understood, or not of its network. */
export function questionOf(board: Board, asked: Metadata, content: Content, labelsHere: () => readonly string[]): Question {
  const config = content.values.get('config');
  if (config === undefined) throw new InputError({ where: WHERE, what: 'sent a message without a config', hint: 'is its app s2a’s own?' });
  const [kind] = asked.type.split('.');
  const keys = new Keys(WHERE, config);
  const about = readAsked(keys, WHERE);
  const asks = kind === 'train' ? readAsks(keys) : undefined;
  keys.end();
  if (kind === 'query') return { kind };
  if (kind !== 'train' && kind !== 'evaluate')
    throw new InputError({ where: WHERE, what: 'asks what this node does not answer', got: asked.type });
  if (about.info === undefined) throw new InputError({ where: WHERE, what: 'does not say what its adapter is' });
  checkInfo(WHERE, board, about.info);
  // Seen before the adapter is taken: one without a row for what is here is no use.
  rowsAmong(board.job.data, labelsHere(), about.info.labels);
  const arrays = content.arrays.get('arrays') ?? new Map<string, NumberArray>();
  const global = globalOf(board, about, about.info, arrays);
  if (asks?.phase === 'start') return { kind: 'start', info: about.info, asks };
  if (global === undefined) throw new InputError({ where: WHERE, what: 'sent no adapter to go on from' });
  if (asks === undefined) return { kind: 'evaluate', about, global };
  return asks.phase === 'sums' ? { kind: 'sums', about, global, asks } : { kind: 'train', about, global, asks };
}

/** Does the work of one message. */
export function createWork(options: WorkerOptions): (asked: Metadata, content: Content) => Promise<Reply> {
  return async (asked, content) => {
    // What the last message took is no part of what this one may take.
    collectGarbage();
    const question = questionOf(options.board, asked, content, () => labelsNow(options.board));
    if (question.kind === 'query') return query(options);
    if (question.kind === 'start') return start(options, question.info, question.asks);
    const { about, global } = question;
    accept(options, global, about.round);
    if (question.kind === 'evaluate') return judge(options, about, global);
    return question.kind === 'sums' ? sum(options, global, question.asks) : learn(options, about, global, question.asks, asked);
  };
}

/** The fleet's adapter, checked to its last number; undefined where the message has none. */
function globalOf(board: Board, { layout }: Asked, info: AdapterInfo, arrays: ReadonlyMap<string, NumberArray>): Global | undefined {
  if (arrays.size === 0) return undefined;
  const tensors = layout === undefined ? new Map(arrays) : unpackTensors(WHERE, arrays, layout);
  checkTensorsOf(WHERE, tensors, board.wanted, info.labels.length);
  return { info, tensors };
}

/** The newest adapter of the fleet is the node's from here on. One that it has already is not written again. */
export function accept({ out, tell }: Pick<WorkerOptions, 'out' | 'tell'>, { info, tensors }: Global, round: number): void {
  if (isThere(out, info, tensors)) return;
  writeTensorsTo(out, info, tensors);
  tell({ event: 'adapter', round, path: out });
}

function isThere(out: string, info: AdapterInfo, tensors: Tensors): boolean {
  try {
    const found = readTensorsOf(out);
    const isSame = (name: string): boolean => {
      const [a, b] = [tensors.get(name)!.values, found.tensors.get(name)?.values];
      return b !== undefined && Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
    };
    return infoText(info) === infoText(found.info) && found.tensors.size === tensors.size && [...tensors.keys()].every(isSame);
  } catch {
    // None, or one that cannot be read: it is written.
    return false;
  }
}

/** What every answer says of who gives it. */
const said = ({ name }: Pick<WorkerOptions, 'name'>, info: AdapterInfo, more: [string, Value][] = []): Map<string, Value> =>
  new Map<string, Value>([['format', BigInt(FORMAT)], ['name', name], ['info', infoText(info)], ['program', `s2a ${VERSION}`], ...more]);

async function query(options: WorkerOptions): Promise<Reply> {
  const { board, hooks } = options;
  const prepared = await preparePictures(board, hooks);
  try {
    const counts = countsOf(board, prepared, prepared.train, board.info.labels);
    return whatIsHere(options, { count: prepared.train.length, counts, heldOut: prepared.val.length });
  } finally {
    prepared.cache.close();
  }
}

/** Who answers, and for which board. */
type Who = Pick<WorkerOptions, 'board' | 'name'>;

/** The answer to a query: pictures to learn from, by label of the board, and held out. */
export function whatIsHere(who: Who, { count, counts, heldOut }: { count: number; counts: readonly number[]; heldOut: number }): Reply {
  const { info, wanted, features } = who.board;
  const metrics = new Map<string, Value>([
    ['num-examples', BigInt(count)],
    ['label-counts', ints(counts)],
    ['features', BigInt(features)],
    ['adapter-bytes', BigInt(adapterBytes(wanted, info.labels.length))],
    ['held-out', BigInt(heldOut)],
  ]);
  return { arrays: undefined, metrics, config: said(who, info) };
}

async function start(options: WorkerOptions, info: AdapterInfo, asks: Asks): Promise<Reply> {
  const prepared = await preparePictures(options.board, options.hooks);
  prepared.cache.close();
  return startOf(options, info, asks, prepared.train.length);
}

/** The adapter before the first step: what the base has, rows of zeros. */
export async function startOf(who: Who, info: AdapterInfo, { seed }: Asks, count: number): Promise<Reply> {
  const arrays = await freshTensors(who.board, info.labels.length, seed);
  return { arrays, metrics: new Map([['num-examples', BigInt(count)]]), config: said(who, info) };
}

async function sum(options: WorkerOptions, { info, tensors }: Global, { sums: kind, seed }: Asks): Promise<Reply> {
  return sumsReply(options, info, await sumsHere(options.board, { tensors, labels: info.labels, kind, seed }, options.hooks));
}

/** The answer to a question for sums: rows are of the labels that have pictures here. */
export function sumsReply(who: Who, info: AdapterInfo, { arrays, count, counts }: Sums): Reply {
  const metrics = new Map<string, Value>([
    ['num-examples', BigInt(count)],
    ['label-counts', ints(counts.filter((n) => n > 0))],
  ]);
  return { arrays, metrics, config: said(who, { ...info, labels: info.labels.filter((_, i) => counts[i]! > 0) }) };
}

async function learn(options: WorkerOptions, { layout }: Asked, global: Global, asks: Asks, asked: Metadata): Promise<Reply> {
  const began = Date.now();
  return learntReply(options, layout, await learnRound(options, global, asks, asked, options.hooks), began);
}

/** The answer of a round, in the form that its adapter came in; `began` in ms. */
export function learntReply(who: Who, layout: string | undefined, learnt: Learnt, began: number): Reply {
  const { info, tensors, count, counts, loss, accuracy, linearBytes } = learnt;
  const metrics = new Map<string, Value>([
    ['num-examples', BigInt(count)],
    ['loss', loss],
    ['accuracy', accuracy],
    ['label-counts', ints(counts)],
    ['seconds', (Date.now() - began) / 1000],
    ['peak-bytes', BigInt(linearBytes)],
  ]);
  if (layout === undefined) return { arrays: tensors, metrics, config: said(who, info) };
  const packed = packTensors(tensors);
  return { arrays: packed.arrays, metrics, config: said(who, info, [['layout', packed.layout]]) };
}

async function judge(options: WorkerOptions, { round }: Asked, { info }: Global): Promise<Reply> {
  return judgedReply(options, round, info, await judgeHere(options.board, options.out, info.labels, options.hooks));
}

/** The answer to a judgement. */
export function judgedReply(
  who: Pick<WorkerOptions, 'name' | 'tell'>,
  round: number,
  info: AdapterInfo,
  { count, loss, correct, counts, rights }: JudgedHere,
): Reply {
  const accuracy = count === 0 ? 0 : correct / count;
  who.tell({ event: 'judged', round, loss, accuracy, count });
  const metrics = new Map<string, Value>([
    ['num-examples', BigInt(count)],
    ['loss', loss],
    ['accuracy', accuracy],
    ['label-counts', ints(counts)],
    ['label-right', ints(rights)],
  ]);
  return { arrays: undefined, metrics, config: said(who, info) };
}
