/** Maps of another size. */
import { Resizing } from '../../../../assembly/abi/ops/resize.ts';
import type { Call } from '../call.ts';
import type { Lowering, Operand, Rule } from '../lower.ts';
import { channelsFirst, shapeOfView } from '../view.ts';
import { mapOf } from './convolution.ts';
import { viewAt } from './reorder.ts';

/** Where a pixel of the larger map lies, by the format's words; undefined: in a way that is not known here. */
function ruleOf(call: Call<Operand>): Resizing | undefined {
  const place = call.text('coordinate_transformation_mode', 'half_pixel');
  const rounding = call.text('nearest_mode', 'round_prefer_floor');
  const mode = call.text('mode', 'nearest');
  if (mode === 'linear')
    return { half_pixel: Resizing.Centre, pytorch_half_pixel: Resizing.Centre, align_corners: Resizing.Corners, asymmetric: Resizing.Edge }[
      place
    ];
  if (mode !== 'nearest') return undefined;
  if (place === 'asymmetric' && rounding === 'floor') return Resizing.Nearest;
  return place === 'half_pixel' && rounding === 'round_prefer_floor' ? Resizing.NearestCentre : undefined;
}

/** The sizes that a Resize gives: stated, or the old ones by factors. */
function sizesOf(call: Call<Operand>, own: readonly number[]): number[] {
  if (call.has(3)) return [...call.constant(3).numbers()];
  if (!call.has(2)) throw call.fault('says no size');
  const factors = call.constant(2).numbers();
  return own.map((d, i) => Math.floor(d * factors[i]!));
}

function resize(call: Call<Operand>, l: Lowering): Operand[] {
  const view = viewAt(call, 0);
  const own = shapeOfView(view);
  const sizes = sizesOf(call, own);
  if (String(sizes) === String(own)) return [view];
  const mode = ruleOf(call);
  if (mode === undefined)
    throw call.fault(
      'resizes in a way that is not supported',
      [call.text('mode', 'nearest'), call.text('coordinate_transformation_mode', 'half_pixel'), call.text('nearest_mode', '')].join(' '),
    );
  const { value, size } = mapOf(call, l, view);
  const [h, w, c] = size;
  if (sizes.length !== 4 || sizes[0] !== 1 || sizes[1] !== c) throw call.fault('resizes other axes than height and width', `[${sizes}]`);
  const [oh, ow] = [sizes[2]!, sizes[3]!];
  return [
    channelsFirst(l.emit({ op: 'resize', inputs: [value], shape: [oh, ow, c], a: { oh, ow, mode }, wants: [[h, w, c]] }), [oh, ow, c]),
  ];
}

export const resizing: Readonly<Record<string, Rule>> = { Resize: resize };
