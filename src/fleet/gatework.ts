/** What a gateway answers for a board without JavaScript: each question becomes an order in the board's folder, and the board's files the answer. */
import { join } from 'node:path';
import { adapterIn, countedIn, type Files, judgedIn, metricsIn, ofTheBoard, refuseFailed, sumsOf } from './answered.ts';
import { rowsAmong } from './board.ts';
import type { FarBoard } from './card.ts';
import { NotDone } from './contract.ts';
import type { FleetEvent } from './events.ts';
import type { Exchange } from './exchange.ts';
import type { Metadata, Reply } from './message.ts';
import type { Work } from './node.ts';
import { countOrder, evaluateOrder, type For, type Order, sumsOrder, trainOrder } from './order.ts';
import { beginningOf, leaving } from './round.ts';
import { accept, judgedReply, learntReply, type Question, questionOf, startOf, sumsReply, whatIsHere } from './work.ts';

export interface GateOptions {
  board: FarBoard;
  exchange: Exchange;
  /** A folder of the gateway's own for this board. */
  own: string;
  /** What the board is called in the fleet. */
  name: string;
  /** Of its key: for noise. */
  secret: Uint8Array;
  /** Where the newest adapter of the fleet lies that any of the gateway's boards was given, and when that was sent, in seconds since 1970: rounds begin anew with each run. */
  newest: { path: string; sent: number };
  tell(event: FleetEvent): void;
}

type Asked<K extends Question['kind']> = Extract<Question, { kind: K }>;
type Wanted = () => Promise<boolean>;

/** The work of one board's messages. */
export function createGateWork(o: GateOptions): Work {
  return async (asked, content, isWanted) => {
    const question = questionOf(o.board, asked, content, () => o.board.info.labels);
    if (question.kind === 'query') return query(o, asked, isWanted);
    if (question.kind === 'start') return start(o, question, asked, isWanted);
    refuseUndone(question);
    const { global, about } = question;
    accept({ out: join(o.own, 'adapter'), tell: () => {} }, global, about.round);
    if (asked.created >= o.newest.sent) {
      accept({ out: o.newest.path, tell: o.tell }, global, about.round);
      o.newest.sent = asked.created;
    }
    if (question.kind === 'evaluate') return judge(o, question, asked, isWanted);
    return question.kind === 'sums' ? sum(o, question, asked, isWanted) : learn(o, question, asked, isWanted);
  };
}

/** Refuses, before the board is asked, what s2a.wasm cannot do. */
function refuseUndone(question: Question): void {
  const no = (what: string, hint: string): never => {
    throw new NotDone({ where: 'gateway', what: `a board that runs s2a.wasm ${what}`, hint });
  };
  if (question.kind !== 'train') return;
  const { local, optimizer } = question.asks;
  if (optimizer === 'kept') no('keeps no optimizer between rounds', 'optimizer="fresh"');
  const isProbe = question.global.info.method === 'probe';
  if (local === 'probe' && !isProbe) no('does not learn the head alone over a merged network', 'local="method"');
}

const forMessage = ({ name }: GateOptions, { id }: Metadata, round: number): For => ({ name, round, id });

/** Hands the order on and waits for its answer; undefined once nobody wants that any more. */
async function ask({ exchange, tell }: GateOptions, order: Order, isWanted: Wanted): Promise<Files | undefined> {
  let [state, said] = ['', ''];
  exchange.tell(`${order.title}: order/ waits for this board`);
  for (;;) {
    const seen = exchange.look(order);
    if (seen.state === 'whole') {
      tell({ event: 'order', state: 'answered', title: order.title, why: '' });
      return seen.files;
    }
    const { why } = seen;
    // What lies there is told when it changes.
    if (seen.state !== state || why !== said) {
      tell({ event: 'order', state: seen.state === 'none' ? 'laid' : seen.state, title: order.title, why });
      exchange.tell(`${order.title}: ${why === '' ? 'order/ waits for this board' : `${why}; order/ is what is asked now`}`);
    }
    [state, said] = [seen.state, why];
    if (!(await isWanted())) {
      exchange.withdraw();
      exchange.tell(`${order.title}: is over, and an answer to it comes too late; wait for the next order`);
      return undefined;
    }
  }
}

