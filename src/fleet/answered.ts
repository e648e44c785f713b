/** A board's answer, which has come whole: what it says is held against what was asked, number by number. */
import { join } from 'node:path';
import { InputError, shown } from '../base/error.ts';
import { writeAtomic } from '../base/files.ts';
import { isRecord, parseJson } from '../base/json.ts';
import { type AdapterInfo, infoText } from '../formats/adapterfile.ts';
import type { NumberArray } from './arrays.ts';
import { type Board, checkInfo } from './board.ts';
import { type Asks, NotDone } from './contract.ts';
import type { JudgedHere } from './judged.ts';
import { ADAPTER } from './order.ts';
import { sumsIn, sumsLength } from './sums.ts';
import { checkTensorsOf, readTensorsOf, type Tensors } from './tensors.ts';

export type Files = ReadonlyMap<string, Uint8Array>;

/** Pictures of a board: to learn from, by label of its program, and held out. */
export interface Counted {
  count: number;
  counts: number[];
  heldOut: number;
}

/** Most pictures that a board is believed to have; what the server app believes. */
const MOST_PICTURES = 1 << 24;

const textOf = (files: Files, name: string): string => new TextDecoder().decode(files.get(name));

/** Runs `read`; what it refuses is the board's answer, and the board stays for the next question. */
export function ofTheBoard<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError && error.code !== 'S2A_DISK') throw new NotDone(error.parts);
    throw error;
  }
}

/** The sentence of a board that could not do what was asked. */
export function refuseFailed(where: string, files: Files): void {
  if (files.has('error.txt'))
    throw new InputError({ where, what: `the board stopped: ${shown(textOf(files, 'error.txt').trim().slice(0, 200))}` });
}

/** What `s2a.wasm info` tells of the pictures of a program with so many labels. */
export function countedIn(where: string, files: Files, labels: number): Counted {
  const text = textOf(files, 'info.txt');
  const part = (begin: string): { count: number; counts: number[] } => {
    const line = text.split('\n').find((one) => one.startsWith(begin));
    const [, count = '', list = ''] = /^(\d{1,9}): ((?:\d{1,9}(?:, )?)+)$/.exec(line?.slice(begin.length).trim() ?? '') ?? [];
    const counts = list.split(', ').map(Number);
    const isSum = counts.reduce((a, b) => a + b, 0) === Number(count);
    if (count === '' || counts.length !== labels || !isSum || Number(count) > MOST_PICTURES)
      throw new InputError({
        where: `${where}: info.txt`,
        what: `does not tell the pictures ${begin}`,
        got: shown(line ?? ''),
        expected: `${labels} counts`,
      });
    return { count: Number(count), counts };
  };
  const { count, counts } = part('to learn from');
  if (count === 0) throw new InputError({ where: `${where}: info.txt`, what: 'the board has no pictures to learn from' });
  return { count, counts, heldOut: part('to judge by').count };
}

/** What an epoch's line of metrics says of learning. */
interface Learnt {
  loss: number;
  accuracy: number;
}

/** A loss; JSON has no infinite numbers, and 1e999 is read as one. */
function lossOf(where: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw new InputError({
    where,
    what: 'the loss is no number, NaN or infinite',
    got: shown(String(value)),
    expected: 'a number from 0 on',
  });
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** The last epoch's line: of so many epochs, over so many pictures. */
export function metricsIn(where: string, files: Files, epochs: number, count: number): Learnt {
  const path = `${where}: metrics.jsonl`;
  const { epoch, trainLoss, trainCount, trainCorrect } = parseJson(path, files.get('metrics.jsonl')!);
  const isWhole = epoch === epochs && trainCount === count && isCount(trainCorrect) && trainCorrect <= count;
  if (!isWhole)
    throw new InputError({
      where: path,
      what: 'is not of the last epoch over these pictures',
      got: shown(textOf(files, 'metrics.jsonl').trim().slice(0, 200)),
      expected: `epoch ${epochs} of ${count} pictures`,
    });
  return { loss: lossOf(path, trainLoss), accuracy: trainCorrect / count };
}

/** The adapter that it learnt, of this network, method and labels, its numbers finite; read from a copy in `scratch`. */
export function adapterIn(
  where: string,
  files: Files,
  { board, info, scratch }: { board: Board; info: AdapterInfo; scratch: string },
): Tensors {
  const path = join(scratch, ADAPTER);
  writeAtomic(path, (write) => write(files.get(ADAPTER)!));
  const { info: found, tensors } = readTensorsOf(path);
  const name = `${where}: ${ADAPTER}`;
  checkInfo(name, board, found);
  if (infoText(found) !== infoText(info))
    throw new InputError({
      where: name,
      what: 'the adapter is of other labels, or of another version of s2a',
      got: shown(`${found.labels.join(', ')}; ${found.createdBy}`.slice(0, 200)),
      expected: shown(`${info.labels.join(', ')}; ${info.createdBy}`.slice(0, 200)),
    });
  checkTensorsOf(name, tensors, board.wanted, info.labels.length);
  return tensors;
}

/** What `s2a.wasm sums` sums over these pictures, each class's count among it. */
export function sumsOf(where: string, files: Files, { counts }: Counted, features: number, kind: Asks['sums']): Map<string, NumberArray> {
  const path = `${where}: sums.f64`;
  const bytes = files.get('sums.f64')!;
  const length = sumsLength(counts.length, features, kind);
  if (bytes.length !== 8 * length) throw new InputError({ where: path, what: 'wrong size', got: bytes.length, expected: 8 * length });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const all = Float64Array.from({ length }, (_, i) => view.getFloat64(8 * i, true));
  if (!all.every(Number.isFinite)) throw new InputError({ where: path, what: 'holds sums that are NaN or infinite' });
  if (counts.some((count, label) => all[label * (features + 1) + features] !== count))
    throw new InputError({ where: path, what: 'is not of the pictures that info.txt counts' });
  return sumsIn(all, counts.length, features, kind);
}

/** What `s2a.wasm eval --json` tells of the pictures that info.txt counts as held out, by label. */
export function judgedIn(where: string, files: Files, labels: readonly string[]): JudgedHere {
  const path = `${where}: judged.json`;
  const { heldOut } = countedIn(where, files, labels.length);
  const { count, correct, loss, classes } = parseJson(path, files.get('judged.json')!);
  if (count !== heldOut)
    throw new InputError({
      where: path,
      what: 'is not of the pictures that info.txt counts',
      got: shown(String(count)),
      expected: heldOut,
    });
  if (count === 0) return { count, correct: 0, loss: 0, counts: labels.map(() => 0), rights: labels.map(() => 0) };
  const list = Array.isArray(classes) ? classes.filter(isRecord) : [];
  const counts = list.map((one) => one.count);
  const rights = list.map((one) => one.correct);
  const isSum = (parts: readonly unknown[], sum: unknown): parts is number[] =>
    parts.every(isCount) && isCount(sum) && parts.reduce<number>((a, b) => a + (b as number), 0) === sum;
  const isWhole =
    list.length === labels.length && list.every(({ label }, i) => label === labels[i]) && isSum(counts, count) && isSum(rights, correct);
  if (!isWhole || counts.some((n, i) => rights[i]! > n))
    throw new InputError({ where: path, what: 'does not judge these labels', expected: `counts of ${labels.length} labels` });
  return { count, correct: correct as number, loss: lossOf(path, loss), counts, rights };
}
