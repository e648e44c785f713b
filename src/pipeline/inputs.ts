/** Where a program begins: what the host writes, and how its bytes become numbers. */

import { State } from '../../assembly/abi/head.ts';
import { Augment } from '../../assembly/abi/ops/pixels.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { ABSENT, addValue, f32, type Graph, type Phase, u8 } from '../graph/graph.ts';
import { emit } from '../ops/index.ts';
import { CLASSIFY, constantsOf, targetType, taskOf } from '../task/index.ts';
import type { CompileOptions } from './options.ts';

/** Where nothing is said: bytes to -1 … 1. */
const half = (channels: number) => ({ scale: 1 / 255, mean: Array<number>(channels).fill(0.5), std: Array<number>(channels).fill(0.5) });

export interface Inputs {
  pictures: number;
  /** Targets, of the type that the task says. */
  labels: number;
  /** What the task's loss reads of each output; ABSENT where it reads nothing. */
  constants: number;
  /** What unknown pictures are told by; ABSENT where nobody asks. */
  known: number;
  samples: number;
  state: number;
  table: number;
}

/** What the host writes: pictures, labels, counters of the random streams; and the state block. */
export function inputs(graph: Graph, options: CompileOptions): Inputs {
  const { model, classes, microBatch, normalize, pixels: stored = DEFAULTS.pixels, task: settings = CLASSIFY } = options;
  const task = taskOf(settings.name);
  const { scale, mean, std } = normalize ?? half(model.channels);
  const table = Float32Array.from([...std.map((s) => scale / s), ...mean.map((m, c) => -m / std[c]!)]);
  return {
    pictures: addValue(graph, 'pictures', (stored === 'f32' ? f32 : u8)(microBatch, ...model.image, model.channels), 'batch'),
    labels: addValue(graph, 'labels', targetType(task, microBatch, classes), 'batch'),
    samples: addValue(graph, 'samples', { dtype: 'u32', shape: [microBatch] }, 'batch'),
    state: addValue(graph, 'state', u8(State.Bytes), 'state'),
    table: addValue(graph, 'normalize', f32(2 * model.channels), 'table', { data: new Uint8Array(table.buffer) }),
    known: options.known === undefined ? ABSENT : addKnown(graph, options.known.table),
    constants: task.constants.length === 0 ? ABSENT : addConstants(graph, task.constants.length, classes, constantsOf(settings, classes)),
  };
}

/** Written by the host too, where another adapter takes its place. */
const addKnown = (graph: Graph, table: Float32Array): number =>
  addValue(graph, 'known', f32(table.length), 'table', { data: new Uint8Array(table.buffer, table.byteOffset, table.byteLength) });

/** [rows, outputs], or [outputs] where there is one row. */
function addConstants(graph: Graph, rows: number, outputs: number, values: Float32Array): number {
  const type = rows === 1 ? f32(outputs) : f32(rows, outputs);
  return addValue(graph, 'constants', type, 'table', { data: new Uint8Array(values.buffer) });
}

/** uint8 pictures → normalised f32, augmented in training. */
export function pixels(graph: Graph, io: Inputs, phase: Phase, { model, augment }: CompileOptions): number {
  const [h, w] = model.image;
  const random = phase === 'train' && augment !== undefined;
  const bits = random ? (augment.shift > 0 ? Augment.Crop : 0) | (augment.flip ? Augment.Flip : 0) : 0;
  const attributes = { h, w, augment: bits, pad: random ? augment.shift : 0 };
  const name = phase === 'eval' ? 'eval.pixels' : 'pixels';
  return emit(graph, 'Pixels', name, [io.pictures, io.table, io.samples, io.state], attributes, { phase }).outputs[0]!;
}
