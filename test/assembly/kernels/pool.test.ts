import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Op } from '../../../assembly/abi/ops.ts';
import { pool, poolBackward } from '../../oracle/simple.ts';
import { close, numbers } from '../../support/close.ts';
import { checkGradient } from '../../support/difference.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const rig = openRig(4 << 20, 1 << 12);
const cases: [batch: number, p: number, c: number, first: number, count: number][] = [];
for (const c of [1, 4, 7, 16, 17, 35, 64]) cases.push([2, 9, c, 0, 9], [3, 5, c, 0, 1], [2, 6, c, 1, 5], [1, 6, c, 1, 1], [1, 1, c, 0, 1]);

test('forward', () => {
  for (const [batch, p, c, first, count] of cases)
    for (const threads of [1, 2, 3]) {
      rig.clear();
      const x = numbers(batch * p * c, 1);
      const [px, y] = [rig.f32(x), rig.f32(batch * c + 4)];
      onThreads(rig, threads, 1024, () => assert.is(rig.run(Op.Pool, [px, y, batch, p, c, first, count]), 0));
      close(rig.readF32(y, batch * c), pool(x, batch, p, c, first, count), 1e-6);
      assert.equal([...rig.readF32(y + batch * c * 4, 4)], [0, 0, 0, 0]);
    }
});

test('one position is copied unchanged', () => {
  rig.clear();
  const x = numbers(3 * 10, 1);
  const y = rig.f32(10);
  rig.run(Op.Pool, [rig.f32(x), y, 1, 3, 10, 1, 1]);
  assert.equal(rig.readF32(y, 10), x.slice(10, 20));
});

test('backward: alone, with acc, in place', () => {
  for (const [batch, p, c, first, count] of cases)
    for (const threads of [1, 3])
      for (const how of ['alone', 'acc', 'in place']) {
        rig.clear();
        const [dy, acc] = [numbers(batch * c, 2), numbers(batch * p * c, 3)];
        const [pdy, pacc] = [rig.f32(dy), rig.f32(acc)];
        const dx = how === 'in place' ? pacc : rig.f32(new Float32Array(batch * p * c).fill(9));
        onThreads(rig, threads, 1024, () => {
          assert.is(rig.run(Op.PoolBackward, [pdy, how === 'alone' ? 0 : pacc, dx, batch, p, c, first, count]), 0);
        });
        close(rig.readF32(dx, acc.length), poolBackward(dy, batch, p, c, first, count, how === 'alone' ? undefined : acc), 1e-6, how);
      }
});

test('the oracle is right: finite differences', () => {
  const [x, dy] = [numbers(2 * 6 * 5, 1), numbers(2 * 5, 2)];
  checkGradient((v) => pool(v, 2, 6, 5, 1, 4), x, dy, poolBackward(dy, 2, 6, 5, 1, 4));
});

test.run();
