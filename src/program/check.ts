/** A program file held against itself before anything in it is believed: assembly/formats/program.ts, in sentences. */
import type { Section } from '../../assembly/abi/program.ts';
import * as checked from '../../assembly/formats/program.ts';
import { InputError, shown } from '../base/error.ts';
import { wordsOf } from '../base/words.ts';
import { SIGNATURES } from './arguments.ts';

/** Throws where the file is not whole; its length and checksum have been looked at. `lines`: the lines of a section. */
export function checkProgram(file: Uint8Array, where: string, lines: (section: Section) => readonly string[]): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const words = wordsOf(() => view);
  // One mark a parameter, each of them described by more bytes.
  const marks = new DataView(new ArrayBuffer(file.length));
  if (
    checked.checkProgram(
      words,
      0,
      file.length,
      wordsOf(() => marks),
      0,
    )
  )
    return;
  const { fault, got, expected, names, nameLine, operator, argument } = checked;
  const what = names === 0 ? fault : `${fault}: ${shown(lines(names)[nameLine] ?? `line ${nameLine}`)}`;
  const signature = argument < 0 ? undefined : SIGNATURES.get(operator);
  throw new InputError({
    where,
    what: signature ? `${what}, ${signature.op}, ${signature.arguments[argument]!.name}` : what,
    ...(got < 0 ? {} : { got, expected }),
    hint: 'compile it again',
  });
}
