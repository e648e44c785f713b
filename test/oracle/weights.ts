/** Weights in 8 and 4 bits as assembly/abi/weights.ts draws them, written number by number. */
import { Encoding } from '../../assembly/abi/weights.ts';
import { codedBytes } from '../../src/groups.ts';

const { fround } = Math;

/** Where everything of a weight of `o` channels by `k` numbers lies. */
interface Places {
  /** Byte of the scale of number i of channel c. */
  scale(c: number, i: number): number;
  /** Byte of its code, and the first bit in it. */
  code(c: number, i: number): readonly [byte: number, bit: number];
}

function places(encoding: Encoding, o: number, k: number): Places {
  const groups = encoding === Encoding.Int4 ? Math.ceil(k / 64) : 1;
  const codes = Math.ceil((4 * o * groups) / 16) * 16;
  const scale = (c: number, i: number): number => 4 * (c * groups + (encoding === Encoding.Int4 ? i >> 6 : 0));
  if (encoding === Encoding.Int4)
    return { scale, code: (c, i) => [codes + c * Math.ceil(k / 32) * 16 + (i >> 5) * 16 + (i % 16), i & 16 ? 4 : 0] };
  return { scale, code: (c, i) => [codes + (encoding === Encoding.Int8Depthwise ? i * o + c : c * k + i), 0] };
}

/** Number i of channel c in the f32 tensor. */
const element = (encoding: Encoding, o: number, k: number, c: number, i: number): number =>
  encoding === Encoding.Int8Depthwise ? i * o + c : c * k + i;

/** The nearest whole number, halves to even. */
function nearest(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

/** f32 numbers in the tensor's order → bytes. */
export function encodeWeight(encoding: Encoding, o: number, k: number, data: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(codedBytes(encoding, o, k));
  const view = new DataView(bytes.buffer);
  const { scale, code } = places(encoding, o, k);
  const size = encoding === Encoding.Int4 ? 64 : k;
  if (encoding === Encoding.Int4) bytes.fill(0x88, places(encoding, o, k).code(0, 0)[0]);
  for (let c = 0; c < o; c++)
    for (let start = 0; start < k; start += size) {
      const group = Array.from({ length: Math.min(size, k - start) }, (_, j) => fround(data[element(encoding, o, k, c, start + j)]!));
      const most = group.reduce((m, v) => (Math.abs(v) > Math.abs(m) ? v : m), 0);
      const far = Math.abs(most) < 1e-30 ? 0 : most;
      const unit = fround(encoding === Encoding.Int4 ? far / -8 : Math.abs(far) / 127);
      const factor = unit === 0 ? 0 : fround(1 / unit);
      view.setFloat32(scale(c, start), unit, true);
      group.forEach((v, j) => {
        const [byte, bit] = code(c, start + j);
        const whole = nearest(fround(v * factor));
        if (encoding !== Encoding.Int4) view.setInt8(byte, Math.max(-127, Math.min(127, whole)));
        else bytes[byte] = (bytes[byte]! & (0xf0 >> bit)) | ((Math.max(-8, Math.min(7, whole)) + 8) << bit);
      });
    }
  return bytes;
}

/** Bytes → the f32 numbers that kernels compute with. */
export function decodeWeight(encoding: Encoding, o: number, k: number, bytes: Uint8Array): Float32Array {
  const out = new Float32Array(o * k);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { scale, code } = places(encoding, o, k);
  for (let c = 0; c < o; c++)
    for (let i = 0; i < k; i++) {
      const [byte, bit] = code(c, i);
      const whole = encoding === Encoding.Int4 ? ((bytes[byte]! >> bit) & 15) - 8 : view.getInt8(byte);
      out[element(encoding, o, k, c, i)] = fround(view.getFloat32(scale(c, i), true) * whole);
    }
  return out;
}
