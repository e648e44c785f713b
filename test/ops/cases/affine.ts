/** A factor and a number for each channel: either absent, either frozen, every tail. */
import { affine, channelSums } from '../../oracle/shapes.ts';
import { type Forward, frozen, type Numbers, w, x } from '../table.ts';
import { inputCopy } from './copy.ts';
import { specials, TAILS } from './tails.ts';

interface Options {
  scale?: 'learns' | 'frozen' | 'absent';
  shift?: 'learns' | 'frozen' | 'absent';
  still?: boolean;
  special?: boolean;
}

function one(lead: readonly number[], c: number, { scale = 'learns', shift = 'learns', still, special }: Options = {}): Forward {
  const shape = [...lead, c];
  const n = shape.reduce((a, b) => a * b, 1);
  const operand = (how: string, seed: number) =>
    how === 'absent' ? null : how === 'frozen' ? frozen(w([c])) : w([c], special ? specials(c, seed) : undefined);
  const image = x(shape, special ? specials(n, 1) : undefined);
  const inputs = [still ? frozen(image) : image, operand(scale, 2), operand(shift, 3)];
  const given = (v: readonly Numbers[], i: number): Numbers | null => (inputs[i] ? v[i]! : null);
  return {
    op: 'Affine',
    name: `Affine [${shape}], scale ${scale}, shift ${shift}${still ? ', x frozen' : ''}${special ? ', special values' : ''}`,
    inputs,
    shape,
    f: (v) => affine(v[0]!, given(v, 1), given(v, 2), c),
    analytic: (v, dy) => [affine(dy, given(v, 1), null, c), channelSums(dy, v[0]!, c), channelSums(dy, null, c)],
    ...inputCopy(inputs, (v, dy) => channelSums(dy, v, c)),
  };
}

export const affineCases: readonly Forward[] = [
  ...TAILS.map((c) => one([2, 3], c)),
  one([2, 3, 4], 40, { scale: 'frozen' }),
  one([2, 3, 4], 24, { scale: 'frozen', shift: 'frozen' }),
  one([5], 18, { scale: 'absent' }),
  one([5], 18, { shift: 'absent' }),
  one([3, 2], 7, { shift: 'absent', scale: 'frozen' }),
  one([3, 2], 7, { still: true, scale: 'frozen' }),
  one([2, 5], 19, { special: true }),
];
