/** A file's graph as a network: its steps without what nothing reads, where its head is, and its blocks. */
import { InputError, shown } from '../../base/error.ts';
import { type Block, blocksOf } from './blocks.ts';
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

export function readNetwork(file: OnnxFile, picture: { port: Port; size: readonly [number, number] }): Network {
  const l = new Lowering(file, RULES);
  l.run(picture);
  const ends = file.outputs.flatMap(({ name }) => {
    const value = l.values.get(name);
    return value?.kind === 'view' ? [{ name, value: value.value }] : [];
  });
  if (ends.length === 0) throw new InputError({ where: file.path, what: 'no output follows from the picture' });
  const { steps } = l;
  for (const { value } of [...ends].sort((a, b) => Number(b.name === 'logits') - Number(a.name === 'logits'))) {
    let at = value;
    const dropped: string[] = [];
    while (
      AFTER_LOGITS.includes(steps[at]!.op) &&
      steps[steps[at]!.inputs[0]!]!.shape.length === 1 &&
      steps[steps[at]!.inputs[0]!]!.op === 'linear'
    ) {
      dropped.push(steps[at]!.node);
      at = steps[at]!.inputs[0]!;
    }
    const step = steps[at]!;
    if (step.shape.length !== 1) continue;
    const isHead = step.op === 'linear' && step.params.weight !== undefined;
    return finished(file, steps, isHead ? step.inputs[0]! : at, isHead ? step : undefined, dropped);
  }
  throw new InputError({
    where: file.path,
    what: 'has no output of one row of numbers for each picture, which a head could take the place of or read',
    got: ends.map(({ name, value }) => `${shown(name)} [${steps[value]!.shape}]`).join(', '),
    hint: 'export it with its classifier, or with pooled features as its output',
  });
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

/** A norm that no factor or summand followed has ones and zeros. */
function completed(step: Step): Step {
  if (step.op === 'line' && step.a.c === 0) return { ...step, op: 'scale' };
  if (step.op !== 'layerNorm') return step;
  const c = step.shape.at(-1)!;
  const gamma: Param = step.params.gamma ?? { name: `${step.name}.weight`, shape: [c], from: ones(c) };
  const beta: Param = step.params.beta ?? { name: `${step.name}.bias`, shape: [c], from: zeros(c) };
  return { ...step, params: { gamma, beta } };
}

/** A classifier has a bias, of zeros where the file has none. */
function withBias(head: Step): Step {
  const [n] = head.shape as [number];
  const name = head.params.weight!.name.replace(/\.weight$/, '.bias');
  return { ...head, params: { bias: { name, shape: [n], from: zeros(n) }, ...head.params } };
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
