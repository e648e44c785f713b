/** Position embeddings interpolated to another image size, as transformers and timm do it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { readParameter } from '../../src/engine/engine.ts';
import { close } from '../support/close.ts';
import { cases, goldenCase, goldenValues } from '../support/golden.ts';
import { goldenEngine, gradientsAgree } from '../support/goldenengine.ts';

const POSITIONS = /(?:position_embeddings|pos_embed)$/;

let seen = 0;
for (const name of cases)
  for (const size of goldenCase(name).otherSizes) {
    seen++;
    test(`${name} at ${size}: positions, logits, gradients`, () => {
      const values = goldenValues(name, size);
      const whole = goldenEngine(name, values, { head: 'file', purpose: 'infer', classes: values.shape('logits')[1]! }, size);
      whole.run('eval');
      close(whole.floats(Io.Logits), values.get('logits'), 1e-5, 'logits');

      const engine = goldenEngine(name, values, { method: 'bias' }, size);
      engine.run('eval');
      close(engine.floats(Io.Logits), values.get('logits.new'), 1e-5, 'logits of the new head');
      engine.run('train');
      gradientsAgree(engine, values, 'bias', 1e-4);

      const full = goldenEngine(name, values, { method: 'full' }, size);
      const record = full.program.parameters.find((p) => POSITIONS.test(p.name))!;
      close(readParameter(full, record), values.get('positions'), 1e-6, 'positions');
    });
  }

test('both libraries and both directions are among them', () => assert.ok(seen >= 5, `${seen} cases`));

test.run();
