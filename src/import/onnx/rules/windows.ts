/**
 * Windows of a map, as Swin has them: the copies that cut a map into windows and put it together again, and what is added to the scores within
 * them: biases by relative position, and a mask between regions that a rolled map brings together.
 */
import { elements } from '../../../base/tensor.ts';
import type { Call } from '../call.ts';
import { constant, walk } from '../constant.ts';
import type { Lowering, Operand } from '../lower.ts';
import { nameOf } from '../names.ts';
import { type Param, ROWWISE, type Step } from '../steps.ts';

/** A step that adds a constant to scores, and the factor that the sum is multiplied by after it. */
export interface Added {
  step: Step;
  factor: number;
}

/** What the scores of a masked pair are lowered by: the engine's own number. */
const MASKED = -100;

/** The value that rows come from, through layers that work row by row. */
export function sourceOf(l: Lowering, value: number): Step {
  let step = l.steps[value]!;
  while ((ROWWISE.has(step.op) || step.op === 'rmsNorm') && step.inputs.length > 0) step = l.steps[step.inputs[0]!]!;
  return step;
}

/** The sum of what is added, [windows, heads, queries, keys]. */
function total(added: readonly Added[], shape: readonly number[]): Float64Array {
  const out = new Float64Array(elements(shape));
  for (const { step, factor } of added) {
    const [view] = step.views!;
    const axes = view!.axes.map((_, i) => i).filter((i) => Object.values(step.a).includes(i));
    const numbers = step.constant!.numbers();
    const own = new Map<number, number>();
    let stride = 1;
    for (const axis of [...axes].reverse()) {
      own.set(axis, stride);
      stride *= view!.axes[axis]!;
    }
    const at = walk(
      view!.axes,
      view!.axes.map((_, i) => own.get(i) ?? 0),
    );
    at.forEach((i, o) => {
      out[o]! += factor * numbers[i]!;
    });
  }
  return out;
}

/** Height and width of a window of t positions. */
function windowSize(l: Lowering, q: number, t: number): Record<string, number> | undefined {
  const source = sourceOf(l, q);
  if (source.op === 'partition' && !source.a.merge) {
    const { wh, ww, rows, columns, sy, sx, h, w } = source.a as Record<string, number>;
    return { wh: wh!, ww: ww!, rows: rows!, columns: columns!, sy: sy!, sx: sx!, h: h!, w: w! };
  }
  // One window that is the whole map.
  const [h, w] = source.shape as [number, number];
  return source.shape.length === 3 && h * w === t ? { wh: h, ww: w, rows: 1, columns: 1, sy: 0, sx: 0, h, w } : undefined;
}

/** The region that a row or column belongs to after the map was rolled by `shift`: regions that were apart before do not meet. */
const region = (y: number, n: number, window: number, shift: number): number => (shift === 0 || y < n - window ? 0 : y < n - shift ? 1 : 2);

/** What is added to the scores as it is: of each window and head, or once where these do not differ. */
export function scoresBias(
  call: Call<Operand>,
  l: Lowering,
  added: readonly Added[],
  shape: readonly [number, number, number, number],
): Param {
  const [windows, heads, t, s] = shape;
  const sums = total(added, shape);
  const [one, all] = [t * s, heads * t * s];
  const sameWindows = sums.every((v, i) => v === sums[i % all]);
  const sameHeads = sums.every((v, i) => v === sums[i - (Math.floor(i / one) % heads) * one]);
  const own = [sameWindows ? 1 : windows, sameHeads ? 1 : heads, t, s];
  const from = constant(own, false, () => {
    const at = walk(own, [all, one, s, 1]);
    return Float64Array.from(at, (i) => sums[i]!);
  });
  return { name: l.layer(`${nameOf(call.node)}.attention_bias`), shape: own, from };
}

