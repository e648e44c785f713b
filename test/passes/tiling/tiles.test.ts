/** Tiles of rows and of pictures: the bytes of the same job without them, with any number of threads, in less memory; and no part of a value where it does not belong. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Keep } from '../../../assembly/abi/keep.ts';
import { Io } from '../../../assembly/abi/program.ts';
import { bit1Bytes } from '../../../assembly/abi/sizes.ts';
import { Kind } from '../../../assembly/generated/kinds.ts';
import { digest } from '../../../src/base/digest.ts';
import { compile } from '../../../src/compile.ts';
import { createEngine } from '../../../src/engine/engine.ts';
import { engineBytes } from '../../../src/engine/wasm.ts';
import { addValue, createGraph, f32, type Graph, type Node, u8, valueAt } from '../../../src/graph/graph.ts';
import { checkGraph } from '../../../src/graph/wellformed.ts';
import { definition, emit, keepOutputs } from '../../../src/ops/index.ts';
import type { Bits } from '../../../src/passes/recompute.ts';
import { boundsOf, pieceRows } from '../../../src/passes/tiling/groups.ts';
import type { Tiles } from '../../../src/passes/tiling/tiles.ts';
import type { Compiled } from '../../../src/pipeline/compiled.ts';
import type { CompileOptions } from '../../../src/pipeline/options.ts';
import { planMemory } from '../../../src/plan/memory.ts';
import { verifyPlan } from '../../../src/plan/verify.ts';
import { compileNetwork, feed, load, network, randomHead } from '../../support/network.ts';
import { anyNode } from '../../support/node.ts';
import { MOBILENETS, VITS } from '../../support/realnetwork.ts';

const isTile = (node: Node): boolean => /#\d+$/.test(node.name);

/** Two steps and an evaluation: digests of all that learnt, and of what came out. */
async function learn(name: string, { program }: Compiled, threads = 1): Promise<string[]> {
  const net = network(name);
  const engine = createEngine(program, engineBytes(threads), threads);
  load(engine, net);
  randomHead(engine);
  feed(engine, net);
  const seen: string[] = [];
  const note = (bytes: Uint8Array): void => void seen.push(digest(Uint8Array.from(bytes)));
  for (const phase of ['train', 'train', 'update', 'train', 'update', 'eval'] as const) {
    engine.run(phase);
    note(engine.region);
    for (const port of [Io.Losses, Io.Logits]) note(engine.bytes(port));
  }
  await engine.close();
  return seen;
}

const again = new Map([0, 1].map((block) => [block, 8] as const));
const CASES: readonly [name: string, options: Partial<CompileOptions>][] = [
  ['vit-hf', { method: 'bias' }],
  ['vit-timm', { method: 'full' }],
  ['vit-hf-rect', { method: 'full', keep: 'exact' }],
  ['deit3-timm', { method: 'bias+prompt:rank=2+side:ratio=4', recompute: again }],
  ['vit-timm-gap', { method: 'lora', keep: 's2a,gelu=8,ln=8,input=4' }],
  ['vit-hf@48', { method: 'bias', keep: 'exact', recompute: new Map([[1, 32]]) }],
  ['vit-timm', { method: 'bias', dropout: 0.2, dropPath: 0.1 }],
  ['swin-hf', { method: 'bias' }],
  ['swin-timm-pad', { method: 'full', recompute: again }],
  ['convnext-hf', { method: 'bias+prompt:rank=2' }],
  ['convnext-timm', { method: 'full' }],
];

for (const [i, [name, options]] of CASES.entries())
  for (const tileRows of i === 0 ? [4, 9] : i % 2 === 0 ? [4] : [9])
    test(`${name}, ${JSON.stringify({ ...options, recompute: options.recompute?.size })}: tiles of ${tileRows} rows give the bytes of none`, async () => {
      const of = (rows: number): Compiled =>
        compileNetwork(network(name), { microBatch: 3, maxThreads: 3, ...options, tiles: { rows, pictures: false } });
      const [whole, cut] = [of(0), of(tileRows)];
      assert.not(whole.graph.phases.train.some(isTile));
      for (const phase of ['train', 'eval'] as const) assert.ok(cut.graph.phases[phase].filter(isTile).length > 8, phase);
      const [wanted, got, shared] = [await learn(name, whole), await learn(name, cut), await learn(name, cut, 3)];
      assert.equal(got, wanted);
      assert.equal(shared, wanted, '3 threads');
    });

