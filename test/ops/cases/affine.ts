/** A factor and a number for each channel: either absent, either frozen, every tail. */
import { affine, channelSums } from '../../oracle/shapes.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, type Forward, frozen, type Numbers, plain, w, x } from '../table.ts';
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

/** A batch norm's factor and number: with and without its own, variances of zero and large. */
function terms(c: number, { gamma = true, beta = true } = {}): Direct {
  const eps = Math.fround(1e-5);
  const of = (seed: number) => numbers(c, seed);
  const [g, b, mean] = [of(1), of(2), of(3)];
  const variance = of(4).map((v, i) => (i % 5 === 4 ? 0 : i % 5 === 3 ? 1e6 : v * v));
  return {
    op: 'BatchNormTerms',
    name: `BatchNormTerms ${c} channels${gamma ? '' : ', no gamma'}${beta ? '' : ', no beta'}`,
    phase: 'init',
    inputs: [gamma ? plain(g, [c]) : null, beta ? plain(b, [c]) : null, plain(mean, [c]), plain(variance, [c])],
    updates: [plain(new Float32Array(c), [c]), plain(new Float32Array(c).fill(7), [c], 'param')],
    attributes: { eps },
    check(_outputs, updates) {
      const [scale, shift] = updates.map((bytes) => new Float32Array(bytes.slice().buffer)) as [Float32Array, Float32Array];
      const want = Float64Array.from({ length: c }, (_, i) => (gamma ? g[i]! : 1) / Math.sqrt(variance[i]! + eps));
      close(scale, want, 1e-6, 'scale');
      close(
        shift,
        want.map((f, i) => (beta ? b[i]! : 0) - mean[i]! * f),
        1e-6,
        'shift',
      );
    },
  };
}

export const batchNormCases: readonly Direct[] = [
  ...TAILS.map((c) => terms(c)),
  terms(9, { gamma: false }),
  terms(9, { beta: false }),
  terms(9, { gamma: false, beta: false }),
];
