/** Calibrated tables on disk: calibration.json, beside an adapter or by itself. Every field is checked: the file may come from anywhere. */
import { Codebook } from '../../../assembly/abi/codebook.ts';
import { InputError, shownValue } from '../../base/error.ts';
import { readJson, writeText } from '../../base/files.ts';
import { isRecord, stableJson } from '../../base/json.ts';
import type { Table } from '../../passes/codebook.ts';

export const CALIBRATION = 'calibration.json';

/** One layer's table, and the mean square error of its derivative where it was measured. */
export interface CalibratedLayer {
  /** The layer's name in the compiled program. */
  name: string;
  /** The function's number (assembly/generated/kinds.ts). */
  kind: number;
  /** The fitted table: the derivative's levels, and which of them an input takes. */
  table: Table;
  /** Mean square error of f′ over the measured inputs: with this table. */
  error: number;
  /** The same with the table that s2a ships. */
  shippedError: number;
  /** The largest |x| that came. */
  largest: number;
}

/** Derivative tables that were fitted to one network's inputs: what calibration.json holds. */
export interface Calibration {
  /** The architecture's name. */
  model: string;
  /** How many pictures were measured. */
  pictures: number;
  /** One entry for each activation, in the order of the forward pass. */
  layers: CalibratedLayer[];
}

const VERSION = 1;

/** Numbers are written so that they come back bit by bit: JSON's shortest text of a double is exact. */
export function writeCalibration(path: string, { model, pictures, layers }: Calibration): void {
  writeText(path, `${stableJson({ version: VERSION, model, pictures, layers } as unknown as Record<string, unknown>, 1)}\n`);
}

export function readCalibration(path: string): Calibration {
  const json = readJson(path);
  const need = (ok: boolean, name: string, got: unknown, expected: string): void => {
    if (!ok) throw new InputError({ where: path, what: `bad ${name}`, got: shownValue(got), expected });
  };
  const { version, model, pictures, layers } = json;
  need(version === VERSION, 'version', version, String(VERSION));
  need(typeof model === 'string' && model !== '', 'model', model, "an architecture's name");
  need(Number.isSafeInteger(pictures) && (pictures as number) > 0, 'pictures', pictures, 'a count');
  need(Array.isArray(layers) && layers.length > 0 && layers.length <= 4096, 'layers', layers, 'a list of layers');
  const names = new Set<unknown>();
  for (const layer of layers as unknown[]) {
    need(isRecord(layer), 'layer', layer, 'an object');
    const { name, kind, table, ...numbers } = layer as Record<string, unknown>;
    need(typeof name === 'string' && name !== '' && !names.has(name), 'layer name', name, 'different names');
    names.add(name);
    need(Number.isSafeInteger(kind) && (kind as number) >= 0, `${name}: kind`, kind, 'a number of assembly/abi/ops/elementwise.ts');
    for (const key of ['error', 'shippedError', 'largest'])
      need(isSize(numbers[key]), `${name}: ${key}`, numbers[key], 'a number, at least 0');
    checkTable(String(name), table, need);
  }
  return { model, pictures, layers } as Calibration;
}

const isSize = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** What the kernel may look up: whatever x is, a code below 16 and a finite level. */
function checkTable(name: string, table: unknown, need: (ok: boolean, name: string, got: unknown, expected: string) => void): void {
  need(isRecord(table), `${name}: table`, table, 'an object');
  const { levels, cells, scale, shift, flip, origin } = table as Record<string, unknown>;
  const isLevel = (v: unknown): boolean => typeof v === 'number' && Math.abs(v) <= 1e3;
  need(Array.isArray(levels) && levels.length === 16 && levels.every(isLevel), `${name}: levels`, levels, '16 numbers of at most 1000');
  const isCode = (v: unknown): boolean => Number.isSafeInteger(v) && (v as number) >= 0 && (v as number) < 16;
  need(
    Array.isArray(cells) && cells.length === Codebook.CellCount && cells.every(isCode),
    `${name}: cells`,
    cells,
    `${Codebook.CellCount} codes from 0 to 15`,
  );
  const isPositive = (v: unknown): boolean => typeof v === 'number' && v >= 1e-6 && v <= 1e6;
  if (origin === undefined) {
    need(isPositive(scale), `${name}: scale`, scale, 'a number above 0');
    need(isPositive(shift), `${name}: shift`, shift, 'a number above 0');
  } else {
    need(isPositive(origin), `${name}: origin`, origin, 'a number above 0');
    need(typeof scale === 'number' && isPositive(Math.abs(scale)), `${name}: scale`, scale, 'a number other than 0');
    need(typeof shift === 'number' && Math.abs(shift) <= 1e6, `${name}: shift`, shift, 'a number of at most 1000000');
    need(flip === 0, `${name}: flip`, flip, '0 beside an origin');
  }
  need(flip === 0 || flip === 15, `${name}: flip`, flip, '0 or 15');
}
