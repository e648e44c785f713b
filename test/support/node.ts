/** A node that stands for any operator: all that planning looks at, nothing that a kernel would. */
import type { Node } from '../../src/graph/graph.ts';

export const anyNode = (name: string, inputs: number[], outputs: number[], more: Partial<Node> = {}): Node => ({
  op: 'Any',
  name,
  phase: 'train',
  block: 0,
  inputs,
  outputs,
  updates: [],
  attributes: {},
  inPlace: [],
  scratchBytes: 0,
  isBackward: false,
  ...more,
});
