/** Appends the optimizer step: where asked for the pull back to where the run began, then gradient norm and clip factor, learning rate, then one update per parameter. */

import { ABSENT, addValue, type Graph, valueAt } from '../graph/graph.ts';
import { emit } from '../ops/index.ts';
import type { Accumulators } from './backward.ts';

export type Optimizer = 'adamw' | 'sgd';
export const OPTIMIZERS: readonly Optimizer[] = ['adamw', 'sgd'];

/** Decoupled weight decay applies to matrices and embeddings, never to biases or scales. */
const decays = (graph: Graph, param: number): number => (['weight', 'embedding'].includes(valueAt(graph, param).kind ?? '') ? 1 : 0);

/** Rates of a parameter's own: `count` numbers, that of element i being number (i / inner) mod count. */
export interface Scale {
  value: number;
  count: number;
  inner: number;
}

/** What a step does beside following the gradient. */
export interface UpdateOptions {
  /** Factors on the rate, by parameter; absent: there are none. */
  scales?: ReadonlyMap<number, { scale: Scale }> | undefined;
  /** μ of the pull back to where the run began; absent or 0: there is none, and no memory for where that was. */
  prox?: number | undefined;
}

/** Returns each parameter's first moment. */
export function addUpdate(
  graph: Graph,
  accumulators: Accumulators,
  optimizer: Optimizer,
  state: number,
  { scales, prox = 0 }: UpdateOptions = {},
): Map<number, number> {
  const first = new Map<number, number>();
  const append = (op: string, name: string, inputs: number[], updates: number[], attributes = {}): void => {
    emit(graph, op, name, inputs, attributes, { phase: 'update', isBackward: true, updates });
  };
  for (const [param, grad] of prox === 0 ? [] : accumulators) {
    const { name, type } = valueAt(graph, param);
    const anchor = addValue(graph, `${name}.anchor`, type, 'moment');
    append('Proximal', `${name}.pull`, [param, state], [grad, anchor], { mu: prox });
  }
  for (const [param, grad] of accumulators) append('SumSquares', `${valueAt(graph, param).name}.norm`, [grad], [state]);
  append('Schedule', 'schedule', [], [state]);
  const moments = optimizer === 'adamw' ? ['mean', 'variance'] : ['momentum'];
  for (const [param, grad] of accumulators) {
    const { name, type } = valueAt(graph, param);
    const memory = moments.map((m) => addValue(graph, `${name}.${m}`, type, 'moment'));
    first.set(param, memory[0]!);
    const { value = ABSENT, count = 1, inner = 1 } = scales?.get(param)?.scale ?? {};
    const attributes = { decay: decays(graph, param), count, inner };
    append(optimizer === 'adamw' ? 'AdamW' : 'Sgd', `${name}.update`, [state, value], [param, grad, ...memory], attributes);
  }
  return first;
}
