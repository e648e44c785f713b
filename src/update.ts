/** Appends the optimizer step: gradient norm and clip factor, learning rate, then one update per parameter. */
import type { Accumulators } from './backward.ts';
import { addValue, type Graph, valueAt } from './graph.ts';
import { emit } from './ops/index.ts';

export type Optimizer = 'adamw' | 'sgd';
export const OPTIMIZERS: readonly Optimizer[] = ['adamw', 'sgd'];

/** Decoupled weight decay applies to matrices and embeddings, never to biases or scales. */
const decays = (graph: Graph, param: number): number => (['weight', 'embedding'].includes(valueAt(graph, param).kind ?? '') ? 1 : 0);

export function addUpdate(graph: Graph, accumulators: Accumulators, optimizer: Optimizer, state: number): void {
  const append = (op: string, name: string, inputs: number[], updates: number[], attributes = {}): void => {
    emit(graph, op, name, inputs, attributes, { phase: 'update', isBackward: true, updates });
  };
  for (const [param, grad] of accumulators) append('SumSquares', `${valueAt(graph, param).name}.norm`, [grad], [state]);
  append('Schedule', 'schedule', [], [state]);
  const moments = optimizer === 'adamw' ? ['mean', 'variance'] : ['momentum'];
  for (const [param, grad] of accumulators) {
    const { name, type } = valueAt(graph, param);
    const memory = moments.map((m) => addValue(graph, `${name}.${m}`, type, 'moment'));
    append(optimizer === 'adamw' ? 'AdamW' : 'Sgd', `${name}.update`, [state], [param, grad, ...memory], { decay: decays(graph, param) });
  }
}