const METHODS = ['bias', 'bias+prompt:rank=2+side:ratio=1', 'full'];
/** Families with convolutions, their micro-batch, and whether blocks are computed again. */
const FAMILIES: readonly [name: string, microBatch: number, again: boolean][] = [
  ['mobilenetv2-hf', 4, false],
  ['mobilenetv2-timm', 3, true],
  ['mobilenetv3-timm', 4, false],
  ['resnet-hf', 3, false],
  ['resnet18-timm', 4, true],
  ['resnet50gn-timm', 2, false],
  ['convnext-timm', 3, false],
  ['convnext-hf', 4, true],
];

for (const [name, microBatch, again] of FAMILIES)
  for (const method of METHODS)
    for (const keep of ['exact', 's2a'])
      test(`${name}, ${method}, ${keep}: pieces of whole pictures give the bytes of none`, async () => {
        const more = again ? { recompute: new Map<number, Bits>([0, 1].map((block) => [block, keep === 'exact' ? 32 : 8])) } : {};
        const of = (tiles: Tiles): Compiled => compileNetwork(network(name), { microBatch, maxThreads: 2, method, keep, ...more, tiles });
        const [whole, cut] = [of({ rows: 0 }), of({ rows: 4, pictures: true })];
        for (const phase of ['train', 'eval'] as const) {
          const spatial = cut.graph.phases[phase].filter(({ op }) => /^(Conv|Depthwise|MaxPool)/.test(op));
          assert.ok(spatial.filter(isTile).length > spatial.length / 2, `${phase}: ${spatial.filter(isTile).length} of ${spatial.length}`);
        }
        const [wanted, got, shared] = [await learn(name, whole), await learn(name, cut), await learn(name, cut, 2)];
        assert.equal(got, wanted);
        assert.equal(shared, wanted, '2 threads');
      });

test('pieces cover all rows, none is short of what is asked for by more than its rounding', () => {
  const piecesOf = (units: number, least: number): number[] => boundsOf({ units, size: pieceRows(units, least) });
  assert.equal(piecesOf(1576, 256), [0, 396, 792, 1188, 1576]);
  assert.equal(piecesOf(197, 256), [0, 197]);
  assert.equal(piecesOf(197, 48), [0, 52, 104, 156, 197]);
  for (let rows = 1; rows < 300; rows++)
    for (const least of [1, 4, 9, 64]) {
      const at = piecesOf(rows, least);
      assert.is(at[0], 0);
      assert.is(at.at(-1), rows);
      assert.ok(at.every((x, i) => i === 0 || x > at[i - 1]!) && at.slice(0, -1).every((x) => x % 4 === 0), `${rows} ${least}: ${at}`);
    }
});

test('tiles are made where they lower the peak: ViT-Base by eight pictures; not where there are too few rows', () => {
  const of = (microBatch: number, more: Partial<CompileOptions> = {}): Compiled =>
    compile({ model: VITS['vit-base']!, classes: 100, microBatch, ...more });
  const [whole, cut] = [of(8, { tiles: { rows: 0 } }), of(8)];
  const spared = (whole.plan.linearBytes - cut.plan.linearBytes) / 1048576;
  assert.ok(spared > 7, `${spared} MiB`);
  // A hidden tensor of all rows is nowhere.
  const hidden = 8 * 197 * 3072 * 4;
  assert.ok(whole.graph.values.some((v) => v.role === 'temp' && v.bytes >= hidden));
  assert.not(cut.graph.values.some((v) => cut.plan.offsets[v.id]! >= 0 && v.role === 'temp' && v.bytes >= hidden));
  assert.not(of(1).graph.phases.train.some(isTile));
});

