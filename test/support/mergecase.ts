/** Adapters with every learnt tensor moved, without training: what merging is tested with. Also used by tools/merge-check.mjs. */

import { Io } from '../../assembly/abi/program.ts';
import type { Precision } from '../../src/base/precision.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, loadWeights, readParameter, writeParameter } from '../../src/engine/engine.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { writeAdapter } from '../../src/formats/adapterfile.ts';
import type { TaskSettings } from '../../src/formats/tasksettings.ts';
import { identity, openModelFolder, openWeights, preprocessOf } from '../../src/import/modelfolder.ts';
import type { ImageSize } from '../../src/input/fields.ts';
import { methodOf } from '../../src/network/method.ts';
import { adapterTensors, headNames } from '../../src/training/adapter.ts';
import { openInference } from '../../src/use/classifier.ts';
import { numbers } from './close.ts';

export const LABELS = ['ant', 'bee', 'cat', 'dog', 'elk'];

/** How it is made: at another size of pictures, of another task, and by what share of its size each tensor is moved (0.2). */
export interface Moved {
  imageSize?: ImageSize | undefined;
  task?: TaskSettings | undefined;
  by?: number;
}

/** Writes an adapter of `model` to `out`. */
export function movedAdapter(model: string, method: string, out: string, { imageSize, task, by = 0.2 }: Moved = {}): void {
  const base = openModelFolder(model, imageSize);
  const preprocess = preprocessOf(base);
  const { program } = compile({ model: base.model, classes: LABELS.length, microBatch: 1, method, purpose: 'infer' });
  const engine = createEngine(program, engineBytes());
  const weights = openWeights(base);
  loadWeights(engine, weights, 5);
  for (const [i, record] of program.parameters.entries()) {
    const values = readParameter(engine, record);
    const size = Math.sqrt(values.reduce((s, x) => s + x * x, 0) / values.length);
    const noise = numbers(values.length, 31 + i, size > 0 ? by * size : by / 2);
    writeParameter(
      engine,
      record,
      values.map((x, j) => x + noise[j]!),
    );
  }
  const info = {
    method: methodOf(method).name,
    base: identity(base, weights),
    precision: 'f32' as const,
    head: headNames(engine.program),
    labels: LABELS,
    preprocessing: preprocess as unknown as Record<string, unknown>,
    createdBy: 's2a test',
    ...(task ? { task } : {}),
  };
  weights.close();
  writeAdapter(out, info, adapterTensors(engine));
}

/** Logits of `count` pictures, the same for every call of a size: of an adapter, or of a model's own head. */
export function logitsOf(
  model: string,
  adapter: string | undefined,
  count = 2,
  weights?: Precision,
): { logits: Float32Array; pictures: Uint8Array } {
  const { engine } = openInference(adapter, { model, microBatch: count, ...(weights ? { weights } : {}) });
  const port = engine.bytes(Io.Pictures);
  const pictures = Uint8Array.from(numbers(port.length, 77, 120), (x) => 128 + x);
  port.set(pictures);
  engine.ints(Io.Labels).fill(-1);
  engine.run('eval');
  return { logits: engine.floats(Io.Logits).slice(), pictures };
}
