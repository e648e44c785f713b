/** A golden checkpoint with its pictures, compiled and loaded, for the tests that look at the arena itself. */

import { readFileSync } from 'node:fs';
import { State } from '../../assembly/abi/head.ts';
import { Instruction } from '../../assembly/abi/ops.ts';
import { Io } from '../../assembly/abi/program.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, type Engine, loadWeights } from '../../src/engine/engine.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { type Node, PHASES, type Phase } from '../../src/graph/graph.ts';
import { type Model, readModel } from '../../src/import/index.ts';
import type { Compiled } from '../../src/pipeline/compiled.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import type { Program } from '../../src/program/program.ts';
import { goldenCase, goldenValues, modelFolder, type Values } from './golden.ts';
import { headPart } from './goldenengine.ts';
import { beginPowers } from './powers.ts';

const wasm = readFileSync('build/engine.wasm');

export interface Network {
  name: string;
  folder: string;
  model: Model;
  values: Values;
}

const networks = new Map<string, Network>();

/** A golden case, `name`, or `name@size` at another image size than its checkpoint's (position embeddings are then resampled). */
export function network(nameAndSize: string): Network {
  let found = networks.get(nameAndSize);
  if (!found) {
    const [name, size] = nameAndSize.split('@') as [string, string?];
    const folder = modelFolder(name);
    const image: [number, number] = size ? [Number(size), Number(size)] : goldenCase(name).size;
    found = { name, folder, model: readModel(folder, image), values: goldenValues(name, size ? Number(size) : undefined) };
    networks.set(nameAndSize, found);
  }
  return found;
}

export function compileNetwork({ name, model, values }: Network, options: Partial<CompileOptions> = {}): Compiled {
  const normalize = { scale: 1 / 255, mean: [...values.get('mean')], std: [...values.get('std')] };
  return compile({ model, classes: goldenCase(name).classes, microBatch: 1, normalize, ...options });
}

export const newEngine = (program: Program): Engine => createEngine(program, wasm);

/** Puts the checkpoint into the arena and runs `init`. */
export function load(engine: Engine, { folder }: Network): void {
  const file = openWeightsFile(folder);
  loadWeights(engine, file);
  file.close();
}

/** The pictures from `first` on, and a step's constants. */
export function feed(engine: Engine, { values }: Network, first = 0, batch = 4): void {
  const pictures = engine.bytes(Io.Pictures);
  const labels = engine.ints(Io.Labels);
  const size = pictures.length / labels.length;
  pictures.set(values.bytes('images').subarray(first * size, first * size + pictures.length));
  labels.set(values.get('labels').subarray(first, first + labels.length));
  engine.ints(Io.Samples).forEach((_, i, all) => {
    all[i] = first + i;
  });
  const floats: [State, number][] = [
    [State.LossScale, 1 / batch],
    [State.BaseRate, 0.01],
    [State.Beta1, 0.9],
    [State.Beta2, 0.999],
    [State.Epsilon, 1e-8],
    [State.WeightDecay, 0.01],
    [State.ClipNorm, 1],
  ];
  for (const [at, x] of floats) engine.state.setFloat32(at, x, true);
  engine.state.setInt32(State.TotalSteps, 10, true);
  beginPowers(engine.state);
}

/** A random head, the same for every engine: a head of zeros hides faults behind zero gradients. */
export function randomHead(engine: Engine): void {
  const { parameters } = engine.program;
  for (const { offset, dims, name } of parameters) {
    if (headPart(name) === undefined) continue;
    const n = dims[0] * dims[1] * dims[2];
    new Float32Array(engine.memory.buffer, offset, n).set(Float32Array.from({ length: n }, (_, i) => Math.sin(12.9898 * i + 1) / 4));
  }
}

export interface Step {
  node: Node;
  phase: Phase;
  /** Place in the execution order of the whole program. */
  time: number;
  start: number;
  end: number;
}

/** Every instruction of the program with its node and its arena range; views have none. */
export function instructions({ program, graph }: Pick<Compiled, 'program' | 'graph'>): Step[] {
  const words = new DataView(program.image.buffer, program.image.byteOffset, program.image.byteLength);
  const steps: Step[] = [];
  let time = 0;
  for (const phase of PHASES) {
    let start = program.entries[phase].start;
    for (const node of graph.phases[phase]) {
      const now = time++;
      if (node.isView) continue;
      const at = start - program.programOffset;
      if (words.getInt32(at + 4 * Instruction.Node, true) !== now) throw new Error(`${node.name}: another node's instruction`);
      const end = start + 4 * words.getInt32(at + 4 * Instruction.Words, true);
      steps.push({ node, phase, time: now, start, end });
      start = end;
    }
    if (start !== program.entries[phase].end) throw new Error(`${phase}: code is left over`);
  }
  return steps;
}
