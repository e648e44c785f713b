/** Every exported network against PyTorch under policy `exact`: the logits of its own head, and the gradients of biases under a new one. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { close } from '../support/close.ts';
import { cases, checkGradients, engineOf, networkOf, toleranceOf, valuesOf } from '../support/onnx.ts';

for (const name of cases) {
  test(`${name}: logits of the file's head`, () => {
    const values = valuesOf(name);
    const { engine } = engineOf(name, values, { head: 'file', purpose: 'infer' });
    engine.run('eval');
    close(engine.floats(Io.Logits), values.get('logits'), toleranceOf(name), 'logits');
  });
  test(`${name}: gradients of biases`, () => {
    const values = valuesOf(name);
    const { engine, head } = engineOf(name, values, { method: 'bias' });
    engine.run('eval');
    close(engine.floats(Io.Logits), values.get('logits.new'), toleranceOf(name), 'logits');
    engine.run('train');
    const seen = checkGradients(engine, values, head, 10 * toleranceOf(name));
    const missing = values.names.filter((key) => key.startsWith('bias/') && !seen.includes(key) && !/(key|k_proj)\.bias$/.test(key));
    assert.equal(missing, [], 'every bias of PyTorch learns');
  });
  test(`${name}: blocks`, () => {
    assert.ok(networkOf(name).blocks.length >= 2);
  });
}

test.run();
