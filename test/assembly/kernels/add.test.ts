import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Op } from '../../../assembly/abi/ops.ts';
import { close, numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const rig = openRig(4 << 20, 1 << 12);

test('y = scale·(a + b), apart and in place, on threads', () => {
  for (const n of [1, 3, 4, 15, 16, 17, 64, 100, 1027])
    for (const scale of [1, 0.5, -3]) {
      const [a, b] = [numbers(n, 1), numbers(n, 2)];
      const want = a.map((v, i) => scale * (v + b[i]!));
      for (const into of ['apart', 'a', 'b'])
        for (const threads of [1, 2, 3]) {
          rig.clear();
          const [pa, pb, py] = [rig.f32(a), rig.f32(b), rig.f32(n + 4)];
          const y = into === 'a' ? pa : into === 'b' ? pb : py;
          onThreads(rig, threads, 1024, () => assert.is(rig.run(Op.Add, [pa, pb, y, n, rig.float(scale)]), 0));
          close(rig.readF32(y, n), want, 1e-7, `n ${n}, ${into}`);
          if (into === 'apart') assert.equal([...rig.readF32(y + n * 4, 4)], [0, 0, 0, 0]);
        }
    }
});

test('both operands the same, and special values', () => {
  rig.clear();
  const a = rig.f32([1, -0, Number.POSITIVE_INFINITY, Number.NaN, 3e38]);
  rig.run(Op.Add, [a, a, a, 5, rig.float(1)]);
  assert.equal([...rig.readF32(a, 5)], [2, -0, Number.POSITIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY]);
});

test.run();
