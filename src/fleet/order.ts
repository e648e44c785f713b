/**
 * What a board without JavaScript is handed for a question of the fleet's server: files, and the shell's lines that do it.
 *
 *     order/    program.s2a · adapter_model.safetensors · run.sh · digests
 *     answer/   order · info.txt · what was asked for · digests
 *
 * `digests` has the form that sha256sum reads and is written last, on either side: what is not as it says is not there yet. An answer's `order` is the
 * order's `digests`, so it says what it answers.
 */
import { join } from 'node:path';
import { Io } from '../../assembly/abi/program.ts';
import { Rates } from '../../assembly/abi/rates.ts';
import { defined } from '../base/defined.ts';
import { digest } from '../base/digest.ts';
import { readLimited } from '../base/reading.ts';
import type { AdapterInfo } from '../formats/adapterfile.ts';
import { openModelFolder } from '../import/modelfolder.ts';
import { portOf } from '../input/index.ts';
import { encodeProgram, type Program } from '../program/program.ts';
import { storedBytes } from '../program/stored.ts';
import { CLASSIFY } from '../task/index.ts';
import { adapterRecords } from '../training/adapter.ts';
import { adapterInfo, compileJob, settle } from '../training/compilejob.ts';
import type { TrainJob } from '../training/jobtypes.ts';
import { boardOf } from '../use/pack.ts';
import { inferenceProgram } from '../use/packinfer.ts';
import { rowsAmong } from './board.ts';
import type { FarBoard } from './card.ts';
import { type Asks, NotDone } from './contract.ts';
import { MICRO_BATCH } from './judged.ts';
import { type Global, jobOfRound } from './round.ts';
import { type OrderKind, runScript } from './runscript.ts';
import { sumsLength } from './sums.ts';
import { type Tensors, writeTensorsTo } from './tensors.ts';

/** Largest adapter that is handed on. */
const MOST_ADAPTER = 1 << 30;

/** The adapter's file, on either side. */
export const ADAPTER = 'adapter_model.safetensors';
/** The list of digests, on either side. */
export const DIGESTS = 'digests';

/** An order: its files by name, `digests` among them. */
export interface Order {
  kind: OrderKind;
  /** The round and what is asked, for people. */
  title: string;
  files: ReadonlyMap<string, Uint8Array>;
  /** SHA-256 of its digests: what an answer to it names. */
  id: string;
  /** Bytes of the sums that are asked for; 0: none are. */
  sumsBytes: number;
}

