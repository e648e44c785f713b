/** Products in whole numbers against sums in f32 over the very same weights: how far gradients and answers of whole networks move. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { codedBytes } from '../../assembly/abi/sizes.ts';
import { Encoding } from '../../assembly/abi/weights.ts';
import { compile } from '../../src/compile.ts';
import { type Engine, loadWeights, readParameter } from '../../src/engine/engine.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { encodingOf, numel } from '../../src/graph/graph.ts';
import { readModel } from '../../src/import/index.ts';
import type { Compiled } from '../../src/pipeline/compiled.ts';
import { decodeWeight } from '../oracle/weights.ts';
import { newFolder, refused } from '../support/folder.ts';
import { openValues } from '../support/golden.ts';
import { compileNetwork, feed, load, network, newEngine, randomHead } from '../support/network.ts';

interface Loaded {
  compiled: Compiled;
  engine: Engine;
}

/** Puts what the coded weights of `from` stand for into the f32 weights of `to`, and all else that is frozen as it is; counts the coded ones. */
function copyDecoded(from: Loaded, to: Loaded): number {
  const places = new Map(to.compiled.graph.values.map((value) => [value.name, to.compiled.plan.offsets[value.id]!]));
  let coded = 0;
  for (const { id, name, type, role, bytes } of from.compiled.graph.values) {
    const [at, offset] = [places.get(name), from.compiled.plan.offsets[id]!];
    if (role !== 'frozen' || offset < 0) continue;
    assert.ok(at !== undefined && at >= 0, name);
    const encoding = encodingOf(from.compiled.graph, id);
    const held = new Uint8Array(from.engine.memory.buffer, offset, bytes);
    if (encoding === Encoding.F32) {
      new Uint8Array(to.engine.memory.buffer, at, bytes).set(held);
      continue;
    }
    const o = type.shape[0]!;
    const k = numel(type.shape) / o;
    assert.is(bytes, codedBytes(encoding, o, k));
    new Float32Array(to.engine.memory.buffer, at, o * k).set(decodeWeight(encoding, o, k, held.slice()));
    coded++;
  }
  return coded;
}

/** All gradients but the head's, one behind the other, and the logits. */
function step({ engine, compiled }: Loaded): { gradients: number[]; logits: number[] } {
  engine.run('eval');
  const logits = [...engine.floats(Io.Logits)];
  engine.run('train');
  const gradients = compiled.program.parameters
    .filter(({ name }) => !/^(classifier|head|fc)\b/.test(name))
    .flatMap((p) => [...readParameter(engine, p, p.gradient)]);
  return { gradients, logits };
}

const norm = (v: readonly number[]): number => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
const cosine = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0) / norm(a) / norm(b);

/** What is computed over: weights, and `lossy` those in 8 bits by numbers of 7. */
type Over = 'f32' | 'int8' | 'int4' | 'lossy';
const asked = (over: Over) => (over === 'lossy' ? ({ weights: 'int8', arithmetic: 'lossy' } as const) : { weights: over });

/** `open` compiles, loads and feeds a network. `most`: how far logits may be apart. */
function check(name: string, precision: Exclude<Over, 'f32'>, open: (over: Over) => Loaded, least = 0.9999, most = 0.003): void {
  const [whole, f32] = [open(precision), open('f32')];
  assert.ok(copyDecoded(whole, f32) > 3, `${name}: nothing is coded`);
  const [got, want] = [step(whole), step(f32)];
  const c = cosine(got.gradients, want.gradients);
  const off = norm(got.logits.map((x, i) => x - want.logits[i]!)) / norm(want.logits);
  assert.ok(c < 1 && c >= least, `${name} ${precision}: gradients have a cosine of ${c}`);
  assert.ok(off > 0 && off <= most, `${name} ${precision}: logits are ${off} apart`);
}

for (const name of ['vit-hf', 'swin-hf', 'resnet-hf'])
  for (const precision of ['int8', 'int4'] as const)
    test(`${name}, ${precision}: gradients and logits`, () => {
      const net = network(name);
      check(name, precision, (over) => {
        const compiled = compileNetwork(net, { method: 'bias', keep: 'exact', microBatch: 4, ...asked(over) });
        const engine = newEngine(compiled.program);
        load(engine, net);
        randomHead(engine);
        feed(engine, net);
        return { compiled, engine };
      });
    });

