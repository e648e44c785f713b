/** Convolutions and pooling: channels first. */
import { ABSENT, type Attributes, type Node, numel, shapeOf } from '../../../graph/graph.ts';
import type { Writer } from '../writer.ts';
import type { Rule } from './rule.ts';

type Four = [number, number, number, number];

interface Window {
  r: number;
  s: number;
  steps: [number, number];
  spaced: [number, number];
  top: number;
  left: number;
  oh: number;
  ow: number;
}

/** A window's attributes, by either naming. */
const windowOf = ({ r, s, stride, stepY = stride, stepX = stride, down = 1, across = 1, top, left, oh, ow }: Attributes): Window => ({
  ...{ r: r!, s: s!, steps: [stepY!, stepX!], spaced: [down!, across!], top: top!, left: left!, oh: oh!, ow: ow! },
});

/** Rows below that the last window reaches past the picture, and columns. */
function beyond([, h, width]: readonly number[], { r, s, steps, spaced, top, left, oh, ow }: Window): [number, number] {
  const past = (out: number, step: number, taps: number, space: number, before: number, size: number): number =>
    Math.max(0, (out - 1) * step + (taps - 1) * space + 1 - before - size);
  return [past(oh, steps[0], r, spaced[0], top, h!), past(ow, steps[1], s, spaced[1], left, width!)];
}

const attributesOf = (x: readonly number[], a: Window): Record<string, number[]> => ({
  kernel_shape: [a.r, a.s],
  strides: a.steps,
  pads: [a.top, a.left, ...beyond(x, a)],
});

function convolve(node: Node, w: Writer, filter: string, group: number): void {
  const [x, , bias] = node.inputs as [number, number, number | undefined];
  const window = windowOf(node.attributes);
  const attributes = { ...attributesOf(shapeOf(w.graph, x), window), group, dilations: window.spaced };
  const added = bias === undefined || bias === ABSENT ? [] : [w.value(bias)];
  w.put(node.outputs[0]!, w.node('Conv', [w.value(x, 'first'), filter, ...added], attributes), 'first');
}

/** w[O,R,S,C] as [O,C,R,S]. */
const filterOf = (w: Writer, id: number): string => {
  const [o, r, s, c] = shapeOf(w.graph, id) as Four;
  return w.constant(id, { dims: [o, r, s, c], perm: [0, 3, 1, 2], shape: [o, c, r, s], rows: 0 });
};

export const Conv: Rule = (node, w) => convolve(node, w, filterOf(w, node.inputs[1]!), 1);
export const GroupConv: Rule = (node, w) => convolve(node, w, filterOf(w, node.inputs[1]!), node.attributes.groups!);
export const Depthwise: Rule = (node, w) => {
  const weight = node.inputs[1]!;
  const [r, s, c] = shapeOf(w.graph, weight) as [number, number, number];
  convolve(node, w, w.constant(weight, { dims: [r, s, c], perm: [2, 0, 1], shape: [c, 1, r, s], rows: 0 }), c);
};

export const MaxPool: Rule = (node, w) => {
  const [x] = node.inputs as [number];
  const attributes = attributesOf(shapeOf(w.graph, x), windowOf(node.attributes));
  w.put(node.outputs[0]!, w.node('MaxPool', [w.value(x, 'first')], attributes), 'first');
};

export const AveragePool: Rule = (node, w) => {
  const [x] = node.inputs as [number];
  const { padded, bottom, right } = node.attributes as Record<'padded' | 'bottom' | 'right', number>;
  const shape = shapeOf(w.graph, x);
  const window = windowOf(node.attributes);
  const [below, after] = beyond(shape, window);
  // Rounded up, a last window may end past the zeros that count: then it has fewer of them than taps.
  if (padded && (below > bottom || after > right)) throw w.refusal(node, 'a mean whose last window ends past the padding');
  const attributes = { ...attributesOf(shape, window), count_include_pad: padded };
  w.put(node.outputs[0]!, w.node('AveragePool', [w.value(x, 'first')], attributes), 'first');
};

/** Positions first … first + count - 1 of each picture, one a row. */
function rowsOf(w: Writer, x: number, first: number, count: number): string {
  const shape = shapeOf(w.graph, x);
  const positions = numel(shape.slice(1, -1));
  const rows = shape.length === 3 ? w.value(x) : w.reshape(w.value(x), [-1, positions, shape.at(-1)!]);
  return count === positions ? rows : w.slice(rows, 1, first, first + count);
}

