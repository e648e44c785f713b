/** Says what is done about a model folder that does not say how it wants its pictures. */
import { type Base, processorNote } from '../../src/base.ts';
import type { Output } from './output.ts';

export function sayAssumed(base: Base, out: Output): void {
  const note = processorNote(base);
  if (note !== undefined) out.warn(note);
}
