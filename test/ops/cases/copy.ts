/** What a layer whose weight learns keeps of its input. */
import { group4RowBytes, group8Bytes } from '../../../assembly/abi/sizes.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { decodeGroup4, decodeGroup8 } from '../../oracle/groups.ts';
import type { Forward, Numbers, Operand } from '../table.ts';

/**
 * Kept bytes of a layer with inputs x, w, …, and its weight's gradient under s2a: `backwardW` of the decoded copy, where x is more than
 * a row a picture and a copy is smaller. An x that does not learn is what the host wrote, and stays as it is at no cost.
 */
export function inputCopy(
  [x, w]: readonly (Operand | null)[],
  backwardW: (x: Numbers, dy: Numbers) => Numbers,
): Pick<Forward, 'kept' | 'decoded' | 'plans'> {
  if (!x?.learns || !w?.learns) return { kept: [0, 0] };
  const { shape } = x.type;
  const c = shape.at(-1)!;
  const rows = x.data.length / c;
  const groups = groupsOf(c);
  const [exact, copy] = [4 * rows * c, group8Bytes(rows, c, groups)];
  if (shape.length < 3) return { kept: [exact, exact] };
  const from = (decode: (bytes: Uint8Array) => Numbers) => (kept: Uint8Array[], _: readonly Numbers[], dy: Numbers) => [
    undefined,
    backwardW(decode(kept[0]!), dy),
    undefined,
  ];
  const small = rows * group4RowBytes(c);
  const plans: Forward['plans'] =
    small < exact ? { 'input=4': { kept: small, bound: 0.25, gradients: from((bytes) => decodeGroup4(bytes, rows, c).values) } } : {};
  if (copy >= exact) return { kept: [exact, exact], plans };
  return {
    kept: [exact, copy],
    decoded: { bound: 0.01, gradients: from((bytes) => decodeGroup8(bytes, rows, c, groups).values) },
    plans,
  };
}
