/** Says what is done about a model folder that does not say how it wants its pictures. */
import { type ModelFolder, processorNote } from '../../src/import/modelfolder.ts';
import type { Output } from './output.ts';

export function sayAssumed(base: ModelFolder, out: Output): void {
  const note = processorNote(base);
  if (note !== undefined) out.warn(note);
}
