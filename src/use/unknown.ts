/** Pictures that are like nothing learnt: what they are told by, and what is answered of them. */

import { DistanceTable } from '../../assembly/abi/ops/distance.ts';
import { Io } from '../../assembly/abi/program.ts';
import { counted } from '../base/counted.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { InputError } from '../base/error.ts';
import type { Engine } from '../engine/engine.ts';
import type { AdapterFile } from '../formats/adapterfile.ts';
import { type Known, readKnown } from '../formats/knownfile.ts';
import type { KnownTable } from '../pipeline/options.ts';
import { CLASSIFY, type Prediction } from '../task/index.ts';
import { knownTable, thresholdOf } from '../training/known/distance.ts';

/** How unknown pictures are told, or why they are not. */
export type Unknown =
  | {
      /** Which share of pictures of known classes may be refused with them. */
      share: number;
      /** The largest distance of what is known: of so many judged pictures that share was farther. */
      threshold: number;
    }
  | { why: string };

/** What an adapter's unknown pictures are told by; nothing where it cannot tell, which is refused (InputError) where a share was asked for. 0: nobody asks. */
export function toldBy(adapter: AdapterFile, asked: number | undefined): { unknown: Unknown; known?: KnownTable } {
  if (asked === 0) return { unknown: { why: 'nobody asked' } };
  const share = asked ?? DEFAULTS.unknown;
  const known = knownOf(adapter);
  const threshold = 'why' in known ? undefined : thresholdOf(known, share);
  if (!('why' in known) && threshold !== undefined) return { unknown: { share, threshold }, known: knownTable(known, threshold) };
  const why =
    'why' in known
      ? known.why
      : `its training judged ${counted(known.judged.length, 'picture')}, too few for ${Number((100 * share).toPrecision(3))} %`;
  if (asked === undefined) return { unknown: { why } };
  throw new InputError({ where: adapter.path, what: `cannot tell what is unknown: ${why}`, hint: '--unknown off, or train it again' });
}

const knownOf = (adapter: AdapterFile): Known | { why: string } =>
  (adapter.task ?? CLASSIFY).name === CLASSIFY.name ? readKnown(adapter) : { why: 'its task has no classes' };

/** The table in the arena; undefined where the program tells nothing unknown. */
export const tableOf = (engine: Engine): Float32Array | undefined =>
  engine.program.io.has(Io.Known) ? engine.floats(Io.Known) : undefined;

/** How far the i-th picture of the pass that the engine has just judged is from what was learnt. */
export const distanceAt = (engine: Engine, i: number): number => engine.floats(Io.Distances)[i]!;

/** Whether the i-th picture of the pass that the engine has just judged is like what was learnt; undefined where the program cannot tell. */
export function isKnown(engine: Engine, i: number): boolean | undefined {
  const table = tableOf(engine);
  return table && engine.floats(Io.Distances)[i]! <= table[DistanceTable.Threshold]!;
}

/** What was said of the first picture, with whether it is known. */
export function withKnown(engine: Engine, said: Prediction[]): Prediction[] {
  const known = isKnown(engine, 0);
  if (known === undefined) return said;
  const distance = distanceAt(engine, 0) / tableOf(engine)![DistanceTable.Threshold]!;
  return said.map((one) => ({ ...one, known, distance }));
}
