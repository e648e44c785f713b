/** A file's graph as a network: its steps without what nothing reads, where its head is, and its blocks. */
import { InputError, shown } from '../../base/error.ts';
import { elements } from '../../base/tensor.ts';
import { type Block, blocksOf } from './blocks.ts';
import { type Constant, constant } from './constant.ts';
import { checkFeatures, unrelated } from './features.ts';
import { Lowering } from './lower.ts';
import type { OnnxFile, Port } from './model.ts';
import { RULES } from './rules/index.ts';
import { ones, zeros } from './rules/normalise.ts';
import { BUILT, type Param, type Step } from './steps.ts';

export interface Network {
  steps: readonly Step[];
  /** The value that a head reads. */
  features: number;
  /** The file's own head; absent where it ends in features. */
  head?: Step;
  blocks: readonly Block[];
  /** What the network ends in that training does without: a softmax behind the logits. */
  dropped: readonly string[];
}

/** Steps that turn logits into something else; what learns needs the logits. */
const AFTER_LOGITS: readonly string[] = ['softmax', 'activation', 'function', 'line'];

/** `features`: the file was cut at this value, which is what a head reads. */
export function readNetwork(file: OnnxFile, picture: { port: Port; size: readonly [number, number] }, features?: string): Network {
  const l = new Lowering(file, RULES);
  l.run(picture);
  if (features !== undefined) return networkTo(file, l, features);
  const ends = file.outputs.flatMap(({ name }) => {
    const value = l.values.get(name);
    return value?.kind === 'view' ? [{ name, value: value.value }] : [];
  });
  if (ends.length === 0) throw new InputError({ where: file.path, what: 'no output follows from the picture' });
  const { steps } = l;
  for (const { value } of [...ends].sort((a, b) => Number(b.name === 'logits') - Number(a.name === 'logits'))) {
    let at = value;
    const dropped: string[] = [];
    const before = (id: number): Step | undefined => steps[steps[id]!.inputs[0] ?? -1];
    while (AFTER_LOGITS.includes(steps[at]!.op) && before(at)?.op === 'linear' && before(at)!.shape.length === 1) {
      dropped.push(steps[at]!.node);
      at = steps[at]!.inputs[0]!;
    }
    const mean = meanOfHeads(steps, at) ?? pooledHead(steps, at);
    if (mean !== undefined) return finished(file, steps, mean, undefined, dropped);
    const step = steps[at]!;
    if (step.shape.length !== 1) continue;
    const isHead = step.op === 'linear' && step.params.weight !== undefined;
    return finished(file, steps, isHead ? step.inputs[0]! : at, isHead ? step : undefined, dropped);
  }
  throw new InputError({
    where: file.path,
    what: 'has no output of one row of numbers for each picture, which a head could take the place of or read',
    got: ends.map(({ name, value }) => `${shown(name)} [${steps[value]!.shape}]`).join(', '),
    hint: 'name the value that is the features with --features, or export it with its classifier or pooled features as its output',
  });
}

/** The network that ends in a named value. */
function networkTo(file: OnnxFile, l: Lowering, features: string): Network {
  const [end] = file.outputs;
  const value = l.values.get(end!.name);
  if (value?.kind !== 'view') throw unrelated(file.path, features);
  const { shape } = l.steps[value.value]!;
  checkFeatures(features, value, shape);
  const positions = elements(shape.slice(0, -1));
  const row =
    shape.length === 1
      ? value.value
      : l.emit({ op: 'pool', inputs: [value.value], shape: shape.slice(-1), a: { first: 0, count: positions } });
  return finished(file, l.steps, row, undefined, []);
}

/** Two heads whose logits are averaged (a teacher's beside the labels'): a new one reads the mean of what the two read. */
function meanOfHeads(steps: Step[], at: number): number | undefined {
  const half = steps[at]!;
  const sum = steps[half.inputs[0] ?? -1];
  const heads = sum?.op === 'add' ? sum.inputs.map((id) => steps[id]!) : [];
  const isMean = half.op === 'line' && half.a.m === 0.5 && half.a.c === 0;
  if (!isMean || heads.length !== 2 || heads.some(({ op, shape }) => op !== 'linear' || shape.length !== 1)) return undefined;
  const inputs = heads.map((head) => head.inputs[0]!);
  const { shape } = steps[inputs[0]!]!;
  if (String(steps[inputs[1]!]!.shape) !== String(shape)) return undefined;
  if (inputs[0] === inputs[1]) return inputs[0];
  const both = steps.push({ ...sum!, inputs, shape, pointwise: new Map() }) - 1;
  return steps.push({ ...half, inputs: [both], shape, pointwise: new Map() }) - 1;
}

