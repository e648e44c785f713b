/**
 * What a board without JavaScript is handed for a question of the fleet's server: files, and the shell's lines that do it.
 *
 *     order/    program.s2a · adapter_model.safetensors · run.sh · digests
 *     answer/   order · info.txt · what was asked for · digests
 *
 * `digests` has the form that sha256sum reads and is written last, on either side: what is not as it says is not there yet. An answer's `order` is the
 * order's `digests`, so it says what it answers.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rates } from '../../assembly/abi/rates.ts';
import { defined } from '../base/defined.ts';
import { digest } from '../base/digest.ts';
import type { AdapterInfo } from '../formats/adapterfile.ts';
import { openModelFolder } from '../import/modelfolder.ts';
import { portOf } from '../input/index.ts';
import { encodeProgram, type Program } from '../program/program.ts';
import { storedBytes } from '../program/stored.ts';
import { CLASSIFY } from '../task/index.ts';
import { adapterRecords } from '../training/adapter.ts';
import { adapterInfo, compileJob, settle } from '../training/compilejob.ts';
import { boardOf } from '../use/pack.ts';
import { inferenceProgram } from '../use/packinfer.ts';
import type { FarBoard } from './card.ts';
import type { Asks } from './contract.ts';
import { MICRO_BATCH } from './judged.ts';
import { jobOfRound } from './round.ts';
import { type OrderKind, runScript } from './runscript.ts';
import { type Tensors, writeTensorsTo } from './tensors.ts';

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
}

/** Which message an order is for: `id` tells it from every other. */
export interface For {
  name: string;
  round: number;
  id: string;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function orderOf(kind: OrderKind, { name, round, id }: For, own: ReadonlyMap<string, Uint8Array>, more = ''): Order {
  const title = `${round === 0 ? 'before the first round' : `round ${round}`}, ${kind}`;
  const head = `${title}, for ${JSON.stringify(name)}; question ${digest(id).slice(0, 16)}`;
  const files = new Map([...own, ['run.sh', bytesOf(runScript(kind, head, more))]]);
  const list = [...files].map(([file, bytes]) => `${digest(bytes)}  ${file}\n`).join('');
  return { kind, title, files: new Map([...files, [DIGESTS, bytesOf(list)]]), id: digest(list) };
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

/** A round of learning, from this adapter on; `scratch` is a folder of the gateway's own. */
export function trainOrder(
  board: FarBoard,
  { info: { labels }, before, rows }: { info: AdapterInfo; before: Tensors; rows: readonly number[] },
  asks: Asks,
  asked: For,
  scratch: string,
): TrainOrder {
  const { job, preprocess } = board;
  const from = join(scratch, 'from');
  const how = jobOfRound({ ...job, from }, asks);
  const options = settle(how);
  const base = openModelFolder(job.model, board.info.base.imageSize);
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
  writeTensorsTo(from, info, withRates(program, before));
  const files = new Map([
    ['program.s2a', encodeProgram({ ...program, board: packed })],
    [ADAPTER, new Uint8Array(readFileSync(join(from, ADAPTER)))],
  ]);
  const more = ` --save-every ${job.saveEvery ?? 50}`;
  return { order: orderOf('train', asked, files, more), program, info };
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
    [ADAPTER, new Uint8Array(readFileSync(join(folder, ADAPTER)))],
  ]);
  return orderOf('evaluate', asked, files, storedBytes(program) > 0 ? ' --stored work/weights.s2aw' : '');
}
