/** The longer of the operators that are computed where all operands are known: parts of constants, and constants put together. */
import { elements } from '../../base/tensor.ts';
import { axisOf, type Call, intsOf, sliceRanges, splitSizes } from './call.ts';
import { type Constant, constant, picked, strides, walk } from './constant.ts';

export function gather(call: Call<Constant>): Constant[] {
  const [x, index] = [call.at(0), call.at(1)];
  const axis = axisOf(call, call.int('axis', 0), x.shape.length);
  const size = x.shape[axis]!;
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  return [
    constant([...before, ...index.shape, ...after], x.integer, () => {
      const [numbers, indices] = [x.numbers(), index.numbers()];
      const [outer, inner] = [elements(before), elements(after)];
      const out = new Float64Array(outer * indices.length * inner);
      let to = 0;
      for (let o = 0; o < outer; o++)
        for (const i of indices) {
          const at = i < 0 ? i + size : i;
          if (!(at >= 0 && at < size)) throw call.fault('an index lies outside its axis', `${i} of ${size}`);
          for (let j = 0; j < inner; j++) out[to++] = numbers[(o * size + at) * inner + j]!;
        }
      return out;
    }),
  ];
}

export function concat(call: Call<Constant>): Constant[] {
  const parts = call.inputs.map((_, i) => call.at(i));
  const axis = axisOf(call, call.int('axis', 0), parts[0]!.shape.length);
  const length = parts.reduce((n, p) => n + p.shape[axis]!, 0);
  const shape = parts[0]!.shape.map((d, i) => (i === axis ? length : d));
  return [
    constant(
      shape,
      parts.every((p) => p.integer),
      () => {
        const outer = elements(shape.slice(0, axis));
        const numbers = parts.map((p) => p.numbers());
        const out = new Float64Array(elements(shape));
        let to = 0;
        for (let o = 0; o < outer; o++)
          for (const list of numbers) {
            const n = list.length / outer;
            out.set(list.subarray(o * n, (o + 1) * n), to);
            to += n;
          }
        return out;
      },
    ),
  ];
}

export function slice(call: Call<Constant>): Constant[] {
  const x = call.at(0);
  const own = strides(x.shape);
  const shape = [...x.shape];
  const steps = [...own];
  let start = 0;
  for (const { axis, from, count, step } of sliceRanges(call, x.shape)) {
    shape[axis] = count;
    steps[axis] = own[axis]! * step;
    start += own[axis]! * from;
  }
  return [picked(x, shape, steps, start)];
}

export function split(call: Call<Constant>): Constant[] {
  const x = call.at(0);
  const axis = axisOf(call, call.int('axis', 0), x.shape.length);
  const own = strides(x.shape);
  let start = 0;
  return splitSizes(call, x.shape[axis]!).map((size) => {
    const part = picked(
      x,
      x.shape.map((d, i) => (i === axis ? size : d)),
      own,
      start * own[axis]!,
    );
    start += size;
    return part;
  });
}

export function range({ at, fault }: Call<Constant>): Constant[] {
  const [start, end, step] = [0, 1, 2].map((i) => at(i).numbers()[0]!) as [number, number, number];
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (!(count <= 1 << 20)) throw fault('too long a range', `${start} to ${end} by ${step}`);
  return [constant([count], at(0).integer, () => Float64Array.from({ length: count }, (_, i) => start + i * step))];
}

export function pad(call: Call<Constant>): Constant[] {
  const x = call.at(0);
  const rank = x.shape.length;
  if (call.text('mode', 'constant') !== 'constant')
    throw call.fault('pads a constant by another rule than a constant', call.text('mode', ''));
  const pads = intsOf(call, 1, 'pads') ?? [];
  const value = call.has(2) ? call.at(2).numbers()[0]! : 0;
  const shape = x.shape.map((d, i) => d + pads[i]! + pads[i + rank]!);
  if (pads.some((p) => p < 0)) throw call.fault('pads by less than nothing', `[${pads}]`);
  return [
    constant(shape, x.integer, () => {
      const own = strides(shape);
      const out = new Float64Array(elements(shape)).fill(value);
      const to = walk(
        x.shape,
        own,
        own.reduce((n, s, i) => n + s * pads[i]!, 0),
      );
      x.numbers().forEach((v, i) => {
        out[to[i]!] = v;
      });
      return out;
    }),
  ];
}

export function scatterNd(call: Call<Constant>): Constant[] {
  const [x, index, updates] = [call.at(0), call.at(1), call.at(2)];
  const depth = index.shape.at(-1)!;
  return [
    constant(x.shape, x.integer, () => {
      const [out, indices, values] = [Float64Array.from(x.numbers()), index.numbers(), updates.numbers()];
      const own = strides(x.shape);
      const inner = elements(x.shape.slice(depth));
      for (let i = 0; i * depth < indices.length; i++) {
        let at = 0;
        for (let d = 0; d < depth; d++) {
          const k = indices[i * depth + d]!;
          at += own[d]! * (k < 0 ? k + x.shape[d]! : k);
        }
        for (let j = 0; j < inner; j++) out[at + j] = values[i * inner + j]!;
      }
      return out;
    }),
  ];
}

export function matMul(call: Call<Constant>): Constant[] {
  const [a, b] = [call.at(0), call.at(1)];
  if (a.shape.length < 2 || b.shape.length !== 2) throw call.fault('multiplies constants of such shapes', `[${a.shape}] and [${b.shape}]`);
  const [k, n] = b.shape as [number, number];
  const shape = [...a.shape.slice(0, -1), n];
  return [
    constant(shape, false, () => {
      const [x, y] = [a.numbers(), b.numbers()];
      const out = new Float64Array(elements(shape));
      for (let i = 0; i < out.length / n; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let c = 0; c < k; c++) sum += x[i * k + c]! * y[c * n + j]!;
          out[i * n + j] = sum;
        }
      return out;
    }),
  ];
}

interface Channels {
  n: number;
  c: number;
  inner: number;
  eps: number;
}

export function standardised(x: Float64Array, { n, c, inner, eps }: Channels, gamma: Float64Array, beta: Float64Array): Float64Array {
  const out = new Float64Array(x.length);
  for (let k = 0; k < c; k++) {
    let [sum, squares] = [0, 0];
    const each = (f: (at: number) => void): void => {
      for (let i = 0; i < n; i++) for (let j = 0; j < inner; j++) f((i * c + k) * inner + j);
    };
    each((at) => {
      sum += x[at]!;
    });
    const mean = sum / (n * inner);
    each((at) => {
      squares += (x[at]! - mean) ** 2;
    });
    const factor = gamma[k]! / Math.sqrt(squares / (n * inner) + eps);
    each((at) => {
      out[at] = (x[at]! - mean) * factor + beta[k]!;
    });
  }
  return out;
}
