/** How a batch is divided does not matter: the gradient of 8 is the sum over its micro-batches, and the forward pass is the same to the bit. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { readParameter } from '../../src/engine/engine.ts';
import { close } from '../support/close.ts';
import { cases } from '../support/golden.ts';
import { compileNetwork, feed, load, type Network, network, newEngine, randomHead } from '../support/network.ts';

const BATCH = 8;

interface Pass {
  logits: Float32Array;
  losses: Float32Array;
  gradients: Map<string, Float32Array>;
  loss: number;
}

/** Eight pictures (the golden four, and those turned around) in passes of `microBatch`. */
function pass(net: Network, keep: string, microBatch: number): Pass {
  const engine = newEngine(compileNetwork(net, { method: 'bias', keep, microBatch }).program);
  load(engine, net);
  randomHead(engine);
  const [h, w] = net.model.image;
  const images = new Uint8Array(BATCH * h * w * 3);
  images.set(net.values.bytes('images'));
  images.set(net.values.bytes('images').slice().reverse(), images.length / 2);
  const labels = new Float32Array(BATCH).map((_, i) => net.values.get('labels')[i % 4]!);
  const get = (name: string) => (name === 'labels' ? labels : net.values.get(name));
  const eight: Network = { ...net, values: { ...net.values, get, bytes: () => images } };
  const logits: number[] = [];
  const losses: number[] = [];
  for (let first = 0; first < BATCH; first += microBatch) {
    feed(engine, eight, first, BATCH);
    engine.run('eval');
    logits.push(...engine.floats(Io.Logits));
    engine.run('train');
    losses.push(...engine.floats(Io.Losses));
    assert.equal(engine.floats(Io.Losses), engine.floats(Io.EvalLosses));
  }
  const gradients = new Map(engine.program.parameters.map((p) => [p.name, readParameter(engine, p, p.gradient)]));
  const loss = engine.state.getFloat64(State.LossSum, true);
  return { logits: Float32Array.from(logits), losses: Float32Array.from(losses), gradients, loss };
}

for (const name of cases)
  test(`${name}: 8 at once, or in passes of 1, 2, 4`, () => {
    const net = network(name);
    const whole = { exact: pass(net, 'exact', BATCH), s2a: pass(net, 's2a', BATCH) };
    assert.equal(whole.s2a.logits, whole.exact.logits, 'policies differ in the forward pass');
    assert.equal(whole.s2a.losses, whole.exact.losses);
    for (const keep of ['exact', 's2a'] as const) {
      assert.ok([...whole[keep].gradients.values()].every((g) => g.every(Number.isFinite) && g.some((x) => x !== 0)));
      for (const microBatch of [1, 2, 4]) {
        const parts = pass(net, keep, microBatch);
        assert.equal(parts.logits, whole[keep].logits, `micro-batch ${microBatch}`);
        assert.equal(parts.losses, whole[keep].losses, `micro-batch ${microBatch}`);
        for (const [parameter, gradient] of parts.gradients) close(gradient, whole[keep].gradients.get(parameter)!, 2e-6, parameter);
      }
    }
  });

test.run();
