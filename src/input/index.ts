/** Every input by name. */
import { isRecord } from '../base/json.ts';
import { array } from './array.ts';
import { isArrayPreparation } from './example.ts';
import type { Input, Port } from './input.ts';
import { picture } from './picture.ts';
import type { Preparation } from './preparation.ts';

export type * from './input.ts';
export type { Preparation } from './preparation.ts';

export const INPUTS: readonly Input[] = [picture as unknown as Input, array as unknown as Input];

/** The input whose examples a preparation prepares. */
export const inputOf = (preparation: Preparation): Input => INPUTS.find((input) => input.owns(preparation))!;

/** What the network's port takes of one example. */
export function portOf(preparation: Preparation): Port {
  const port = inputOf(preparation).port(preparation);
  return { ...port, bytes: port.height * port.width * port.channels * (port.element === 'f32' ? 4 : 1) };
}

/** A preparation from an adapter, every field checked. */
export const checkPreparation = (value: unknown, where: string): Preparation =>
  (isRecord(value) && isArrayPreparation(value) ? array : picture).check(value, where);
