/** ONNX files written here, field by field (onnx.proto): nothing of them comes from a library. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder } from './folder.ts';

export type Bytes = number[];

export function varint(value: number | bigint): Bytes {
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: Bytes = [];
  do {
    out.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return out;
}

export const number = (id: number, value: number | bigint): Bytes => [...varint(id * 8), ...varint(value)];
export const message = (id: number, ...parts: Bytes[]): Bytes => {
  const body = parts.flat();
  return [...varint(id * 8 + 2), ...varint(body.length), ...body];
};
export const text = (id: number, value: string): Bytes => message(id, [...new TextEncoder().encode(value)]);
export const f32s = (values: readonly number[]): Bytes => [...new Uint8Array(Float32Array.from(values).buffer)];

export const floatTensor = (id: number, name: string, shape: readonly number[], values: readonly number[]): Bytes =>
  message(id, ...shape.map((d) => number(1, d)), number(2, 1), text(8, name), message(9, f32s(values)));
export const intTensor = (id: number, name: string, values: readonly number[]): Bytes =>
  message(
    id,
    number(1, values.length),
    number(2, 7),
    text(8, name),
    message(
      7,
      values.flatMap((v) => varint(v)),
    ),
  );
export const ints = (name: string, values: readonly number[]): Bytes =>
  message(5, text(1, name), ...values.map((v) => number(8, v)), number(20, 7));
export const int = (name: string, value: number): Bytes => message(5, text(1, name), number(3, value), number(20, 2));
export const node = (op: string, inputs: readonly string[], outputs: readonly string[], ...attributes: Bytes[]): Bytes =>
  message(1, ...inputs.map((i) => text(1, i)), ...outputs.map((o) => text(2, o)), text(3, `the ${op}`), text(4, op), ...attributes);
/** A port of floats; an axis is a number, a name, or open. */
export const port = (id: 11 | 12, name: string, shape: readonly (number | string)[], element = 1): Bytes =>
  message(
    id,
    text(1, name),
    message(
      2,
      message(1, number(1, element), message(2, ...shape.map((d) => message(1, typeof d === 'number' ? number(1, d) : text(2, d))))),
    ),
  );

export interface ModelParts {
  graph: Bytes[];
  opset?: number;
  more?: Bytes[];
}

export const modelBytes = ({ graph, opset = 17, more = [] }: ModelParts): Uint8Array =>
  Uint8Array.from([...number(1, 8), ...message(7, ...graph), ...message(8, text(1, ''), number(2, opset)), ...more.flat()]);

/** Writes bytes into a folder of their own and returns the file's path. */
export function onnxFile(bytes: Uint8Array, name = 'model.onnx'): string {
  const path = join(newFolder(), name);
  writeFileSync(path, bytes);
  return path;
}

/** A smallest network: a mean over the picture, and a head on it. */
export const smallest = (...extra: Bytes[]): Bytes[] => [
  node('GlobalAveragePool', ['x'], ['p']),
  node('Flatten', ['p'], ['f']),
  node('Gemm', ['f', 'w', 'b'], ['y'], int('transB', 1)),
  floatTensor(5, 'w', [2, 3], [1, 2, 3, 4, 5, 6]),
  floatTensor(5, 'b', [2], [0.5, -0.5]),
  port(11, 'x', [1, 3, 8, 8]),
  port(12, 'y', [1, 2]),
  ...extra,
];
