/** Numbers that an engine holds ready: weights as its init phase has made them, what was learnt, constants. */
import { Encoding } from '../../../assembly/abi/weights.ts';
import { type Graph, nodesOf, numel, valueAt } from '../../graph/graph.ts';
import type { Known } from './writer.ts';

const up16 = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/** Codes and scales of an Int8 weight at `at` (abi/weights.ts). */
function int8(memory: ArrayBuffer, at: number, rows: number, count: number): { codes: Int8Array; scales: Float32Array } {
  return { scales: new Float32Array(memory, at, rows), codes: new Int8Array(memory, at + up16(4 * rows), count) };
}

/** Int4: groups of 64 along a row, each with a scale; blocks of 32 codes in 16 bytes. */
function fromInt4(memory: ArrayBuffer, at: number, rows: number, k: number): Float32Array {
  const [groups, blocks] = [Math.ceil(k / 64), Math.ceil(k / 32)];
  const scales = new Float32Array(memory, at, rows * groups);
  const codes = new Uint8Array(memory, at + up16(4 * rows * groups), rows * blocks * 16);
  return Float32Array.from({ length: rows * k }, (_, n) => {
    const [row, i] = [Math.floor(n / k), n % k];
    const byte = codes[(row * blocks + Math.floor(i / 32)) * 16 + (i % 16)]!;
    return scales[row * groups + Math.floor(i / 64)]! * ((i % 32 < 16 ? byte & 15 : byte >> 4) - 8);
  });
}

/** Int12: a scale for each row; blocks of 16 codes in 24 bytes. */
function fromInt12(memory: ArrayBuffer, at: number, rows: number, k: number): Float32Array {
  const blocks = Math.ceil(k / 16);
  const scales = new Float32Array(memory, at, rows);
  const codes = new DataView(memory, at + up16(4 * rows), rows * blocks * 24);
  return Float32Array.from({ length: rows * k }, (_, n) => {
    const [row, i] = [Math.floor(n / k), n % k];
    const block = (row * blocks + Math.floor(i / 16)) * 24;
    const low = codes.getUint8(block + 16 + (i % 8));
    return scales[row]! * (codes.getInt8(block + (i % 16)) * 16 + (i % 16 < 8 ? low & 15 : low >> 4));
  });
}

/**
 * What of a graph's values does not depend on the picture. `offsets`: where each lies in `memory`, of an engine whose weights are loaded. What evaluation
 * itself makes of such values alone (a prompt, of its two factors) is not among them.
 */
export function knownIn(graph: Graph, offsets: readonly number[], memory: ArrayBuffer): (id: number) => Known | undefined {
  const made = new Set(nodesOf(graph).flatMap(({ phase, outputs }) => (phase === 'eval' ? outputs : [])));
  return (id) => {
    const { role, type, data } = valueAt(graph, id);
    if (made.has(id) || !['frozen', 'param', 'table'].includes(role)) return undefined;
    const { shape, encoding = Encoding.F32 } = type;
    if (data !== undefined) return { floats: () => new Float32Array(data.slice().buffer) };
    const at = offsets[id]!;
    const count = numel(shape);
    const [rows] = shape as [number];
    if (encoding === Encoding.F32) return { floats: () => new Float32Array(memory, at, count) };
    if (encoding === Encoding.Int4) return { floats: () => fromInt4(memory, at, rows, count / rows) };
    if (encoding === Encoding.Int12) return { floats: () => fromInt12(memory, at, rows, count / rows) };
    const codes = (): { codes: Int8Array; scales: Float32Array } => int8(memory, at, rows, count);
    return {
      int8: codes,
      floats() {
        const { codes: list, scales } = codes();
        return Float32Array.from(list, (code, n) => code * scales[Math.floor(n / (count / rows))]!);
      },
    };
  };
}