/** Asks, and reads what came; what the reading refuses is told on either side. */
async function answered<T>(
  o: GateOptions,
  order: Order,
  isWanted: Wanted,
  read: (files: Files, where: string) => T,
): Promise<T | undefined> {
  const files = await ask(o, order, isWanted);
  if (files === undefined) return undefined;
  const where = join(o.exchange.folder, 'answer');
  let told = 'the answer was taken';
  try {
    return ofTheBoard(() => {
      refuseFailed(where, files);
      return read(files, where);
    });
  } catch (error) {
    told = `the answer was refused: ${(error as Error).message}`;
    throw error;
  } finally {
    o.exchange.keep(order);
    o.exchange.tell(`${order.title}: ${told}`);
  }
}

const count = (o: GateOptions, asked: Metadata, isWanted: Wanted) =>
  answered(o, countOrder(o.board, forMessage(o, asked, 0)), isWanted, (files, where) =>
    countedIn(where, files, o.board.info.labels.length),
  );

async function query(o: GateOptions, asked: Metadata, isWanted: Wanted): Promise<Reply | undefined> {
  const here = await count(o, asked, isWanted);
  return here && whatIsHere(o, here);
}

async function start(o: GateOptions, { info, asks }: Asked<'start'>, asked: Metadata, isWanted: Wanted): Promise<Reply | undefined> {
  const here = await count(o, asked, isWanted);
  return here && startOf(o, info, asks, here.count);
}

async function learn(
  o: GateOptions,
  { about, global, asks }: Asked<'train'>,
  asked: Metadata,
  isWanted: Wanted,
): Promise<Reply | undefined> {
  const { board, own } = o;
  const began = Date.now();
  const beginning = beginningOf(board, global, asks);
  const { order, program, info } = trainOrder(board, beginning, asks, forMessage(o, asked, about.round), own);
  const labels = info.labels;
  const found = await answered(o, order, isWanted, (files, where) => {
    const here = countedIn(where, files, labels.length);
    const metrics = metricsIn(where, files, asks.epochs, here.count);
    return { ...here, ...metrics, learnt: adapterIn(where, files, { board, info, scratch: own }) };
  });
  if (found === undefined) return undefined;
  const tensors = leaving(found.learnt, beginning.before, asks, o.secret, asked.id);
  const { loss, accuracy } = found;
  o.tell({ event: 'epoch', epoch: asks.epochs, loss, accuracy, count: found.count });
  return learntReply(o, about.layout, { ...found, info: beginning.info, tensors, linearBytes: program.linearBytes }, began);
}

async function sum(o: GateOptions, { about, global, asks }: Asked<'sums'>, asked: Metadata, isWanted: Wanted): Promise<Reply | undefined> {
  const { board, own } = o;
  const order = sumsOrder(board, global, asks.sums, forMessage(o, asked, about.round), own);
  const found = await answered(o, order, isWanted, (files, where) => {
    const here = countedIn(where, files, global.info.labels.length);
    return { ...here, arrays: sumsOf(where, files, here, board.features, asks.sums) };
  });
  return found && sumsReply(o, global.info, found);
}

async function judge(o: GateOptions, { about, global }: Asked<'evaluate'>, asked: Metadata, isWanted: Wanted): Promise<Reply | undefined> {
  const { labels } = global.info;
  const rows = rowsAmong(o.board.job.data, o.board.info.labels, labels);
  const order = evaluateOrder(o.board, join(o.own, 'adapter'), rows, labels, forMessage(o, asked, about.round));
  const found = await answered(o, order, isWanted, (files, where) => judgedIn(where, files, labels));
  return found && judgedReply(o, about.round, global.info, found);
}
