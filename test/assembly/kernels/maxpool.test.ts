/** Special values, which the operator table leaves out: infinities, NaN, windows of -∞ alone. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Op } from '../../../assembly/abi/ops.ts';
import { code4RowsBytes } from '../../../assembly/abi/sizes.ts';
import { maxPool, maxPoolBackward, maxPoolIndices } from '../../oracle/simple.ts';
import { numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const rig = openRig(4 << 20, 1 << 12);
const values = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN, 0, -0, -1];

test('infinities, NaN and equal values', () => {
  for (const c of [1, 5, 31, 32, 37, 64])
    for (const threads of [1, 3]) {
      rig.clear();
      const g = { batch: 2, h: 7, width: 6, c, oh: 4, ow: 3, r: 3, s: 3, stride: 2, top: 1, left: 1 };
      const x = numbers(2 * 7 * 6 * c, c).map((v, i) => (v > 1 ? v : values[(i * 5 + Math.abs(Math.trunc(v * 100))) % values.length]!));
      // A whole window of -∞ at the corner.
      for (const at of [0, 1, 6, 7]) x.fill(Number.NEGATIVE_INFINITY, at * c, (at + 1) * c);
      const outputs = 2 * 4 * 3 * c;
      const dy = numbers(outputs, 2);
      const [px, py, pdy, pdx] = [rig.f32(x), rig.f32(outputs), rig.f32(dy), rig.f32(x.length)];
      const kept = rig.f32(code4RowsBytes(24, c) / 4);
      const window = [2, 7, 6, c, 4, 3, 3, 3, 2, 1, 1];
      onThreads(rig, threads, 1024, () => assert.is(rig.run(Op.MaxPool, [px, py, kept, ...window]), 0));
      onThreads(rig, threads, 1024, () => assert.is(rig.run(Op.MaxPoolBackward, [pdy, kept, pdx, ...window]), 0));
      assert.equal([...rig.readF32(py, outputs)], [...maxPool(g, x)]);
      assert.ok(maxPoolIndices(g, x).every((i) => i >= 0));
      const want = maxPoolBackward(g, x, dy);
      rig.readF32(pdx, x.length).forEach((v, i) => {
        assert.ok(Math.abs(v - want[i]!) <= 1e-6, `dx ${i}: ${v}, expected ${want[i]}`);
      });
    }
});

test.run();
