// A page of results: figures that a program writes anew, and below a mark what people wrote about them, which stays.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const MARK = '<!-- notes -->';

/** Writes the page at `path`; whatever stands below the mark of an earlier one is kept. */
export function writePage(path, markdown) {
  const notes = existsSync(path) ? (readFileSync(path, 'utf8').split(MARK)[1] ?? '\n') : '\n';
  writeFileSync(path, `${markdown}\n${MARK}${notes}`);
}
