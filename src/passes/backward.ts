/** Appends the backward nodes: one pass over the forward nodes in reverse, each operator writing its own derivative. */
import { ABSENT, type Attributes, addValue, type Graph, type Node, valueAt } from '../graph/graph.ts';
import type { Gradients, Mixed } from '../ops/def.ts';
import { definition, emit } from '../ops/index.ts';
import { dropUnread, noRepeats, type Repeats } from './recompute.ts';

/** Accumulator of each parameter, by parameter id. */
export type Accumulators = Map<number, number>;

/**
 * Differentiates the train phase. `logits` is the value whose gradient `dlogits` the loss wrote; `needs` comes from `gradientNeeds`.
 * No gradient is made for a frozen operand, and no node before the first learnable value is visited. Blocks in `repeats` run again first.
 */
export function addBackward(
  graph: Graph,
  logits: number,
  dlogits: number,
  needs: readonly boolean[],
  repeats: Repeats = noRepeats(),
): Accumulators {
  const gradient = new Map<number, number>([[logits, dlogits]]);
  const accumulators: Accumulators = new Map();
  /** Block whose nodes are being differentiated. */
  let block = -1;
  /** A value that is computed again has the gradient of the one that it is again. */
  const first = (value: number): number => repeats.origin.get(value) ?? value;
  const append = (op: string, name: string, inputs: number[], attributes: Attributes | Mixed = {}, updates: number[] = []): number[] =>
    emit(graph, op, name, inputs, attributes, { phase: 'train', isBackward: true, updates, block }).outputs;

  const context: Gradients = {
    graph,
    of: (value) => gradient.get(first(value)) ?? ABSENT,
    needs: (value) => value !== ABSENT && needs[value] === true,
    soFar: (value) => gradient.get(first(value)) ?? ABSENT,
    set(value, next) {
      if (valueAt(graph, value).role === 'param') accumulate(value, next);
      else gradient.set(first(value), next);
    },
    add(value, next) {
      if (valueAt(graph, value).role === 'param') return accumulate(value, next);
      const before = gradient.get(first(value));
      const sum = before === undefined ? next : append('Add', `${valueAt(graph, value).name}.grad`, [before, next], { scale: 1 })[0]!;
      gradient.set(first(value), sum);
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

  const differentiate = (nodes: readonly Node[]): void => {
    for (const node of [...nodes].reverse()) {
      const out = node.outputs[0] as number;
      block = node.block;
      if (needs[out] && gradient.has(first(out))) definition(node.op).backward?.(node, context);
    }
  };
  walk(graph, repeats, differentiate);
  dropUnread(graph, repeats);
  return accumulators;
}

/** Forward nodes from the last to the first; those of a block that is computed again as its copies, which then stand before their derivatives. */
function walk(graph: Graph, repeats: Repeats, differentiate: (nodes: readonly Node[]) => void): void {
  const again = new Set<number>();
  for (const node of graph.phases.train.filter((n) => !n.isBackward).reverse()) {
    const run = repeats.runs.get(node.block);
    if (run === undefined) differentiate([node]);
    else if (!again.has(node.block)) {
      again.add(node.block);
      graph.phases.train.push(...run);
      differentiate(run);
    }
  }
}
