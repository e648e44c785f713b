/** Class and distillation tokens with position embeddings, for all tokens or for the patches alone. */
import { embed } from '../../oracle/simple.ts';
import { type Forward, frozen, type Numbers, w, x } from '../table.ts';
import { TAILS } from './tails.ts';

interface Options {
  cls?: boolean;
  dist?: boolean;
  /** Rows of the position embedding for patches alone. */
  short?: boolean;
  learns?: readonly [boolean, boolean, boolean, boolean];
}

function tokens(batch: number, middle: readonly number[], c: number, options: Options = {}): Forward {
  const { cls = true, dist = false, short = false, learns = [true, true, true, true] } = options;
  const p = middle.reduce((a, b) => a * b, 1);
  const t = p + Number(cls) + Number(dist);
  const operands = [x([batch, ...middle, c]), cls ? w([c]) : null, dist ? w([c]) : null, w([short ? p : t, c])];
  return {
    op: 'Embed',
    name: `Embed [${batch},${middle},${c}]${cls ? ', class' : ''}${dist ? ', distillation' : ''}${short ? ', short' : ''}, learns ${learns.map(Number)}`,
    inputs: operands.map((o, i) => (o && !learns[i] ? frozen(o) : o)),
    shape: [batch, t, c],
    f: (v) =>
      embed(
        v[0]!,
        [cls ? v[1]! : null, dist ? v[2]! : null].filter((a): a is Numbers => a !== null),
        v[3]!,
        batch,
        p,
        c,
      ),
    kept: [0, 0],
  };
}

export const tokensCases: readonly Forward[] = [
  ...TAILS.map((c) => tokens(2, [2, 3], c)),
  ...[1, 2, 16, 33].map((p) => tokens(2, [p], 6, { dist: true })),
  tokens(1, [4], 7, { cls: false }),
  tokens(3, [4], 7, { cls: false, dist: true }),
  tokens(2, [5], 9, { short: true }),
  tokens(2, [5], 9, { short: true, dist: true }),
  tokens(2, [5], 8, { dist: true, learns: [true, false, true, false] }),
  tokens(2, [5], 8, { dist: true, learns: [false, true, false, true] }),
  tokens(2, [5], 8, { learns: [false, false, false, true] }),
  tokens(2, [5], 8, { learns: [true, false, false, false] }),
];