/** A head at every position, whose logits are averaged over the map: a new one reads the mean of what it reads. */
function pooledHead(steps: Step[], at: number): number | undefined {
  const pool = steps[at]!;
  if (pool.op !== 'pool') return undefined;
  let head = steps[pool.inputs[0]!]!;
  if (head.op === 'activation') head = steps[head.inputs[0]!]!;
  if (head.op !== 'linear' || head.a.pointwise !== 1 || head.shape.length !== 3 || head.params.weight === undefined) return undefined;
  const k = head.params.weight.shape[1]!;
  // A wide layer before the mean is a network's last, and no head.
  if (head.shape.at(-1)! >= k) return undefined;
  return steps.push({ ...pool, inputs: head.inputs, shape: [k] }) - 1;
}

function finished(file: OnnxFile, steps: readonly Step[], features: number, head: Step | undefined, dropped: readonly string[]): Network {
  const live = new Set<number>();
  const todo = [features];
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    if (live.has(id)) continue;
    live.add(id);
    todo.push(...steps[id]!.inputs);
  }
  const order = [...live].sort((a, b) => a - b);
  const moved = new Map(order.map((id, i) => [id, i]));
  const kept = order.map((id) => completed({ ...steps[id]!, inputs: steps[id]!.inputs.map((i) => moved.get(i)!) }));
  shapeCopies(kept);
  const odd = kept.find(({ op }) => !BUILT.has(op));
  if (odd)
    throw new InputError({
      where: `${file.path}, node ${odd.node}`,
      what: `is part of nothing that is known here (${MEANT[odd.op] ?? odd.op})`,
      hint: 'docs/onnx.md lists what is recognised',
    });
  if (!kept.some(({ op }) => op === 'picture'))
    throw new InputError({ where: file.path, what: 'its output does not follow from the picture' });
  return {
    steps: kept,
    features: moved.get(features)!,
    ...(head ? { head: withBias(head) } : {}),
    blocks: blocksOf(kept, moved.get(features)!),
    dropped,
  };
}

/** A copy in another order is made in the shape in which it is read. */
function shapeCopies(steps: Step[]): void {
  for (const { inputs, wants } of steps)
    wants?.forEach((shape, i) => {
      const source = steps[inputs[i]!]!;
      if (source.op === 'transpose' && elements(shape) === elements(source.shape)) steps[inputs[i]!] = { ...source, shape };
    });
}

/** A norm that no factor or summand followed has ones and zeros. */
function completed(step: Step): Step {
  if (step.op === 'line') return lineLayer(step);
  if (!['layerNorm', 'groupNorm', 'responseNorm'].includes(step.op)) return step;
  const c = step.shape.at(-1)!;
  const gamma: Param = step.params.gamma ?? { name: `${step.name}.weight`, shape: [c], from: ones(c) };
  const beta: Param = step.params.beta ?? { name: `${step.name}.bias`, shape: [c], from: zeros(c) };
  return { ...step, params: { gamma, beta } };
}

/** A factor and a summand for all channels, which no layer took in; they are no bias, and never learn. */
function lineLayer(step: Step): Step {
  if (step.a.c === 0) return { ...step, op: 'scale' };
  const c = step.shape.at(-1) ?? 1;
  const all = (value: number): Constant => constant([c], false, () => new Float64Array(c).fill(value));
  const own = (key: string, value: number): Param => ({
    name: `${step.name}.${key}.${step.a.m}.${step.a.c}`,
    shape: [c],
    from: all(value),
  });
  return { ...step, op: 'affine', a: { frozen: 1 }, params: { scale: own('factor', step.a.m!), shift: own('summand', step.a.c!) } };
}

/** A classifier has a bias, of zeros where the file has none. */
function withBias(head: Step): Step {
  const [n] = head.shape as [number];
  const name = head.params.weight!.name.replace(/\.weight$/, '.bias');
  const weight = head.params.weight!;
  const matrix = { ...weight, shape: [n, elements(weight.shape) / n] };
  return { ...head, params: { bias: { name, shape: [n], from: zeros(n) }, ...head.params, weight: matrix } };
}

/** What steps that stand for themselves mean, in messages. */
const MEANT: Readonly<Record<string, string>> = {
  matmul: 'a product of two values, in no attention',
  softmax: 'a softmax, in no attention',
  mean: 'a mean over channels, in no layer norm',
  function: 'a function of one value that is no activation',
  line: 'a factor or summand that no layer takes in',
  plus: 'numbers added at every position',
  times: 'a product of two values, element by element',
  minus: 'a difference of two values',
  rows: 'a part of the positions',
  slice: 'a part of a value',
  roll: 'a map that is rolled, before no windows',
  transpose: 'another order of axes',
  averagePool: 'an average over windows',
};

/** Every weight of a network, by name. */
export function paramsOf({ steps, head }: Network): Map<string, Param> {
  const all = new Map<string, Param>();
  for (const step of head ? [...steps, head] : steps) for (const param of Object.values(step.params)) all.set(param.name, param);
  return all;
}
