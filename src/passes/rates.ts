/**
 * Relative learning rates: each learnable number steps by a fraction of what it changes, so one setting serves networks whose activations
 * are a hundred times apart. The evaluation phase gets nodes that look at outputs (Observe), a phase of its own turns what they saw into a rate
 * for each number (SetRates, assembly/kernels/rate.ts has the formulas), the optimizer multiplies by it. All of it is part of the program:
 * whoever runs it, on whatever runtime, takes the same steps. The rates lie in the checkpoint's region, so a resumed run has them.
 *
 *     before the first step   eval × passes, Measured ≠ 0   ─►   rates   ─►   train, update, …
 */
import { Rule } from '../../assembly/abi/ops/rate.ts';
import { InputError } from '../base/error.ts';
import { ABSENT, addValue, f32, type Graph, type Node, numel, rowsOf, shapeOf, valueAt } from '../graph/graph.ts';
import { definition, emit } from '../ops/index.ts';
import type { Accumulators } from './backward.ts';
import type { Optimizer, Scale } from './update.ts';

/** What learns, as far as its rate goes. */
export const RATE_GROUPS = ['bias', 'prompt', 'side', 'lora', 'full', 'head'] as const;
export type RateGroup = (typeof RATE_GROUPS)[number];

/**
 * Fractions by which a step of 1× changes what it changes. Settled on development pictures (not those of docs/results/networks.md), 20 a class:
 * ImageNet's MobileNetV2 and a ViT-S/14 on CIFAR-10, MoveNet's MobileNetV2 whole and cut and sketch-vit on drawings. Biases: 0.004 to 0.008 is the best
 * of 0.002 … 0.032 on each of them; weights: from 0.0003 to 0.01 by network. Prompts, side branch and SGD's factors rest on three of them. SGD's
 * step grows with the gradient, so its factors are no fractions.
 */
export const RELATIVE_RATES: Readonly<Record<Optimizer, Readonly<Record<RateGroup, number>>>> = {
  adamw: { bias: 0.008, prompt: 0.002, side: 0.003, lora: 0.008, full: 0.0015, head: 0.6 },
  sgd: { bias: 0.5, prompt: 0.1, side: 0.1, lora: 0.5, full: 0.03, head: 10 },
};

/** A head that learns alone starts from ridge regression, near where it will end (src/training/headstart.ts): it takes smaller steps. */
const HEAD_ALONE = 1 / 3;

/** What `--lr` says: one rate for everything, or as `0.5x` a factor on the relative ones; 1x where absent. */
export type RateWish = number | `${number}x`;

/** Reads a wish; `where` names the option that gave it. */
export function readRate(wish: RateWish | undefined, where = '--lr'): { rate: number; rates: 'relative' | 'absolute' } {
  if (wish === undefined) return { rate: 1, rates: 'relative' };
  const text = typeof wish === 'string' ? /^(\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)x$/i.exec(wish)?.[1] : String(wish);
  const rate = Number(text);
  if (text === undefined || !Number.isFinite(rate) || rate < 0 || rate > MOST_RATE)
    throw new InputError({
      where,
      what: 'is no learning rate',
      got: String(wish),
      expected: `a number above 0, as 1e-3, or a factor on the measured rates, as 0.5x`,
    });
  return { rate, rates: typeof wish === 'string' ? 'relative' : 'absolute' };
}

/** The largest f32. */
const MOST_RATE = 3.4028234663852886e38;

/**
 * What a product with a learnable factor is added to, by that factor: the modules say so, whose products are zero at the start. ABSENT: it is
 * a logit.
 */
export type Joins = ReadonlyMap<number, number>;

/** A parameter's rates and how they are found. */
interface Found {
  scale: Scale;
  rule: Rule;
  rate: number;
  group: RateGroup;
  /** Value whose channels are observed, and the layer's input; ABSENT where neither is. */
  output: number;
  input: number;
  spread: number;
}

/** Plans the rates of every parameter: call it when the evaluation phase is whole, before the update is appended. */
export function planRates(
  graph: Graph,
  accumulators: Accumulators,
  joins: Joins,
  optimizer: Optimizer,
  relative: Readonly<Record<RateGroup, number>> = RELATIVE_RATES[optimizer],
): Map<number, Found> {
  const found = new Map<number, Found>();
  const isHeadAlone = [...accumulators.keys()].every((param) => joins.get(param) === ABSENT);
  for (const node of graph.phases.eval)
    node.inputs.forEach((param, i) => {
      if (!accumulators.has(param) || found.has(param)) return;
      const rule = ruleOf(graph, node, i, joins);
      const { name } = valueAt(graph, param);
      const scale = addValue(graph, `${name}.rate`, f32(rule.count), 'moment');
      const group = groupOf(graph, param, joins);
      const rate = relative[group] * rule.size * (isHeadAlone ? HEAD_ALONE : 1);
      found.set(param, { ...rule, rate, group, scale: { value: scale, count: rule.count, inner: rule.inner } });
    });
  for (const param of accumulators.keys())
    if (!found.has(param)) throw new Error(`rates: nothing says what ${valueAt(graph, param).name} changes`);
  return found;
}

