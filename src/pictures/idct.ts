/**
 * The inverse transform of one 8×8 block in integers: the algorithm of Loeffler, Ligtenberg and Moschytz with 13 fraction bits, 2 of
 * which stay between the passes. These are the choices of libjpeg's accurate transform, so the samples are those of most programs, bit for bit.
 */
const FRACTION = 13;
const KEPT = 2;
const fix = (x: number): number => Math.round(x * (1 << FRACTION));

const F0298 = fix(0.298631336);
const F0390 = fix(0.390180644);
const F0541 = fix(0.5411961);
const F0765 = fix(0.765366865);
const F0899 = fix(0.899976223);
const F1175 = fix(1.175875602);
const F1501 = fix(1.50132111);
const F1847 = fix(1.847759065);
const F1961 = fix(1.96157056);
const F2053 = fix(2.053119869);
const F2562 = fix(2.562915447);
const F3072 = fix(3.072711026);

/** By a sample's last ten bits: 128 added, held within 0 to 255. */
const range = Uint8Array.from({ length: 1024 }, (_, i) => Math.max(0, Math.min(255, (i < 512 ? i : i - 1024) + 128)));

const half = new Int32Array(64);

/** One pass over eight numbers, `step` apart; `shift` fraction bits are rounded away. */
function pass(from: Int32Array, at: number, step: number, to: Int32Array, out: number, apart: number, shift: number): void {
  const a0 = from[at]!;
  const a1 = from[at + step]!;
  const a2 = from[at + 2 * step]!;
  const a3 = from[at + 3 * step]!;
  const a4 = from[at + 4 * step]!;
  const a5 = from[at + 5 * step]!;
  const a6 = from[at + 6 * step]!;
  const a7 = from[at + 7 * step]!;
  const round = 1 << (shift - 1);

  // The even part.
  const e = Math.imul(a2 + a6, F0541);
  const t2 = e - Math.imul(a6, F1847);
  const t3 = e + Math.imul(a2, F0765);
  const t0 = (a0 + a4) << FRACTION;
  const t1 = (a0 - a4) << FRACTION;
  const s0 = t0 + t3 + round;
  const s3 = t0 - t3 + round;
  const s1 = t1 + t2 + round;
  const s2 = t1 - t2 + round;

  // The odd part.
  const z5 = Math.imul(a7 + a3 + a5 + a1, F1175);
  const z1 = -Math.imul(a7 + a1, F0899);
  const z2 = -Math.imul(a5 + a3, F2562);
  const z3 = z5 - Math.imul(a7 + a3, F1961);
  const z4 = z5 - Math.imul(a5 + a1, F0390);
  const o0 = Math.imul(a7, F0298) + z1 + z3;
  const o1 = Math.imul(a5, F2053) + z2 + z4;
  const o2 = Math.imul(a3, F3072) + z2 + z3;
  const o3 = Math.imul(a1, F1501) + z1 + z4;

  to[out] = (s0 + o3) >> shift;
  to[out + 7 * apart] = (s0 - o3) >> shift;
  to[out + apart] = (s1 + o2) >> shift;
  to[out + 6 * apart] = (s1 - o2) >> shift;
  to[out + 2 * apart] = (s2 + o1) >> shift;
  to[out + 5 * apart] = (s2 - o1) >> shift;
  to[out + 3 * apart] = (s3 + o0) >> shift;
  to[out + 4 * apart] = (s3 - o0) >> shift;
}

const wanted = new Int32Array(64);
const line = new Int32Array(8);

/** Dequantises and inverts the block at `from`; its eight lines go to `out` from `at` on, `stride` apart. */
export function invert(block: Int16Array, from: number, quantiser: Uint16Array, out: Uint8Array, at: number, stride: number): void {
  let ones = 0;
  for (let i = 1; i < 64; i++) ones |= block[from + i]!;
  if (ones === 0) {
    const flat = range[(((Math.imul(block[from]!, quantiser[0]!) << KEPT) + (1 << (KEPT + 2))) >> (KEPT + 3)) & 1023]!;
    for (let y = 0; y < 8; y++) out.fill(flat, at + y * stride, at + y * stride + 8);
    return;
  }
  for (let i = 0; i < 64; i++) wanted[i] = Math.imul(block[from + i]!, quantiser[i]!);
  for (let u = 0; u < 8; u++) {
    if (
      (wanted[u + 8]! | wanted[u + 16]! | wanted[u + 24]! | wanted[u + 32]! | wanted[u + 40]! | wanted[u + 48]! | wanted[u + 56]!) ===
      0
    ) {
      const flat = wanted[u]! << KEPT;
      for (let v = u; v < 64; v += 8) half[v] = flat;
    } else pass(wanted, u, 8, half, u, 8, FRACTION - KEPT);
  }
  for (let y = 0; y < 8; y++) {
    pass(half, y * 8, 1, line, 0, 1, FRACTION + KEPT + 3);
    const to = at + y * stride;
    for (let x = 0; x < 8; x++) out[to + x] = range[line[x]! & 1023]!;
  }
}
