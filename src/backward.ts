/** Appends the backward nodes: one pass over the forward nodes in reverse, each operator writing its own derivative. */
import { ABSENT, type Attributes, addValue, type Graph, valueAt } from './graph.ts';
import type { Gradients } from './ops/def.ts';
import { definition, emit } from './ops/index.ts';

/** Accumulator of each parameter, by parameter id. */
export type Accumulators = Map<number, number>;

/**
 * Differentiates the train phase. `logits` is the value whose gradient `dlogits` the loss wrote; `needs` comes from `gradientNeeds`.
 * No gradient is made for a frozen operand, and no node before the first learnable value is visited.
 */
export function addBackward(graph: Graph, logits: number, dlogits: number, needs: readonly boolean[]): Accumulators {
  const gradient = new Map<number, number>([[logits, dlogits]]);
  const accumulators: Accumulators = new Map();
  const append = (op: string, name: string, inputs: number[], attributes: Attributes = {}, updates: number[] = []): number[] =>
    emit(graph, op, name, inputs, attributes, { phase: 'train', isBackward: true, updates }).outputs;

  const context: Gradients = {
    graph,
    of: (value) => gradient.get(value) ?? ABSENT,
    needs: (value) => value !== ABSENT && needs[value] === true,
    soFar: (value) => gradient.get(value) ?? ABSENT,
    set(value, next) {
      if (valueAt(graph, value).role === 'param') accumulate(value, next);
      else gradient.set(value, next);
    },
    add(value, next) {
      if (valueAt(graph, value).role === 'param') return accumulate(value, next);
      const before = gradient.get(value);
      const sum = before === undefined ? next : append('Add', `${valueAt(graph, value).name}.grad`, [before, next], { scale: 1 })[0]!;
      gradient.set(value, sum);
    },
    accumulator(param) {
      let id = accumulators.get(param);
      if (id === undefined) {
        const { name, type } = valueAt(graph, param);
        id = addValue(graph, `${name}.grad`, type, 'grad');
        accumulators.set(param, id);
      }
      return id;
    },
    emit: append,
  };

  /** Adds a gradient that came as a value (a parameter that is an activation to its operator) to the parameter's accumulator. */
  function accumulate(param: number, from: number): void {
    append('BiasBackward', `${valueAt(graph, param).name}.accumulate`, [from], { flat: 1 }, [context.accumulator(param)]);
  }

  const forward = graph.phases.train.filter((node) => !node.isBackward).reverse();
  for (const node of forward) {
    const out = node.outputs[0] as number;
    if (needs[out] && gradient.has(out)) definition(node.op).backward?.(node, context);
  }
  return accumulators;
}
