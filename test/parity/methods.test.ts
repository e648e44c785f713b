/** Every golden case against PyTorch under policy `exact`: logits, and the gradients of every method. */
import { test } from 'uvu';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { close } from '../support/close.ts';
import { builtCases, goldenValues } from '../support/golden.ts';
import { BATCH, goldenEngine, gradientsAgree } from '../support/goldenengine.ts';

for (const name of builtCases) {
  test(`${name}: logits of the checkpoint's head`, () => {
    const values = goldenValues(name);
    const classes = values.shape('logits')[1]!;
    const engine = goldenEngine(name, values, { head: 'file', purpose: 'infer', classes });
    engine.run('eval');
    close(engine.floats(Io.Logits), values.get('logits'), 1e-5, 'logits');
  });
  for (const method of ['bias', 'probe', 'full'] as const)
    test(`${name}: gradients of ${method}`, () => {
      const values = goldenValues(name);
      const engine = goldenEngine(name, values, { method });
      engine.run('eval');
      close(engine.floats(Io.Logits), values.get('logits.new'), 1e-5, 'logits');
      engine.run('train');
      gradientsAgree(engine, values, method, 1e-4);
    });
  test(`${name}: loss and gradients of label smoothing`, () => {
    const values = goldenValues(name);
    const engine = goldenEngine(name, values, { method: 'bias' });
    engine.state.setFloat32(State.Smoothing, 0.1, true);
    engine.run('train');
    close([engine.state.getFloat64(State.LossSum, true) / BATCH], values.get('loss.smooth'), 1e-5, 'loss');
    gradientsAgree(engine, values, 'smooth', 1e-4);
  });
}

test.run();
