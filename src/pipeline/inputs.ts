/** Where a program begins: what the host writes, and how its bytes become numbers. */

import { State } from '../../assembly/abi/head.ts';
import { CHANCES, PARTS } from '../../assembly/abi/ops/distort.ts';
import { Augment } from '../../assembly/abi/ops/pixels.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { InputError } from '../base/error.ts';
import { ABSENT, addValue, f32, type Graph, i32, type Phase, shapeOf, u8 } from '../graph/graph.ts';
import { emit } from '../ops/index.ts';
import { CLASSIFY, constantsOf, targetType, taskOf } from '../task/index.ts';
import { type Augmentation, type CompileOptions, isMixed } from './options.ts';

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
  /** The picture that the partner of a pass's first or last is, its label and number: where pictures are mixed and a pass has an odd number. */
  partner?: Pick<Inputs, 'pictures' | 'labels' | 'samples'>;
  /** What each class weighs in the loss of training; ABSENT where all weigh the same. */
  weights: number;
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
    weights: options.classWeights === undefined ? ABSENT : addWeights(graph, options.classWeights, classes),
    ...(isMixed(options.augment) && microBatch % 2 === 1 && options.purpose !== 'infer' ? { partner: addPartner(graph, options) } : {}),
  };
}

function addWeights(graph: Graph, weights: readonly number[], classes: number): number {
  const values = Float32Array.from(weights);
  if (values.length !== classes || !values.every((w) => w > 0 && Number.isFinite(w)))
    throw new InputError({
      where: 'classWeights',
      what: 'not one finite number above 0 for each class',
      got: JSON.stringify(weights),
      expected: `${classes} of them`,
    });
  return addValue(graph, 'weights', f32(classes), 'table', { data: new Uint8Array(values.buffer) });
}

/** One picture more than a pass has. */
const addPartner = (graph: Graph, { model, pixels: stored = DEFAULTS.pixels }: CompileOptions): Inputs['partner'] & object => ({
  pictures: addValue(graph, 'partner', (stored === 'f32' ? f32 : u8)(1, ...model.image, model.channels), 'batch'),
  labels: addValue(graph, 'partner.label', i32(1), 'batch'),
  samples: addValue(graph, 'partner.sample', { dtype: 'u32', shape: [1] }, 'batch'),
});

/** Written by the host too, where another adapter takes its place. */
const addKnown = (graph: Graph, table: Float32Array): number =>
  addValue(graph, 'known', f32(table.length), 'table', { data: new Uint8Array(table.buffer, table.byteOffset, table.byteLength) });

/** [rows, outputs], or [outputs] where there is one row. */
function addConstants(graph: Graph, rows: number, outputs: number, values: Float32Array): number {
  const type = rows === 1 ? f32(outputs) : f32(rows, outputs);
  return addValue(graph, 'constants', type, 'table', { data: new Uint8Array(values.buffer) });
}

/** uint8 pictures → normalised f32, augmented in training. */
export function pixels(
  graph: Graph,
  io: Pick<Inputs, 'pictures' | 'samples' | 'table' | 'state'>,
  phase: Phase,
  options: CompileOptions,
  name = phase === 'eval' ? 'eval.pixels' : 'pixels',
): number {
  const { model, augment, normalize } = options;
  const seen = (y: number): number => (normalize?.reversed ? reverseChannels(graph, y, name, phase) : y);
  const [h, w] = model.image;
  const random = phase === 'train' && augment !== undefined;
  const bits = random ? (augment.shift > 0 ? Augment.Crop : 0) | (augment.flip ? Augment.Flip : 0) : 0;
  const attributes = { h, w, augment: bits, pad: random ? augment.shift : 0 };
  const operands = [io.pictures, io.table, io.samples, io.state];
  const more = random ? distortion(augment, options) : undefined;
  if (more) return seen(emit(graph, 'Distort', name, operands, { augment: bits, pad: augment!.shift, ...more }, { phase }).outputs[0]!);
  return seen(emit(graph, 'Pixels', name, operands, attributes, { phase }).outputs[0]!);
}

/** The pictures that are mixed, how much of each it still is, and the other's label. */
export interface Mixed {
  pictures: number;
  shares: number;
  others: number;
}

/** Each picture with its partner in the batch in one, and how much of it each still is; undefined where nothing is mixed. */
export function mixed(graph: Graph, io: Inputs, pictures: number, options: CompileOptions): Mixed | undefined {
  const { augment } = options;
  if (!isMixed(augment)) return undefined;
  const attributes = { mixup: chance(augment?.mixup ?? 0), cutmix: chance(augment?.cutmix ?? 0) };
  const operands = [pictures, io.labels, io.samples, io.state];
  if (io.partner) {
    const seen = pixels(graph, { ...io, ...io.partner }, 'train', options, 'partner.pixels');
    operands.push(seen, io.partner.labels, io.partner.samples);
  }
  const [y, shares, others] = emit(graph, 'Mix', 'mix', operands, attributes, { phase: 'train' }).outputs;
  return { pictures: y!, shares: shares!, others: others! };
}

/** The last channel first, for networks that learnt from pictures whose blue comes first. */
function reverseChannels(graph: Graph, x: number, name: string, phase: Phase): number {
  const c = shapeOf(graph, x).at(-1)!;
  const parts = Array.from({ length: c }, (_, i) => {
    const from = c - 1 - i;
    return emit(graph, 'Slice', `${name}.${from}`, [x], { axis: -1, from, count: 1 }, { phase }).outputs[0]!;
  });
  return emit(graph, 'Concat', `${name}.reversed`, parts, { axis: -1 }, { phase }).outputs[0]!;
}

/** What goes beyond window and mirror, as the operator counts it; undefined where nothing does. */
function distortion(
  augment: Augmentation,
  { model, pixels: stored = DEFAULTS.pixels }: CompileOptions,
): Record<string, number> | undefined {
  const { turn = 0, scale = 0, brightness = 0, contrast = 0, saturation = 0, grey = 0, blur = 0, erase = 0 } = augment;
  const colours = { bright: part(brightness), contrast: part(contrast), saturation: part(saturation), grey: chance(grey) };
  const all = { turn: part(turn / 180), scale: part(scale), ...colours, blur: chance(blur), erase: chance(erase) };
  if (Object.values(colours).some((n) => n > 0) && (model.channels !== 3 || stored === 'f32'))
    throw new InputError({
      where: '--augment',
      what: 'colours change pictures of three bytes a pixel',
      got: stored === 'f32' ? 'numbers that are no bytes' : `${model.channels} channels`,
      expected: 'crop, flip, turn, zoom, blur or erase',
    });
  return Object.values(all).some((n) => n > 0) ? all : undefined;
}
const part = (share: number): number => Math.round(share * PARTS);
const chance = (share: number): number => Math.round(share * CHANCES);
