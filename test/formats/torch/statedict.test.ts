/** Which tensors of a checkpoint are the weights, and whether they are where they say. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { weightsOf } from '../../../src/formats/torch/statedict.ts';
import { Dict, Storage, TensorPlace, type Value } from '../../../src/formats/torch/values.ts';
import { refused } from '../../support/folder.ts';

const storage = new Storage('0', 'F32', 24);
const tensor = (shape: Value, strides: Value, from: Value = 0): TensorPlace => new TensorPlace(storage, from, shape, strides);
const one = tensor([2], [1]);
function dict(of: Readonly<Record<string, Value>>): Dict {
  const made = new Dict();
  for (const [key, value] of Object.entries(of)) made.entries.set(key, value);
  return made;
}
const names = (root: Value): string[] => weightsOf('x.pth', root).map(({ name }) => name);
const refuse = (root: Value, ...words: string[]): string => refused(() => weightsOf('x.pth', root), 'x.pth', ...words);

test('the checkpoint itself, or the one dictionary of tensors in it', () => {
  assert.equal(names(dict({ a: one, b: one })), ['a', 'b']);
  for (const key of ['state_dict', 'model', 'model_ema', 'teacher'])
    assert.equal(names(dict({ epoch: 3, [key]: dict({ a: one }) })), ['a']);
  // An optimizer's tensors are deeper, and a tensor beside the weights is a figure.
  const optimizer = dict({ state: dict({ 0: dict({ exp_avg: one }) }), param_groups: [] });
  assert.equal(names(dict({ optimizer, best: one, model: dict({ a: one }) })), ['a']);
  refuse(dict({ model: dict({ a: one }), model_ema: dict({ a: one }) }), 'holds several networks', 'got model, model_ema', "d['model']");
  refuse(dict({ "it's": dict({ a: one }), '\n': dict({ a: one }) }), 'holds several networks', "d['NAME']");
  refuse(dict({ epoch: 3 }), 'holds no tensors');
  refuse(dict({ net: dict({ state: dict({ a: one }) }) }), 'holds no tensors');
  for (const root of [null, 3, 'x', [], one] as Value[]) refuse(root, 'no dictionary of tensors');
  refuse(dict({ a: one, b: 3 }), 'x.pth, b', 'is no tensor');
});

test('what wraps a whole network is no part of its names', () => {
  assert.equal(names(dict({ 'module.a': one, 'module.b': one })), ['a', 'b']);
  assert.equal(names(dict({ 'module._orig_mod.a': one })), ['a']);
  assert.equal(names(dict({ 'module.a': one, b: one })), ['module.a', 'b']);
});

test('tensors lie in their storage, row by row', () => {
  const order = (shape: number[], strides: number[], from = 0) => weightsOf('x.pth', dict({ a: tensor(shape, strides, from) }))[0]!.order;
  assert.is(order([2, 3, 4], [12, 4, 1]), undefined);
  assert.is(order([], []), undefined);
  assert.is(order([24], [1]), undefined);
  assert.is(order([1, 24], [7, 1]), undefined);
  assert.is(order([0, 5], [3, 3]), undefined);
  assert.is(order([2, 1, 3], [3, 99, 1], 18), undefined);
  assert.equal(order([2, 3, 4], [12, 1, 3]), { shape: [3, 4], strides: [1, 3] });
  for (const [shape, strides] of [
    [
      [3, 4],
      [1, 3],
    ],
    [[4], [2]],
    [[4], [0]],
    [
      [2, 3],
      [4, 1],
    ],
    [
      [2, 3, 4],
      [12, 0, 1],
    ],
    [
      [2, 3, 4],
      [12, 4, 2],
    ],
    [
      [2, 2, 3],
      [6, 1, 1],
    ],
  ] as [number[], number[]][])
    refuse(dict({ a: tensor(shape, strides) }), 'tensor a', 'does not lie in one piece', '.contiguous()');
});

test('shapes, strides and places that cannot be', () => {
  refuse(dict({ a: tensor([25], [1]) }), 'lies outside of its storage, got 25 numbers from 0 on, expected 24');
  refuse(dict({ a: tensor([4], [1], 21) }), 'lies outside');
  refuse(dict({ a: tensor([4], [1], -1) }), 'lies outside');
  refuse(dict({ a: tensor([4], [1], 0.5) }), 'lies outside');
  refuse(dict({ a: tensor([4], [1], null) }), 'lies outside');
  refuse(dict({ a: tensor([2 ** 30, 2 ** 30], [1, 1]) }), 'bad shape');
  for (const shape of [null, 'x', [-1], [1.5], ['x'], [2n ** 64n], new Array(9).fill(1), [null]] as Value[])
    refuse(dict({ a: tensor(shape, [1]) }), 'bad shape');
  for (const strides of [null, [], [1, 1], [-1], ['x']] as Value[]) refuse(dict({ a: tensor([2], strides) }), 'bad strides');
});

test.run();