/** Which message an order is for: `id` tells it from every other. */
export interface For {
  name: string;
  round: number;
  id: string;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function orderOf(kind: OrderKind, { name, round, id }: For, own: ReadonlyMap<string, Uint8Array>, more = '', sumsBytes = 0): Order {
  const title = `${round === 0 ? 'before the first round' : `round ${round}`}, ${kind}`;
  const head = `${title}, for ${JSON.stringify(name)}; question ${digest(id).slice(0, 16)}`;
  const files = new Map([...own, ['run.sh', bytesOf(runScript(kind, head, more))]]);
  const list = [...files].map(([file, bytes]) => `${digest(bytes)}  ${file}\n`).join('');
  return { kind, title, files: new Map([...files, [DIGESTS, bytesOf(list)]]), id: digest(list), sumsBytes };
}

/** What the board has is to be counted. */
export const countOrder = (board: FarBoard, asked: For): Order => orderOf('count', asked, new Map([['program.s2a', board.card]]));

/** A board's rows, where its arrays' numbers do not count as the labels do. */
const rowsOf = (rows: readonly number[], labels: readonly string[]): readonly number[] =>
  rows.length === labels.length && rows.every((row, i) => row === i) ? [] : rows;

/** A round to learn, and what its answer is held against. */
export interface TrainOrder {
  order: Order;
  program: Program;
  info: AdapterInfo;
}

/** A program for the board, and the adapter that it takes: as files, and what the adapter says of itself. */
function programOf(
  board: FarBoard,
  how: TrainJob,
  { labels, tensors, rows }: { labels: readonly string[]; tensors: Tensors; rows: readonly number[] },
  scratch: string,
): { program: Program; info: AdapterInfo; files: Map<string, Uint8Array> } {
  const { preprocess } = board;
  const options = settle(how);
  const base = openModelFolder(how.model, board.info.base.imageSize);
  const { program } = compileJob(how, { base, options, preprocess, classes: labels.length });
  const info = adapterInfo(how, { who: board.info.base, program, labels, preprocess });
  const packed = boardOf(program, {
    options,
    head: 'zero',
    pixelBytes: portOf(preprocess).element === 'f32' ? 4 : 1,
    // The board counts its own.
    samples: 1,
    weights: board.weights,
    labels,
    task: CLASSIFY,
    info,
    rows: rowsOf(rows, labels),
  });
  writeTensorsTo(scratch, info, withRates(program, tensors));
  const files = new Map([
    ['program.s2a', encodeProgram({ ...program, board: packed })],
    [ADAPTER, adapterIn(scratch)],
  ]);
  return { program, info, files };
}

/** An adapter of ours, as it goes to a board. */
const adapterIn = (folder: string): Uint8Array => readLimited(join(folder, ADAPTER), MOST_ADAPTER, 'an adapter');

/** A round of learning, from this adapter on; `scratch` is a folder of the gateway's own. */
export function trainOrder(
  board: FarBoard,
  { info: { labels }, before, rows }: { info: AdapterInfo; before: Tensors; rows: readonly number[] },
  asks: Asks,
  asked: For,
  scratch: string,
): TrainOrder {
  const from = join(scratch, 'from');
  const how = jobOfRound({ ...board.job, from }, asks);
  const { program, info, files } = programOf(board, how, { labels, tensors: before, rows }, from);
  return { order: orderOf('train', asked, files, ` --save-every ${board.job.saveEvery ?? 50}`), program, info };
}

/** Sums of what the classifier reads over the pictures to learn from. NotDone where the plan has no room for them. */
export function sumsOrder(board: FarBoard, { info: { labels }, tensors }: Global, kind: Asks['sums'], asked: For, scratch: string): Order {
  if (board.features === 0)
    throw new NotDone({ where: 'gateway', what: 'sums of features are of a linear classifier, which this network lacks' });
  const rows = rowsAmong(board.job.data, board.info.labels, labels);
  const { program, files } = programOf(board, board.job, { labels, tensors, rows }, join(scratch, 'from'));
  const bytes = 8 * sumsLength(labels.length, board.features, kind);
  const room = roomOf(program);
  // Beside them stand one picture's features, and its label.
  const needs = bytes + 4 * board.features + 4;
  if (room < needs)
    throw new NotDone({
      where: 'gateway',
      what: 'the board’s plan has no room for sums of features',
      got: room,
      expected: `${needs} bytes`,
      hint: 'a larger --micro-batch has, and so has head="none"',
    });
  return orderOf('sums', asked, files, kind === 'diagonal' ? ' --diagonal' : '', bytes);
}

/** Bytes between two passes, as targets/wasi/headstart.ts finds them: from the end of what a host writes and reads to scratch. */
function roomOf({ io, scratch }: Program): number {
  const ends = [...io].map(([id, { offset, bytes }]) => (id >= Io.Pictures && id <= Io.State ? offset + bytes : 0));
  return scratch.offset - ((Math.max(...ends) + 15) & ~15);
}

/** The tensors that a program's adapters have, of rates too: those are told and not read. */
function withRates(program: Program, tensors: Tensors): Tensors {
  const rates = { shape: [Rates.Groups, 2], values: new Float32Array(2 * Rates.Groups) };
  return new Map(adapterRecords(program).map(({ name }) => [name, tensors.get(name) ?? rates]));
}

/** The adapter in `folder` is to be judged by the pictures that are held out. */
export function evaluateOrder(board: FarBoard, folder: string, rows: readonly number[], labels: readonly string[], asked: For): Order {
  const { job } = board;
  const { file, program } = inferenceProgram({
    model: job.model,
    adapter: folder,
    microBatch: MICRO_BATCH,
    rows: rowsOf(rows, labels),
    weightsOf: () => board.weights,
    ...defined({ budget: job.budget }),
  });
  const files = new Map<string, Uint8Array>([
    ['program.s2a', file],
    [ADAPTER, adapterIn(folder)],
  ]);
  return orderOf('evaluate', asked, files, storedBytes(program) > 0 ? ' --stored work/weights.s2aw' : '');
}
