/** Where results may be written: not among what they are made from. */
import { isAbsolute, relative, resolve } from 'node:path';
import { InputError } from './error.ts';

/** What a command reads, by the folder it reads it from. */
export interface Inputs {
  /** Pictures: a folder within would be a class of theirs the next time. */
  data?: string;
  model?: string;
  adapter?: string;
}

/** Throws InputError where `out` is one of the inputs' folders, or lies among the pictures. */
export function guardOutput(out: string, { data, model, adapter }: Inputs): void {
  const refuse = (what: string): never => {
    throw new InputError({ where: '--out', what, got: out, expected: 'a folder of its own' });
  };
  const way = data === undefined ? '..' : relative(resolve(data), resolve(out));
  if (way === '') refuse('is the folder of the pictures');
  if (!way.startsWith('..') && !isAbsolute(way)) refuse('lies in the folder of the pictures, where it would be a class');
  const is = (folder: string | undefined): boolean => folder !== undefined && resolve(folder) === resolve(out);
  // Behind a # stands what was said of the model (src/import/modelname.ts).
  if (is(model) || is(model?.replace(/#.*$/s, ''))) refuse('is the folder of the model');
  if (is(adapter)) refuse('is the folder of the adapter');
}
