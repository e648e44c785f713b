import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Op } from '../../../assembly/abi/ops.ts';
import { embed, embedBackward } from '../../oracle/simple.ts';
import { close, numbers } from '../../support/close.ts';
import { checkGradient } from '../../support/difference.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const rig = openRig(4 << 20, 1 << 12);
const [batch, p] = [3, 5];

/** Every combination of tokens and of position rows for them. */
const cases: { cls: boolean; dist: boolean; patchesOnly: boolean; c: number }[] = [];
for (const c of [1, 6, 16, 33])
  for (const cls of [false, true])
    for (const dist of [false, true]) for (const patchesOnly of [false, true]) cases.push({ cls, dist, patchesOnly, c });

function data({ cls, dist, patchesOnly, c }: (typeof cases)[number]) {
  const tokens = [...(cls ? [numbers(c, 2)] : []), ...(dist ? [numbers(c, 3)] : [])];
  const t = p + tokens.length;
  const posRows = patchesOnly ? p : t;
  return { tokens, t, posRows, x: numbers(batch * p * c, 1), pos: numbers(posRows * c, 4), dy: numbers(batch * t * c, 5) };
}

test('forward', () => {
  for (const one of cases)
    for (const threads of [1, 2, 3]) {
      rig.clear();
      const { cls, dist, c } = one;
      const { tokens, t, posRows, x, pos } = data(one);
      const [px, ppos, y] = [rig.f32(x), rig.f32(pos), rig.f32(batch * t * c)];
      const at = tokens.map((token) => rig.f32(token));
      const args = [px, cls ? at[0]! : 0, dist ? at[at.length - 1]! : 0, ppos, y, batch, p, c, posRows];
      onThreads(rig, threads, 1024, () => assert.is(rig.run(Op.Embed, args), 0));
      close(rig.readF32(y, batch * t * c), embed(x, tokens, pos, batch, p, c), 1e-7, JSON.stringify(one));
    }
});

test('backward writes dx and accumulates the rest', () => {
  for (const one of cases)
    for (const threads of [1, 3])
      for (const wanted of [true, false]) {
        rig.clear();
        const { cls, dist, c } = one;
        const { tokens, posRows, x, pos, dy } = data(one);
        const want = embedBackward(dy, tokens.length, posRows, batch, p, c);
        const [pdy, dx, dpos] = [rig.f32(dy), rig.f32(x), rig.f32(pos)];
        const at = tokens.map((token) => rig.f32(token));
        const args = [pdy, dx, cls ? at[0]! : 0, dist ? at[at.length - 1]! : 0, dpos, batch, p, c, posRows, Number(cls), Number(dist)];
        // Not wanted: nothing may be written, only the tokens' existence still counts.
        if (!wanted) args.fill(0, 1, 5);
        onThreads(rig, threads, 1024, () => assert.is(rig.run(Op.EmbedBackward, args), 0));
        close(rig.readF32(dx, x.length), wanted ? want.dx : x, 1e-6, `dx ${JSON.stringify(one)}`);
        close(rig.readF32(dpos, pos.length), wanted ? want.dpos.map((g, i) => g + pos[i]!) : pos, 1e-6, 'dpos');
        tokens.forEach((token, i) => {
          close(rig.readF32(at[i]!, c), wanted ? want.dtokens[i]!.map((g, k) => g + token[k]!) : token, 1e-6, 'token');
        });
      }
});

test('the oracle is right: finite differences', () => {
  const one = { cls: true, dist: true, patchesOnly: false, c: 3 };
  const { tokens, posRows, x, pos, dy } = data(one);
  const g = embedBackward(dy, 2, posRows, batch, p, 3);
  checkGradient((v) => embed(v, tokens, pos, batch, p, 3), x, dy, g.dx);
  checkGradient((v) => embed(x, tokens, v, batch, p, 3), pos, dy, g.dpos);
  checkGradient((v) => embed(x, [v, tokens[1]!], pos, batch, p, 3), tokens[0]!, dy, g.dtokens[0]!);
});

test.run();