/** Means of positions first … first + count - 1 of each picture. */
export const Pool: Rule = (node, w) => {
  const [x] = node.inputs as [number];
  const [out] = node.outputs as [number];
  const shape = shapeOf(w.graph, x);
  const c = shape.at(-1)!;
  const { first, count, map } = node.attributes as Record<'first' | 'count' | 'map', number>;
  if (shape.length === 4 && count === numel(shape.slice(1, -1))) {
    const mean = w.node('GlobalAveragePool', [w.value(x, 'first')]);
    if (map) w.put(out, mean, 'first');
    else w.put(out, w.node('Flatten', [mean], { axis: 1 }));
    return;
  }
  const some = rowsOf(w, x, first, count);
  const mean = count === 1 ? w.reshape(some, [-1, c]) : w.node('ReduceMean', [some, w.ints(1)], { keepdims: 0 });
  w.put(out, map ? w.reshape(mean, [-1, 1, 1, c]) : mean);
};

/** A matrix [c, c/k] whose product is the means of k neighbours: of what the side branch reads, too little to matter, and every reader knows products. */
function means(c: number, k: number): Float32Array {
  const matrix = new Float32Array((c * c) / k);
  for (let i = 0; i < c; i++) matrix[(i * c) / k + Math.floor(i / k)] = 1 / k;
  return matrix;
}

/** Means of k neighbouring channels. */
export const ChannelPool: Rule = (node, w) => {
  const [x] = node.inputs as [number];
  const [out] = node.outputs as [number];
  const shape = shapeOf(w.graph, x);
  const c = shape.at(-1)!;
  const { k, first, count } = node.attributes as Record<'k' | 'first' | 'count', number>;
  const some = rowsOf(w, x, first, count);
  const mean = k === 1 ? some : w.node('MatMul', [some, w.floats('means', [c, c / k], means(c, k))]);
  w.put(out, w.reshape(mean, shapeOf(w.graph, out)));
};

/** [size, out]: the share of each place in mean i, over places ⌊i·size/out⌋ to ⌈(i+1)·size/out⌉. */
function shares(size: number, out: number): Float32Array {
  const matrix = new Float32Array(size * out);
  for (let i = 0; i < out; i++) {
    const [from, to] = [Math.floor((i * size) / out), Math.ceil(((i + 1) * size) / out)];
    for (let j = from; j < to; j++) matrix[j * out + i] = 1 / (to - from);
  }
  return matrix;
}

/** Means over windows that cover a map evenly, as products from both sides: they may overlap, which no pooling does. */
export const AdaptivePool: Rule = (node, w) => {
  const [x] = node.inputs as [number];
  const [, h, width] = shapeOf(w.graph, x) as Four;
  const { oh, ow } = node.attributes as Record<'oh' | 'ow', number>;
  const out = node.outputs[0]!;
  if (h % oh === 0 && width % ow === 0) {
    const kernel = [h / oh, width / ow];
    w.put(out, w.node('AveragePool', [w.value(x, 'first')], { kernel_shape: kernel, strides: kernel }), 'first');
    return;
  }
  const across = (y: string, size: number, wanted: number): string =>
    w.node('MatMul', [y, w.floats('shares', [size, wanted], shares(size, wanted))]);
  const columns = across(w.value(x, 'first'), width, ow);
  w.put(out, w.transpose(across(w.transpose(columns, [0, 1, 3, 2]), h, oh), [0, 1, 3, 2]), 'first');
};

/** Modes of abi/ops/resize.ts, as Resize names them. */
const MODES: readonly Record<string, string>[] = [
  { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  { mode: 'nearest', coordinate_transformation_mode: 'half_pixel', nearest_mode: 'round_prefer_ceil' },
  { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
  { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  { mode: 'linear', coordinate_transformation_mode: 'asymmetric' },
];

export const Resize: Rule = (node, w) => {
  const { oh, ow, mode } = node.attributes as Record<'oh' | 'ow' | 'mode', number>;
  const x = w.value(node.inputs[0]!, 'first');
  // All four sizes, for onnxruntime's optimiser loses two that come with their axes.
  const sizes = w.node('Concat', [w.slice(w.node('Shape', [x]), 0, 0, 2), w.ints(oh, ow)], { axis: 0 });
  w.put(node.outputs[0]!, w.node('Resize', [x, '', '', sizes], MODES[mode]!), 'first');
};