const SKETCH = 'models/sketch-vit';
const { readClass } = await import(pathToFileURL('tools/pictures/quickdraw.mjs').href);
const { PRETRAINING } = await import(pathToFileURL('tools/pictures/sets.mjs').href);
const { id2label } = JSON.parse(readFileSync(join(SKETCH, 'config.json'), 'utf8'));
const CLASSES = Object.values(id2label) as string[];

/** A pretrained network of a folder with its pictures in one pass; `head`: the file's, or a random one of so many classes. */
function pretrained(folder: string, pictures: Uint8Array, labels: readonly number[], image: [number, number], head: 'file' | number) {
  const classes = head === 'file' ? CLASSES.length : head;
  return (over: Over): Loaded => {
    const options = { microBatch: labels.length, keep: 'exact', ...asked(over), ...(head === 'file' ? { head } : {}) } as const;
    const compiled = compile({ model: readModel(folder, image), classes, ...options });
    const engine = newEngine(compiled.program);
    const file = openWeightsFile(folder);
    loadWeights(engine, file);
    file.close();
    if (head !== 'file') randomHead(engine);
    engine.bytes(Io.Pictures).set(pictures);
    engine.ints(Io.Labels).set(labels);
    engine.state.setFloat32(State.LossScale, 1 / labels.length, true);
    return { compiled, engine };
  };
}

/** Drawings that sketch-vit did not learn from. */
const shown = CLASSES.filter((name, i) => i % 29 === 0 && PRETRAINING.includes(name));
const drawings = Uint8Array.from(
  shown.flatMap((name) => [...(readClass(name).at(-1) as Uint8Array)].flatMap((grey) => [grey, grey, grey])),
);
const movenet = join(newFolder(), 'movenet');
execFileSync('node', ['tools/models/movenet.mjs', movenet, '96'], { stdio: 'ignore' });
const golden = openValues('test/golden/movenet.safetensors');

for (const precision of ['int8', 'int4'] as const) {
  test(`sketch-vit, ${precision}: gradients and logits`, () => {
    const labels = shown.map((name) => CLASSES.indexOf(name));
    check('sketch-vit', precision, pretrained(SKETCH, drawings, labels, [28, 28], 'file'));
  });
  // ReLU6 has no derivative between its pieces: a number that crosses a bend moves whole gradients, however little it moved.
  test(`the pretrained MobileNetV2, ${precision}: gradients and logits`, () =>
    check('mobilenetv2', precision, pretrained(movenet, golden.bytes('pictures'), [0, 1, 2, 3], [96, 96], 10), 0.99));
}

test('sketch-vit, lossy: gradients and logits', () => {
  const labels = shown.map((name) => CLASSES.indexOf(name));
  check('sketch-vit', 'lossy', pretrained(SKETCH, drawings, labels, [28, 28], 'file'), 0.995, 0.1);
});

// All its convolutions are small, and stored in 12 bits.
test('the pretrained MobileNetV2 has nothing that lossy would change, and is refused', () => {
  const open = pretrained(movenet, golden.bytes('pictures'), [0, 1, 2, 3], [96, 96], 10);
  refused(() => open('lossy'), '--arithmetic', 'no frozen weight of this network is in 8 bits', 'plain');
});

test('sketch-vit, int8: the same answers', () => {
  const names = PRETRAINING as string[];
  const [first, second] = [-1, -2].map((at) =>
    Uint8Array.from(names.flatMap((name) => [...(readClass(name).at(at) as Uint8Array)].flatMap((grey) => [grey, grey, grey]))),
  );
  const labels = names.map((name) => CLASSES.indexOf(name));
  const [whole, f32] = (['int8', 'f32'] as const).map(pretrained(SKETCH, first!, labels, [28, 28], 'file')) as [Loaded, Loaded];
  copyDecoded(whole, f32);
  let other = 0;
  for (const pictures of [first!, second!]) {
    const [got, want] = [whole, f32].map(({ engine }) => {
      engine.bytes(Io.Pictures).set(pictures);
      engine.run('eval');
      return [...engine.ints(Io.EvalChoices)];
    }) as [number[], number[]];
    other += got.filter((choice, i) => choice !== want[i]).length;
  }
  assert.ok(other <= 1, `${other} of ${2 * names.length} drawings are answered otherwise`);
});

test.run();
