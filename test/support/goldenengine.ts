/** An engine that stands where a golden case stands: its weights, pictures, labels and the fixed new head are in place. */

import { readFileSync } from 'node:fs';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, type Engine, loadWeights, readParameter, writeParameter } from '../../src/engine/engine.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { readModel } from '../../src/import/index.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { headNames } from '../../src/training/adapter.ts';
import { close } from './close.ts';
import { agrees, goldenCase, modelFolder, thinning, type Values } from './golden.ts';

const wasm = readFileSync('build/engine.wasm');
/** Pictures of every golden case. */
export const BATCH = 4;

/** `head`: the part of a new head that a learnable tensor is, if it is one. */
export const headPart = (name: string): string | undefined =>
  /^(?:classifier(?:\.\d)?|cls_classifier|head|fc|head\.fc|heads\.head)\.(weight|bias)$/.exec(name)?.[1];

export function goldenEngine(name: string, values: Values, options: Partial<CompileOptions>, size?: number): Engine {
  const folder = modelFolder(name);
  const model = readModel(folder, size ? [size, size] : goldenCase(name).size);
  const normalize = { scale: 1 / 255, mean: [...values.get('mean')], std: [...values.get('std')] };
  const { program } = compile({ model, classes: goldenCase(name).classes, microBatch: BATCH, normalize, keep: 'exact', ...options });
  const engine = createEngine(program, wasm);
  const file = openWeightsFile(folder);
  loadWeights(engine, file);
  file.close();
  engine.bytes(Io.Pictures).set(values.bytes('images'));
  engine.ints(Io.Labels).set(values.get('labels'));
  engine.state.setFloat32(State.LossScale, 1 / BATCH, true);
  if (options.head === 'file') return engine;
  const head = headNames(engine.program);
  for (const record of engine.program.parameters) {
    const part = head.includes(record.name) && headPart(record.name);
    if (part) writeParameter(engine, record, values.get(`head.${part}`));
  }
  return engine;
}

/** Fails unless every gradient of the engine is the golden one under `prefix`. timm's fused q, k, v learn as slices of one tensor. */
export function gradientsAgree(engine: Engine, values: Values, prefix: string, tolerance: number): void {
  const head = headNames(engine.program);
  for (const record of engine.program.parameters) {
    const got = readParameter(engine, record, record.gradient);
    const part = head.includes(record.name) && headPart(record.name);
    const slice = /^(.*)\[(\d+):(\d+)\]$/.exec(record.name);
    if (slice) {
      const key = `${prefix}/${slice[1]}`;
      const [whole, [rows]] = [values.get(key), values.shape(key)];
      const [start, end] = [Number(slice[2]), Number(slice[3])];
      const row = got.length / (end - start);
      // Of two or three parts: a thinned gradient has every so manieth number of all of them.
      const ends = engine.program.parameters.map(({ name }) => (name.startsWith(`${slice[1]}[`) ? Number(/:(\d+)\]$/.exec(name)![1]) : 0));
      const parts = Math.max(...ends) / (end - start);
      const step = whole.length === parts * got.length ? 1 : thinning(values, parts * got.length, whole.length);
      if (step === 1 && rows !== parts * (end - start) && rows !== whole.length) throw new Error(`${key}: ${rows} rows`);
      const first = Math.ceil((start * row) / step);
      const want = whole.subarray(first, Math.ceil((end * row) / step));
      close(
        got.filter((_, i) => (start * row + i) % step === 0),
        want,
        tolerance,
        record.name,
      );
    } else agrees(got, values, part ? `${prefix}/head.${part}` : `${prefix}/${record.name}`, tolerance);
  }
}
