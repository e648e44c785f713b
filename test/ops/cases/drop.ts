/** Dropout and drop-path: masks against the scalar generator, sizes of every tail, rates at both ends. */
import { State } from '../../../assembly/abi/head.ts';
import { Stream } from '../../../assembly/abi/random.ts';
import { philox } from '../../oracle/random.ts';
import { constant, type Forward, type Numbers, x } from '../table.ts';
import { specials, TAILS } from './tails.ts';

const SEED = 7;
const SAMPLES = [3, 0, 70_000];

/** 0 or 1/(1 - rate) by element. */
function mask(n: number, rate: number, number: number, path: number): Float64Array {
  const threshold = Math.round(rate * 65536);
  return Float64Array.from({ length: SAMPLES.length * n }, (_, at) => {
    const [picture, i] = [Math.floor(at / n), at % n];
    const [key] = philox(SEED, (number << 4) | Stream.Drop, SAMPLES[picture]!);
    const words = path ? [key] : philox(key, Stream.Drop, i >> 2);
    const bits = path ? words[0]! & 0xffff : (words[(i & 3) >> 1]! >>> (16 * (i & 1))) & 0xffff;
    return bits < threshold ? 0 : 65536 / (65536 - threshold);
  });
}

function drop(shape: readonly number[], rate: number, path: 0 | 1, number = 5, data?: Float32Array): Forward {
  const whole = [SAMPLES.length, ...shape];
  const n = shape.reduce((a, b) => a * b, 1);
  const factors = mask(n, rate, number, path);
  const state = new Uint8Array(State.Bytes);
  new DataView(state.buffer).setUint32(State.Seed, SEED, true);
  const of = (v: Numbers): Float64Array => Float64Array.from(v, (a, i) => (factors[i] === 0 ? 0 : a * factors[i]!));
  return {
    op: 'Drop',
    name: `Drop ${path ? 'path' : 'elements'} [${whole}], rate ${rate}, layer ${number}${data ? ', special values' : ''}`,
    inputs: [
      data ? x(whole, data) : x(whole),
      constant({ dtype: 'u32', shape: [SAMPLES.length] }, new Uint8Array(Uint32Array.from(SAMPLES).buffer)),
      constant({ dtype: 'u8', shape: [State.Bytes] }, state),
    ],
    attributes: { rate, number, path },
    shape: whole,
    f: (v) => of(v[0]!),
    kept: [0, 0],
    ...(data && { analytic: (_: readonly Numbers[], dy: Numbers) => [of(dy)] }),
  };
}

export const dropCases: readonly Forward[] = [
  ...TAILS.map((n) => drop([n], 0.5, 0)),
  drop([5, 13], 0.25, 0, 0),
  drop([5, 13], 0.25, 0, 1),
  drop([7], 0, 0),
  ...[0.5, 0.1].flatMap((rate) => [6, 33].map((n) => drop([n], rate, 1))),
  drop([2, 9], 0.9, 0, 3, specials(3 * 18, 2)),
];
