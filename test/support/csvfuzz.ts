/** Tables of chance: what was written in quotes is read back, and whatever else comes is read or refused with a sentence. */

import { InputError } from '../../src/base/error.ts';
import { parseCsv } from '../../src/formats/csv.ts';
import { type FuzzReport, generator, type Random } from '../wasi/fuzz.ts';

const PIECES = [
  'a',
  'file',
  'label',
  ',',
  ';',
  '\t',
  '"',
  '""',
  '\n',
  '\r\n',
  '\r',
  ' ',
  '\u00a0',
  'é',
  '\ufeff',
  '\0',
  '🐈',
  '\u2028',
  '\ud800',
];

const some = (random: Random, most: number, pieces = PIECES): string =>
  Array.from({ length: random(most) }, () => pieces[random(pieces.length)]!).join('');

/** `tables` inputs: half of them noise, half of them tables whose rows are known. */
export function fuzzTables({ count, seed, onInput }: { count: number; seed: number; onInput(n: number): void }): FuzzReport {
  const random = generator(seed);
  const tally = { refused: 0, passed: 0 };
  const failures: string[] = [];
  const bytesOf = (text: string): Uint8Array => {
    const bytes = new TextEncoder().encode(text);
    if (random(8) === 0 && bytes.length > 0) bytes[random(bytes.length)] = random(256);
    return bytes;
  };
  for (let n = 0; n < count; n++) {
    onInput(n);
    try {
      if (n % 2 === 0) {
        const { header, rows } = parseCsv(bytesOf(some(random, 60)), 'x.csv');
        if (rows.some(({ fields }) => fields.length !== header.length)) failures.push(`tables ${n}: a row of another length`);
      } else known(random);
      tally.passed++;
    } catch (error) {
      if (error instanceof InputError && n % 2 === 0 && !error.message.includes('\n')) tally.refused++;
      else failures.push(`tables ${n}: ${(error as Error).stack}`);
    }
  }
  return { readers: { 'tables of labels': tally }, failures };
}

/** Writes a table and reads it back. */
function known(random: Random): void {
  const separator = [',', ';', '\t'][random(3)]!;
  const end = ['\n', '\r\n', '\r'][random(3)]!;
  const pieces = PIECES.filter((piece) => piece !== '\0' && piece !== '\ud800');
  const width = 2 + random(3);
  const table = Array.from({ length: 1 + random(5) }, () => Array.from({ length: width }, () => some(random, 6, pieces)));
  const text = table.map((row) => row.map((field) => `"${field.replaceAll('"', '""')}"`).join(separator)).join(end);
  const { header, rows } = parseCsv(new TextEncoder().encode(text), 'x.csv');
  const got = JSON.stringify([header, ...rows.map(({ fields }) => fields)]);
  if (got !== JSON.stringify(table)) throw new Error(`${JSON.stringify(text)} is read as ${got}`);
}
