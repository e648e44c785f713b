/** What was recognised in a graph, and what is computed as it stands, in one line for people. */
import { ACTIVATIONS } from '../../ops/activations.ts';
import type { Network } from './network.ts';
import type { Step } from './steps.ts';

/** Patterns, and layers of which a graph has few names. */
const RECOGNISED: Readonly<Record<string, string>> = {
  attention: 'attention',
  crossAttention: 'attention',
  layerNorm: 'layer norm',
  groupNorm: 'group norm',
  rmsNorm: 'norm without a mean',
  responseNorm: 'response norm',
  gate: 'squeeze-excite',
  embed: 'tokens and positions',
  partition: 'windows',
  conv: 'convolution',
  groupConv: 'grouped or spaced convolution',
  linear: 'linear layer',
};
/** What stands for itself. */
const PLAIN: Readonly<Record<string, string>> = {
  transpose: 'copy in another order',
  concat: 'concatenation',
  slice: 'part of a value',
  rows: 'part of the positions',
  times: 'product',
  affine: 'factor or summand by channel',
  scale: 'factor',
  pad: 'padding',
};

const activationName = ({ a }: Step): string => Object.values(ACTIVATIONS).find(({ kind }) => kind === a.kind)!.title;

/** `12 attention, 25 layer norm, 12 GELU; as they stand: 3 copy in another order; left out: softmax`. */
export function summaryOf({ steps, dropped }: Network): string {
  const count = (names: (step: Step) => string | undefined): string => {
    const found = new Map<string, number>();
    for (const step of steps) {
      const name = names(step);
      if (name !== undefined) found.set(name, (found.get(name) ?? 0) + 1);
    }
    return [...found].map(([name, n]) => `${n} ${name}`).join(', ');
  };
  const plain = count(({ op }) => PLAIN[op]);
  return [
    count((step) => (step.op === 'activation' ? activationName(step) : RECOGNISED[step.op])),
    ...(plain === '' ? [] : [`as they stand: ${plain}`]),
    ...(dropped.length === 0 ? [] : [`left out behind the logits: ${dropped.join(', ')}`]),
  ].join('; ');
}
