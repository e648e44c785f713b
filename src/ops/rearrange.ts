/** Axes in another order: transposes, what shuffles channels or pixels, windows. */
import { Axes, RearrangeArg } from '../../assembly/abi/ops/rearrange.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { type Lists, numel, shapeOf } from '../graph/graph.ts';
import { MOST_AXES, moves, type OpDef, same, shape, words } from './def.ts';

interface Rearranged extends Lists {
  dims: readonly number[];
  perm: readonly number[];
  shape: readonly number[];
}

/** The axes of y with their lengths and x's steps along them, those that follow each other without a gap made one. */
function axesOf({ dims, perm }: Rearranged): { length: number; step: number }[] {
  const axes: { length: number; step: number }[] = [];
  for (const i of perm) {
    const [length, step] = [dims[i]!, numel(dims.slice(i + 1))];
    const before = axes.at(-1);
    if (length === 1) continue;
    if (before !== undefined && before.step === length * step) axes[axes.length - 1] = { length: before.length * length, step };
    else axes.push({ length, step });
  }
  return axes;
}

export const rearrange: Record<string, OpDef> = {
  /**
   * input x, seen as of shape `dims`; output y: axis i of it is axis perm[i] of that, then seen as of shape `shape`. At most eight axes, of which
   * six are left when those are counted as one that stay next to each other.
   */
  Rearrange: {
    opcode: Op.Rearrange,
    lists: { dims: MOST_AXES, perm: MOST_AXES, shape: MOST_AXES },
    infer(inputs, _a, lists) {
      const { dims, perm, shape: y } = lists as Rearranged;
      const x = shape(inputs, 0);
      same('rearrange: elements', [numel(dims), numel(y)], [numel(x), numel(x)]);
      same('rearrange: permutation', [...perm].sort(), [...dims.keys()]);
      if (axesOf(lists as Rearranged).length > Axes.Most) throw new RangeError(`rearrange: [${perm}] of [${dims}] moves too many axes`);
      return [{ dtype: 'f32', shape: y }];
    },
    storage: () => 'own',
    backward(node, g) {
      const x = node.inputs[0]!;
      const { dims, perm } = node.lists as Rearranged;
      const back = { dims: perm.map((i) => dims[i]!), perm: [...perm.keys()].map((i) => perm.indexOf(i)), shape: shapeOf(g.graph, x) };
      g.add(x, g.emit('Rearrange', `${node.name}.dx`, [g.of(node.outputs[0]!)], back)[0]!);
    },
    lower(n, at) {
      const axes = axesOf(n.lists as Rearranged);
      while (axes.length < Axes.Most) axes.unshift({ length: 1, step: 0 });
      return words({
        [RearrangeArg.X]: at.input(0),
        [RearrangeArg.Y]: at.output(0),
        ...Object.fromEntries(axes.map(({ length }, i) => [RearrangeArg.D0 + i, length])),
        ...Object.fromEntries(axes.map(({ step }, i) => [RearrangeArg.S0 + i, step])),
      });
    },
    cost: moves,
    costRate: { mac: 0, byte: 0.15 },
  },
};