/** Adds what observes, and the phase that sets the rates. `moments`: a parameter's first one, which is zero until the first step. */
export function addRates(
  graph: Graph,
  found: ReadonlyMap<number, Found>,
  accumulators: Accumulators,
  moments: ReadonlyMap<number, number>,
  optimizer: Optimizer,
  state: number,
): void {
  const observers = new Map<number, Node[]>();
  const observe = (value: number, name: string, sum: number, squares: number, total: 0 | 1): void => {
    const producer = graph.phases.eval.find((node) => node.outputs.includes(value));
    const block = producer?.block ?? -1;
    // Emitted to be built, then moved behind what it looks at.
    const node = emit(graph, 'Observe', name, [value, state], { total }, { phase: 'eval', block, updates: [sum, squares] });
    graph.phases.eval.pop();
    observers.set(value, [...(observers.get(value) ?? []), node]);
  };
  for (const [param, { scale, rule, rate, group, output, input, spread }] of found) {
    const { name } = valueAt(graph, param);
    const isLogit = rule === Rule.Logit;
    const features = isLogit ? shapeOf(graph, input).at(-1)! : 1;
    const grad = part(graph, accumulators.get(param)!, isLogit ? features : scale.count);
    const moment = part(graph, moments.get(param)!, features);
    if (output !== ABSENT) observe(output, `${name}.output`, grad, scale.value, 0);
    // The head's input channel by channel, any other's as one number.
    if (input !== ABSENT) observe(input, `${name}.input`, isLogit ? grad : ABSENT, moment, isLogit ? 0 : 1);
    const attributes = {
      n: scale.count,
      rows: output === ABSENT ? 1 : rowsOf(graph, output),
      inputRows: input === ABSENT ? 1 : rowsOf(graph, input),
      spread,
      features,
      rule,
      rate,
      power: optimizer === 'sgd' ? 2 : 1,
      group: RATE_GROUPS.indexOf(group),
    };
    const updates = [scale.value, output === ABSENT && !isLogit ? ABSENT : grad, input === ABSENT ? ABSENT : moment, state];
    emit(graph, 'SetRates', `${name}.rates`, [], attributes, { phase: 'rates', updates });
  }
  const isProduced = new Set(graph.phases.eval.flatMap(({ outputs }) => outputs));
  // A value that no node makes (a parameter that is an input) is looked at first.
  const before = [...observers].filter(([value]) => !isProduced.has(value)).flatMap(([, list]) => list);
  graph.phases.eval = [...before, ...graph.phases.eval.flatMap((node) => [node, ...node.outputs.flatMap((id) => observers.get(id) ?? [])])];
}

/** The first `n` numbers of a value, as one of its own. */
function part(graph: Graph, of: number, n: number): number {
  const { name, type, role } = valueAt(graph, of);
  return numel(type.shape) === n ? of : addValue(graph, `${name}.part`, f32(n), role, { view: { of, offset: 0 } });
}

/** The head's bias moves a logit by itself, its weights only together: a tenth of their step. */
const HEAD_BIAS = 0.1;

/** The side branch's part of the head steps by so many times the branch's fraction: of a logit, not of an output. */
const SIDE_HEAD = 20;

/** How the rate of a node's learnable input `i` is measured. */
function ruleOf(graph: Graph, node: Node, i: number, joins: Joins) {
  const param = node.inputs[i]!;
  const rule = definition(node.op).rates?.(node, graph, i);
  const n = numel(shapeOf(graph, param));
  const constant = (size: number) => ({ rule: Rule.Constant, count: 1, inner: n, size, output: ABSENT, input: ABSENT, spread: 1 });
  const join = joins.get(param);
  if (rule === undefined) throw new Error(`rates: ${node.op} does not say what its input ${i} changes`);
  if (rule.rule === 'constant') return constant(rule.size);
  if (rule.rule === 'added') {
    if (join === ABSENT) return constant(HEAD_BIAS);
    const [output] = node.outputs as [number];
    const count = shapeOf(graph, output).at(-1)!;
    return { rule: Rule.Added, count, inner: 1, size: 1, output, input: ABSENT, spread: 1 };
  }
  const input = node.inputs[rule.input]!;
  const size = valueAt(graph, param).name.startsWith('side.') ? SIDE_HEAD : 1;
  if (join === ABSENT) return { rule: Rule.Logit, count: 1, inner: n, size, output: ABSENT, input, spread: rule.spread };
  const output = join ?? node.outputs[0]!;
  const count = shapeOf(graph, output).at(-1)!;
  return { rule: Rule.Product, count, inner: rule.inner, size: 1, output, input, spread: rule.spread };
}

/** The side branch's part of the head belongs to the branch: with a step as large as the head's its random features would drown the backbone's. */
function groupOf(graph: Graph, param: number, joins: Joins): RateGroup {
  const { name, kind } = valueAt(graph, param);
  const module = (['prompt', 'side', 'lora'] as const).find((part) => name.startsWith(`${part}.`));
  return module ?? (joins.get(param) === ABSENT ? 'head' : kind === 'bias' ? 'bias' : 'full');
}