/** The table of relative positions, and the windows, where what is added to the scores is just that. */
export function relativeTable(
  call: Call<Operand>,
  l: Lowering,
  q: number,
  added: readonly Added[],
  { windows, t, heads }: { windows: number; t: number; heads: number },
): { table: Param; a: Record<string, number> } | undefined {
  const size = windowSize(l, q, t);
  const sums = total(added, [windows, heads, t, t]);
  if (size === undefined) return undefined;
  const { wh, ww, rows, columns, sy, sx, h, w } = size as Record<'wh' | 'ww' | 'rows' | 'columns' | 'sy' | 'sx' | 'h' | 'w', number>;
  const span = 2 * ww - 1;
  const table = new Float64Array((2 * wh - 1) * span * heads).fill(Number.NaN);
  for (let win = 0; win < windows; win++) {
    const [top, left] = [Math.floor(win / columns) * wh, (win % columns) * ww];
    const place = (i: number): [number, number] => [Math.floor(i / ww), i % ww];
    const regions = Array.from({ length: t }, (_, i) => {
      const [y, x] = place(i);
      return 3 * region(top + y, h, wh, sy) + region(left + x, w, ww, sx);
    });
    for (let i = 0; i < t; i++)
      for (let j = 0; j < t; j++) {
        const [[yi, xi], [yj, xj]] = [place(i), place(j)];
        const mask = regions[i] === regions[j] ? 0 : MASKED;
        const cell = ((yi - yj + wh - 1) * span + (xi - xj + ww - 1)) * heads;
        for (let head = 0; head < heads; head++) {
          const value = sums[((win * heads + head) * t + i) * t + j]! - mask;
          const known = table[cell + head]!;
          if (Number.isNaN(known)) table[cell + head] = value;
          else if (Math.abs(known - value) > 1e-4) return undefined;
        }
      }
  }
  const shape = [(2 * wh - 1) * span, heads];
  const scope = nameOf(call.node);
  const from = constant(shape, false, () => table);
  return { table: { name: l.layer(`${scope}.relative_position_bias_table`), shape, from }, a: { wh, ww, rows, columns, sy, sx } };
}

/** The copy that an order of a view's axes asks for, where it is that of windows. */
export function asWindows(l: Lowering, value: number, axes: readonly number[], order: readonly number[]): number | undefined {
  // A row of windows has no axis of rows: what is one is no axis.
  const isRow = axes.length === 4 && String(order) === '1,0,2,3';
  const five = isRow ? [1, ...axes] : axes;
  if (five.length !== 5) return undefined;
  const swap = isRow ? '0,2,1,3,4' : String(order);
  const [a, b, c, d, e] = five as [number, number, number, number, number];
  if (swap === '0,2,3,1,4') {
    const attributes = { h: a * b, w: c * d, c: e, wh: b, ww: d, rows: a, columns: c, sy: 0, sx: 0, modh: a * b, modw: c * d, merge: 1 };
    return l.emit({ op: 'partition', inputs: [value], shape: [a, c, b * d * e], a: attributes });
  }
  if (swap !== '0,2,1,3,4') return undefined;
  const source0 = l.steps[value]!;
  if (/ttention$/.test(sourceOf(l, value).op) && source0.shape[0] === a * b) {
    const [h, w] = [a * c, b * d];
    const attributes = { h, w, c: e, wh: c, ww: d, rows: a, columns: b, sy: 0, sx: 0, modh: h, modw: w, merge: 0 };
    return l.emit({ op: 'reverse', inputs: [value], shape: [h, w, e], a: attributes });
  }
  const [h, w] = [a * b, c * d];
  if (source0.shape.length !== 3 || source0.shape[0] !== h || source0.shape[1] !== w) return undefined;
  let source = value;
  const shift = [0, 0];
  for (let step = l.steps[source]!; step.op === 'roll' && step.a.axis! < 2 && shift[step.a.axis!] === 0; step = l.steps[source]!) {
    shift[step.a.axis!] = step.a.shift!;
    source = step.inputs[0]!;
  }
  const attributes = { h, w, c: e, wh: b, ww: d, rows: a, columns: c, sy: shift[0]!, sx: shift[1]!, modh: h, modw: w, merge: 0 };
  return l.emit({ op: 'partition', inputs: [source], shape: [a * c, b * d, e], a: attributes });
}

/** A rolled map that comes out of windows is put together rolled. */
export function rolledBack(l: Lowering, value: number, axis: number, shift: number): number | undefined {
  const step = l.steps[value]!;
  const [key, size] = axis === 0 ? (['sy', 'h'] as const) : (['sx', 'w'] as const);
  if (step.op !== 'reverse' || axis > 1 || step.a[key] !== 0) return undefined;
  return l.emit({ op: 'reverse', inputs: step.inputs, shape: step.shape, a: { ...step.a, [key]: step.a[size]! - shift } });
}
