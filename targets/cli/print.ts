/** `s2a print`: a compiled program as text. It is compiled here from a model folder, or read from the file that `pack` or `plan --program` wrote. */

import { InputError } from '../../src/base/error.ts';
import { fileExists, isFolder } from '../../src/base/files.ts';
import { readLimited } from '../../src/base/reading.ts';
import { planForBudget } from '../../src/compile.ts';
import { decodeProgram } from '../../src/program/decode.ts';
import { printProgram } from '../../src/program/print.ts';
import { type Parsed, PLAN_FLAGS, parse } from './options.ts';
import type { Output } from './output.ts';
import { planOptions } from './plan.ts';

const { json: _, ...COMPILING } = PLAN_FLAGS;
const FLAGS = { ...COMPILING, classes: 'text' } as const;

/** Programs have some hundred KiB; whatever has more than this is something else. */
const MOST_BYTES = 64 << 20;

export function print(args: string[], out: Output): void {
  const p = parse(args, FLAGS, { least: 1, most: 1, usage: 's2a print <model folder or program file>' });
  const path = p.positionals[0]!;
  if (fileExists(path) && !isFolder(path)) out.line(programFile(path, p));
  else {
    const compiled = planForBudget(planOptions(p));
    out.line(printProgram(compiled.program, compiled));
  }
}

/** A program file's text. Every option of compiling is refused beside it: the file says what it was compiled with. */
function programFile(path: string, p: Parsed): string {
  for (const name of Object.keys(FLAGS))
    if (p.text(name) !== undefined)
      throw new InputError({
        where: `--${name}`,
        what: 'is an option of compiling, and a program file is compiled already',
        hint: 'leave it out, or name a model folder',
      });
  return printProgram(decodeProgram(readLimited(path, MOST_BYTES, 'a program file'), path));
}
