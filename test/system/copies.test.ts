/** Which layers keep an int8 copy of their input, in what groups, and that they share it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { addValue, createGraph, f32, type Graph, type Role } from '../../src/graph/graph.ts';
import { emit } from '../../src/ops/index.ts';
import { groupsOf } from '../../src/ops/quantize.ts';
import { addBackward } from '../../src/passes/backward.ts';
import { keepOf } from '../../src/passes/keeppolicy.ts';
import { chooseSaved, gradientNeeds } from '../../src/passes/saved.ts';

/** The sum of two linear layers over one x, which comes from something learnable unless `role` says where else. */
function twoLayers(shape: number[], policy: string, role: Role = 'temp'): Graph {
  const graph = createGraph();
  const train = { phase: 'train' } as const;
  const given = addValue(graph, 'x', f32(...shape), role === 'temp' ? 'param' : role);
  const x = role === 'temp' ? emit(graph, 'Add', 'x', [given, given], { scale: 0.5 }, train).outputs[0]! : given;
  const layer = (name: string): number => {
    const weight = addValue(graph, `${name}.weight`, f32(4, shape.at(-1)!), 'param');
    return emit(graph, 'Linear', name, [x, weight, -1], {}, train).outputs[0]!;
  };
  const y = emit(graph, 'Add', 'y', [layer('a'), layer('b')], { scale: 1 }, train).outputs[0]!;
  const needs = gradientNeeds(graph);
  chooseSaved(graph, needs, keepOf(policy));
  addBackward(graph, y, addValue(graph, 'dy', graph.values[y]!.type, 'batch'), needs);
  return graph;
}
const count = (graph: Graph, op: string): number => graph.phases.train.filter((n) => n.op === op).length;

test('as few groups as keep each within 64 channels, all of one size', () => {
  const sizes = { 1: 1, 3: 1, 64: 1, 65: 5, 67: 67, 96: 2, 144: 3, 192: 3, 320: 5, 384: 6, 576: 9, 768: 12, 960: 15, 1280: 20 };
  for (const [c, groups] of Object.entries(sizes)) assert.is(groupsOf(Number(c)), groups, c);
});

test('layers that learn share the copy of their input, made before the first of them', () => {
  const graph = twoLayers([2, 5, 24], 's2a');
  const ops = graph.phases.train.map((n) => n.op);
  assert.is(count(graph, 'Quantize'), 1);
  assert.is(ops.indexOf('Quantize'), ops.indexOf('Linear') - 1);
  const copies = new Set(graph.phases.train.filter((n) => n.op === 'Dequantize').map((n) => n.inputs[0]));
  assert.is(copies.size, 1);
});

test('no copy: exact, a row a picture, a copy that is no smaller, or an input that stays anyway', () => {
  assert.is(count(twoLayers([2, 5, 24], 'exact'), 'Quantize'), 0);
  assert.is(count(twoLayers([10, 24], 's2a'), 'Quantize'), 0);
  assert.is(count(twoLayers([2, 1, 1], 's2a'), 'Quantize'), 0);
  assert.is(count(twoLayers([2, 5, 24], 's2a', 'batch'), 'Quantize'), 0);
});

test.run();
