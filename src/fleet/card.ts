/** A board that a gateway speaks for, by its card: the program that `s2a pack` made of its pictures, which stay on the board. */
import { join } from 'node:path';
import { RunField } from '../../assembly/abi/run.ts';
import { InputError } from '../base/error.ts';
import { parseJson } from '../base/json.ts';
import { readLimited } from '../base/reading.ts';
import { type AdapterInfo, checkBase, readInfo } from '../formats/adapterfile.ts';
import { openModelFolder } from '../import/modelfolder.ts';
import { checkPreparation, portOf } from '../input/index.ts';
import { decodeProgram } from '../program/decode.ts';
import type { TrainJob } from '../training/jobtypes.ts';
import type { BoardWeights } from '../use/boardweights.ts';
import { type Board, boardOver } from './board.ts';

/** The card's name in a board's folder: as `s2a pack` writes it. */
export const CARD = 'program.s2a';
/** Largest program that is read. */
const MOST = 1 << 28;

/** A board that is elsewhere. */
export interface FarBoard extends Board {
  /** The card, as it stands in the board's folder. */
  card: Uint8Array;
  /** What it reads of the model's weights. */
  weights: BoardWeights;
}

/** Reads the card in a board's folder and holds it against the gateway's model; `job` says how it learns but for what the card says. */
export function openCard(folder: string, job: Omit<TrainJob, 'data'>): FarBoard {
  const where = join(folder, CARD);
  const card = readLimited(where, MOST, 'a program');
  const program = decodeProgram(card, where);
  const packed = program.board;
  const refuse = (what: string, got: string, expected: string): never => {
    throw new InputError({ where, what, got, expected, hint: 'it is the program.s2a that s2a pack wrote for the board’s pictures' });
  };
  if (packed === undefined || program.about.purpose !== 'train' || packed.rows.length > 0)
    return refuse('is no card of a board', program.about.purpose, 'a program that learns, as it was packed');
  const said = parseJson(where, packed.adapterConfig).s2a;
  const info: AdapterInfo = readInfo(where, JSON.stringify(said));
  if (info.task !== undefined) return refuse('is of a task that a gateway does not hand on', info.task.name, 'one class of several');
  const preprocess = checkPreparation(info.preprocessing, where);
  const bytes = new DataView(packed.run.buffer, packed.run.byteOffset).getUint32(RunField.PixelBytes, true);
  if (bytes !== (portOf(preprocess).element === 'f32' ? 4 : 1)) return refuse('takes pictures as f32', '--pixels f32', 'bytes');
  const base = openModelFolder(job.model, info.base.imageSize);
  const { precision, method } = info;
  const weights = job.weights === 'stream' ? (`${precision},stream` as const) : (job.weights ?? precision);
  const board = boardOver({
    job: { ...job, data: folder, method, imageSize: info.base.imageSize, weights },
    splitSeed: 0,
    base,
    labels: info.labels,
    preprocess,
  });
  checkBase({ path: where, base: info.base }, board.info.base);
  if (board.info.precision !== precision) return refuse('was packed over other weights', precision, board.info.precision);
  const digest = Buffer.from(packed.run.subarray(RunField.Base, RunField.Base + 32)).toString('hex');
  return { ...board, card, weights: { files: [...packed.files], isHere: false, digest } };
}
