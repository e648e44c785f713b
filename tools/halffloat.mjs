/** The nearest IEEE half-precision number's 16 bits (ties to even); throws where x is too large for one. */
const view = new DataView(new ArrayBuffer(4));

export function halfBits(x) {
  view.setFloat32(0, x);
  const bits = view.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  // Numbers below half the smallest subnormal half, 2^-25, become zero.
  if (exponent < 102) return sign;
  const mantissa = (bits & 0x7fffff) | 0x800000;
  // How many of the 24 significant bits a half cannot hold: 13, or more below 2^-14.
  const drop = exponent < 113 ? 126 - exponent : 13;
  const kept = mantissa >>> drop;
  const rest = mantissa & ((1 << drop) - 1);
  const half = 1 << (drop - 1);
  const rounded = kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0);
  // A carry out of the significant bits runs into the exponent, as it should.
  const word = exponent < 113 ? rounded : ((exponent - 113) << 10) + rounded;
  if (!Number.isFinite(x) || word >= 0x7c00) throw new RangeError(`${x} is no half-precision number`);
  return sign | word;
}

/** Little-endian f32 numbers → little-endian halves. */
export function toHalf(bytes) {
  const halves = Buffer.alloc(bytes.length / 2);
  for (let i = 0; i < bytes.length; i += 4) halves.writeUInt16LE(halfBits(bytes.readFloatLE(i)), i / 2);
  return halves;
}
