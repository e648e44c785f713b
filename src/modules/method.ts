/** What a method lets learn. The head always learns; everything else is asked by its kind. */
import { InputError, nearest } from '../error.ts';
import type { Kind } from '../graph.ts';

export interface Method {
  name: MethodName;
  /** Does a backbone tensor of this kind learn? */
  learns(kind: Kind): boolean;
  /** A layer without a bias gets a zero one that learns. */
  addsBiases: boolean;
}

export type MethodName = 'bias' | 'probe' | 'full';

/**
 * `bias`: S2A's bias module, every bias and layer-norm beta of the frozen network. `probe`: the head alone. `full`: everything,
 * batch norm frozen and folded (the yardstick). Key biases of softmax attention never learn: their gradient is identically zero.
 */
export const METHODS: Readonly<Record<MethodName, Method>> = {
  bias: { name: 'bias', learns: (kind) => kind === 'bias', addsBiases: true },
  probe: { name: 'probe', learns: () => false, addsBiases: false },
  full: { name: 'full', learns: () => true, addsBiases: false },
};

/** `where` names the flag or file that gave the name. */
export function methodOf(name: string, where = '--method'): Method {
  const method = Object.hasOwn(METHODS, name) ? METHODS[name as MethodName] : undefined;
  if (method !== undefined) return method;
  const near = nearest(name, Object.keys(METHODS))[0];
  throw new InputError({
    where,
    what: 'unknown method',
    got: name,
    expected: Object.keys(METHODS).join(', '),
    ...(near ? { hint: `did you mean ${near}?` } : {}),
  });
}
