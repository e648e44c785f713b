/** The small networks of test/golden/onnx, as their exporters wrote them, and an engine that stands where PyTorch stood. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { readJson } from '../../src/base/files.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, type Engine, loadWeights, readParameter, writeParameter } from '../../src/engine/engine.ts';
import type { Onnx } from '../../src/import/onnx/build.ts';
import { openOnnxModel } from '../../src/import/onnx/index.ts';
import type { Network } from '../../src/import/onnx/network.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { close } from './close.ts';
import { agrees, openValues, type Values } from './golden.ts';

const root = 'test/golden/onnx';
export const BATCH = 4;

const index = readJson(join(root, 'index.json')).cases as Record<string, { size: [number, number]; half?: boolean }>;
export const cases: readonly string[] = Object.keys(index);
/** How near PyTorch's numbers are: a file in f16 has rounded factors of its own. */
export const toleranceOf = (name: string): number => (index[name]!.half ? 1e-3 : 1e-5);
export const fileOf = (name: string): string => join(root, `${name}.onnx`);
export const valuesOf = (name: string): Values => openValues(join(root, `${name}.safetensors`));

export function networkOf(name: string): Network {
  const { model, weights } = openOnnxModel(fileOf(name));
  weights.close();
  return (model.spec as Onnx).network;
}

/** The layer of the file's head. */
export const headOf = (network: Network): string => network.head!.params.weight!.name.replace(/\.weight$/, '');

export function engineOf(name: string, values: Values, options: Partial<CompileOptions>): { engine: Engine; head: string } {
  const { model, weights } = openOnnxModel(fileOf(name));
  const head = headOf((model.spec as Onnx).network);
  const normalize = { scale: 1 / 255, mean: [...values.get('mean')], std: [...values.get('std')] };
  const classes = values.shape(options.head === 'file' ? 'logits' : 'logits.new')[1]!;
  const { program } = compile({ model, classes, microBatch: BATCH, normalize, keep: 'exact', ...options });
  const engine = createEngine(program, readFileSync('build/engine.wasm'));
  loadWeights(engine, weights);
  weights.close();
  engine.bytes(Io.Pictures).set(values.bytes('images'));
  engine.ints(Io.Labels).set(values.get('labels'));
  engine.state.setFloat32(State.LossScale, 1 / BATCH, true);
  if (options.head === 'file') return { engine, head };
  for (const record of engine.program.parameters)
    if (record.name.startsWith(`${head}.`)) writeParameter(engine, record, values.get(`head.${record.name.slice(head.length + 1)}`));
  return { engine, head };
}

/** The name by which PyTorch knows a parameter: fused projections are slices of one, and batch norms go with their convolutions. */
export function checkGradients(engine: Engine, values: Values, head: string, tolerance: number): string[] {
  const seen: string[] = [];
  for (const record of engine.program.parameters) {
    const got = readParameter(engine, record, record.gradient);
    const slice = /^(.*)\[(\d+):(\d+)\]$/.exec(record.name);
    const own = slice ? slice[1]! : record.name;
    const key = own.startsWith(`${head}.`) ? `bias/head.${own.slice(head.length + 1)}` : `bias/${known(own, values)}`;
    seen.push(key);
    if (slice) close(got, values.get(key).subarray(Number(slice[2]), Number(slice[3])), tolerance, record.name);
    else agrees(got, values, key, tolerance);
  }
  return seen;
}

/** torch's newer exporter folds a batch norm and keeps the convolution's name, or the norm's module where it made the name up. */
function known(name: string, values: Values): string {
  if (values.names.includes(`bias/${name}`)) return name;
  throw new Error(`PyTorch has no gradient of ${name}; it has ${values.names.filter((n) => n.startsWith('bias/')).join(' ')}`);
}
