/**
 * Comma-separated values as RFC 4180 has them and spreadsheets write them: a header, fields that may stand in quotes (with line breaks, and `""` for
 * a quote), lines that end in LF, CRLF or CR, a byte order mark. The separator is a comma, a semicolon or a tab: whichever the header has most of.
 * Spaces around a field without quotes are not part of it; empty lines are none.
 */
import { InputError, shown } from '../base/error.ts';

export interface Table {
  /** Of the first line. */
  header: string[];
  /** As many fields each as the header, and the line that they begin on (1 is the first). */
  rows: { line: number; fields: string[] }[];
}

/** Parses a whole file; `where` names it. */
export function parseCsv(bytes: Uint8Array, where: string): Table {
  const text = decode(bytes, where);
  const separator = separatorOf(text);
  const records = recordsOf(text, separator, where);
  const [head, ...rows] = records;
  if (head === undefined) throw new InputError({ where, what: 'is empty', expected: 'a header such as file,label' });
  const wrong = rows.find(({ fields }) => fields.length !== head.fields.length);
  if (wrong)
    throw new InputError({
      where: `${where} line ${wrong.line}`,
      what: 'another number of fields than the header has',
      got: wrong.fields.length,
      expected: head.fields.length,
      hint: 'a field with the separator in it stands in quotes',
    });
  return { header: head.fields, rows };
}

function decode(bytes: Uint8Array, where: string): string {
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff))
    throw new InputError({ where, what: 'is UTF-16 text', expected: 'UTF-8', hint: 'a spreadsheet saves it so as "CSV UTF-8"' });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError({ where, what: 'is not UTF-8 text', hint: 'a spreadsheet saves it so as "CSV UTF-8"' });
  }
  const nul = text.indexOf('\0');
  if (nul >= 0) throw new InputError({ where, what: 'holds a NUL character: is it a text file?' });
  return text;
}

/** Quotes apart, what the first line has most of; a comma where it has none. */
function separatorOf(text: string): string {
  const head = (/^(?:"[^"]*"|[^"\r\n])*/.exec(text)?.[0] ?? '').replace(/"[^"]*"/g, '');
  const counts = [',', ';', '\t'].map((separator) => ({ separator, count: head.split(separator).length }));
  return counts.reduce((best, next) => (next.count > best.count ? next : best)).separator;
}

const isSpace = (c: string | undefined): boolean => c === ' ' || c === '\u00a0' || c === '\t';

function recordsOf(text: string, separator: string, where: string): Table['rows'] {
  const records: Table['rows'] = [];
  const n = text.length;
  let at = 0;
  let line = 1;
  const isEnd = (i: number): boolean => i >= n || text[i] === '\n' || text[i] === '\r';
  const space = (): void => {
    while (at < n && text[at] !== separator && isSpace(text[at])) at++;
  };
  const fault = (what: string, of: number): InputError => new InputError({ where: `${where} line ${of}`, what });

  /** A field in quotes, from its first one. */
  const quoted = (): string => {
    const began = line;
    let field = '';
    for (at++; ; ) {
      const end = text.indexOf('"', at);
      if (end < 0) throw fault('a quote is not closed', began);
      const piece = text.slice(at, end);
      field += piece;
      line += piece.match(/\r\n|\n|\r/g)?.length ?? 0;
      at = end + 1;
      if (text[at] !== '"') break;
      field += '"';
      at++;
    }
    space();
    if (!isEnd(at) && text[at] !== separator) throw fault('text behind a closing quote', line);
    return field;
  };
  const plain = (): string => {
    const from = at;
    while (!isEnd(at) && text[at] !== separator) at++;
    const field = text.slice(from, at).trim();
    if (field.includes('"')) throw fault(`a quote inside a field without quotes: ${shown(field)}`, line);
    return field;
  };

  while (at < n) {
    const began = line;
    const fields: string[] = [];
    let isQuoted = false;
    for (;;) {
      space();
      const inQuotes = text[at] === '"';
      isQuoted ||= inQuotes;
      fields.push(inQuotes ? quoted() : plain());
      if (isEnd(at)) break;
      at++;
    }
    if (text[at] === '\r' && text[at + 1] === '\n') at++;
    at++;
    line++;
    if (fields.length > 1 || isQuoted || fields[0] !== '') records.push({ line: began, fields });
  }
  return records;
}

/** A field as it stands in a table with commas: in quotes where it has to. */
export const csvField = (text: string): string => (/[",\r\n;\t]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