test('pieces of pictures are made where they lower the peak: MobileNetV2 by eight; not by one', () => {
  const of = (microBatch: number, more: Partial<CompileOptions> = {}): Compiled =>
    compile({ model: MOBILENETS['mobilenetv2-1.0']!, classes: 100, microBatch, ...more });
  const [whole, rows, cut] = [of(8, { tiles: { rows: 0 } }), of(8, { tiles: { pictures: false } }), of(8)];
  assert.equal(cut.tiles, { rows: 256, pictures: true, queries: 64, pixels: 256 });
  assert.is(rows.plan.linearBytes, whole.plan.linearBytes);
  const spared = (whole.plan.linearBytes - cut.plan.linearBytes) / 1048576;
  assert.ok(spared > 30, `${spared} MiB`);
  // The widest map of all pictures is nowhere; an eighth of it is.
  const expanded = 8 * 112 * 112 * 96 * 4;
  const largest = ({ graph, plan }: Compiled): number =>
    Math.max(...graph.values.map((v) => (v.role === 'temp' && plan.offsets[v.id]! >= 0 ? v.bytes : 0)));
  assert.is(largest(whole), expanded);
  assert.ok(largest(cut) <= expanded / 6, `${largest(cut)} bytes`);
  assert.not(of(1).graph.phases.train.some(isTile));
});

test('codes that end with some of no element do not come apart', () => {
  const apart = (rows: number, c: number): boolean | undefined => {
    const graph = createGraph();
    const x = addValue(graph, 'x', f32(rows, c), 'temp');
    const node = emit(graph, 'Activation', 'act', [x, -1], { kind: Kind.Relu, keep: Keep.Bit1 }, { phase: 'train' });
    keepOutputs(graph, node, [u8(bit1Bytes(rows * c))]);
    return definition('Activation').pieces!(node, graph)!.separatelyStored;
  };
  assert.is(apart(8, 128), false);
  // 1016 bits in 128 bytes: four of eight rows would be 64 bytes too, but of 508 bits.
  assert.is(apart(8, 127), true);
});

/** A value of 64 bytes written in two parts and read whole; `change` spoils it. */
function halves(change: (graph: Graph, parts: [number, number], whole: number) => void = () => {}): Graph {
  const graph = createGraph();
  const whole = addValue(graph, 'whole', u8(64), 'temp');
  const parts = [0, 32].map((offset) => addValue(graph, `part${offset}`, u8(32), 'temp', { view: { of: whole, offset } })) as [
    number,
    number,
  ];
  const out = addValue(graph, 'out', u8(64), 'batch');
  graph.phases.train.push(anyNode('first', [], [parts[0]]), anyNode('second', [], [parts[1]]), anyNode('reader', [whole], [out]));
  change(graph, parts, whole);
  return graph;
}

test('a value written in parts is whole when every part is; the verifier sees a part that is missing, doubled or elsewhere', () => {
  const plan = (graph: Graph) => planMemory(graph, { codeBytes: 16, maxThreads: 1 });
  const good = halves();
  assert.not.throws(() => checkGraph(good));
  assert.not.throws(() => verifyPlan(good, plan(good)));
  const wrong = (change: Parameters<typeof halves>[0], message: RegExp): void => {
    const graph = halves(change);
    assert.throws(() => verifyPlan(graph, plan(graph)), message);
  };
  wrong((graph) => graph.phases.train.splice(1, 1), /reader reads whole, whose bytes are not its own/);
  wrong((graph, [, b]) => (valueAt(graph, b).view!.offset = 16), /part32 is written over a part of itself/);
  wrong((graph, [, b]) => (valueAt(graph, b).view!.offset = 48), /part32 is no part of whole/);
  const moved = plan(good);
  moved.offsets[good.phases.train[1]!.outputs[0]!]! += 16;
  assert.throws(() => verifyPlan(good, moved), /part32 is not where its part of whole is/);
  assert.throws(
    () => checkGraph(halves((graph, [, b]) => (valueAt(graph, b).view!.offset = 16))),
    /part32 is written over another part of it/,
  );
});

test.run();
