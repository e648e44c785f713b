/**
 * The engine's own mathematics: AssemblyScript's Math carries tables, and the engine may have no data section.
 *
 * The coefficients of the vector functions lie in the head (`setup` writes them) and are read with load32_splat: a splat of an
 * immediate inside a loop costs two instructions per use, this costs one. So a kernel says `const t = constants()` once at its top
 * and hands `t` down. Fitted by tools/fit-math.mjs; NaN goes through every function, infinities give the limits.
 */
import { Head } from '../abi/head';
import { base } from './team';

/** Byte offsets of the constants from `constants()`. Polynomials highest power first. */
export const enum Constant {
  // exp
  ExpHigh = 0,
  ExpLow = 4,
  Log2E = 8,
  /** 1.5·2^23 + 127: adding it rounds to an integer, and leaves that integer's exponent bits at the bottom of the word. */
  Round = 12,
  Ln2High = 16,
  Ln2Low = 20,
  Exp = 24,
  One = 44,
  // Φ(x) - 1/2
  CdfHigh = 48,
  CdfLow = 52,
  CdfP = 56,
  CdfQ = 80,
  // tanh
  TanhHigh = 104,
  TanhLow = 108,
  TanhP = 112,
  TanhQ = 132,
  // of the activations
  Half = 152,
  SqrtTwo = 156,
  Density = 160,
  MinusHalf = 164,
  High = 168,
  Low = 172,
  GeluCubic = 176,
  GeluLinear = 180,
  GeluCubic3 = 184,
  Three = 188,
  MinusThree = 192,
  Six = 196,
  Sixth = 200,
  Third = 204,
  Leak = 208,
  Two = 212,
  Twenty = 216,
  Quick = 220,
  SeluRight = 224,
  SeluLeft = 228,
  // log(1 + u): 2/13, 2/11 … 2/3
  Log1p = 232,
}

/** Where the vector functions find their constants. */
@inline export function constants(): usize {
  return base + Head.Math;
}

/** Writes the math constants into the head; called once by `setup`. */
export function writeConstants(): void {
  const t = constants();
  store<f32>(t, 89.0, Constant.ExpHigh);
  store<f32>(t, -88.0, Constant.ExpLow);
  store<f32>(t, 1.44269504, Constant.Log2E);
  store<f32>(t, 12583039.0, Constant.Round);
  store<f32>(t, 0.693359375, Constant.Ln2High);
  store<f32>(t, -2.1219444e-4, Constant.Ln2Low);
  store<f32>(t, 0.00138145708, Constant.Exp);
  store<f32>(t, 0.00836873055, Constant.Exp + 4);
  store<f32>(t, 0.041668389, Constant.Exp + 8);
  store<f32>(t, 0.166665211, Constant.Exp + 12);
  store<f32>(t, 0.49999994, Constant.Exp + 16);
  store<f32>(t, 1.0, Constant.One);
  // From 5.5 (8.75 for tanh) on, the rounded quotient is exactly 1/2 (1), so both functions saturate cleanly.
  store<f32>(t, 5.5, Constant.CdfHigh);
  store<f32>(t, -5.5, Constant.CdfLow);
  store<f32>(t, 2.21449987e-8, Constant.CdfP);
  store<f32>(t, 6.3564994e-6, Constant.CdfP + 4);
  store<f32>(t, 1.73851688e-4, Constant.CdfP + 8);
  store<f32>(t, 0.00470726611, Constant.CdfP + 12);
  store<f32>(t, 0.034376245, Constant.CdfP + 16);
  store<f32>(t, 0.398942232, Constant.CdfP + 20);
  store<f32>(t, 1.18020012e-6, Constant.CdfQ);
  store<f32>(t, 7.51020052e-5, Constant.CdfQ + 4);
  store<f32>(t, 0.00191298441, Constant.CdfQ + 8);
  store<f32>(t, 0.0289401617, Constant.CdfQ + 12);
  store<f32>(t, 0.252834171, Constant.CdfQ + 16);
  store<f32>(t, 1.0, Constant.CdfQ + 20);
  store<f32>(t, 8.75, Constant.TanhHigh);
  store<f32>(t, -8.75, Constant.TanhLow);
  store<f32>(t, 1.33632767e-8, Constant.TanhP);
  store<f32>(t, 2.06014211e-5, Constant.TanhP + 4);
  store<f32>(t, 0.00349449087, Constant.TanhP + 8);
  store<f32>(t, 0.133798733, Constant.TanhP + 12);
  store<f32>(t, 0.99999994, Constant.TanhP + 16);
  store<f32>(t, 7.77602338e-7, Constant.TanhQ);
  store<f32>(t, 3.28429247e-4, Constant.TanhQ + 4);
  store<f32>(t, 0.0258721169, Constant.TanhQ + 8);
  store<f32>(t, 0.467131734, Constant.TanhQ + 12);
  store<f32>(t, 1.0, Constant.TanhQ + 16);
  store<f32>(t, 0.5, Constant.Half);
  store<f32>(t, 1.41421356, Constant.SqrtTwo);
  store<f32>(t, 0.39894228, Constant.Density); // 1/√2π
  store<f32>(t, -0.5, Constant.MinusHalf);
  // Beyond these every activation has reached its limit.
  store<f32>(t, 90.0, Constant.High);
  store<f32>(t, -90.0, Constant.Low);
  store<f32>(t, 0.0713548163, Constant.GeluCubic); // 2·√(2/π)·0.044715
  store<f32>(t, 1.59576912, Constant.GeluLinear); // 2·√(2/π)
  store<f32>(t, 0.214064449, Constant.GeluCubic3);
  store<f32>(t, 3.0, Constant.Three);
  store<f32>(t, -3.0, Constant.MinusThree);
  store<f32>(t, 6.0, Constant.Six);
  store<f32>(t, 1.0 / 6.0, Constant.Sixth);
  store<f32>(t, 1.0 / 3.0, Constant.Third);
  store<f32>(t, 0.01, Constant.Leak);
  store<f32>(t, 2.0, Constant.Two);
  store<f32>(t, 20.0, Constant.Twenty);
  store<f32>(t, 1.702, Constant.Quick);
  store<f32>(t, 1.05070099, Constant.SeluRight);
  store<f32>(t, 1.75809934, Constant.SeluLeft);
  for (let i = 0; i < 6; i++) store<f32>(t + ((<usize>i) << 2), <f32>(2.0 / <f64>(13 - 2 * i)), Constant.Log1p);
}

/** a·b + c: two instructions, or one fused in the fast build. */
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD && !isDefined(SEPARATE_SUMS) ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** Sum of the four lanes, (0+2)+(1+3). */
@inline export function sum4(v: v128): f32 {
  const pair = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

/** The constant at `offset`, in all four lanes. */
@inline export function k4(t: usize, offset: usize): v128 {
  return v128.load32_splat(t + offset);
}

/** e^x, relative error under 2e-7; 0 below -87.68, +∞ from 88.38 on. (pmin and pmax keep a NaN that stands first.) */
@inline export function exp4(x: v128, t: usize): v128 {
  x = f32x4.pmax(f32x4.pmin(x, k4(t, Constant.ExpHigh)), k4(t, Constant.ExpLow));
  const round = k4(t, Constant.Round);
  const bits = madd(x, k4(t, Constant.Log2E), round);
  const n = f32x4.sub(bits, round);
  // r = x - n·ln 2, ln 2 in two parts so that the first product is exact.
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, k4(t, Constant.Ln2High))), f32x4.mul(n, k4(t, Constant.Ln2Low)));
  let p = madd(k4(t, Constant.Exp), r, k4(t, Constant.Exp + 4));
  p = madd(p, r, k4(t, Constant.Exp + 8));
  p = madd(p, r, k4(t, Constant.Exp + 12));
  p = madd(p, r, k4(t, Constant.Exp + 16));
  p = madd(p, f32x4.mul(r, r), r);
  // The shift makes 2^n of the biased exponent: 0 for n = -127, +∞ for 128.
  return f32x4.mul(f32x4.add(p, k4(t, Constant.One)), i32x4.shl(bits, 23));
}

/** Φ(x) - 1/2 = erf(x/√2)/2 of the standard normal distribution, absolute error under 2e-7. */
@inline export function cdf4(x: v128, t: usize): v128 {
  x = f32x4.pmax(f32x4.pmin(x, k4(t, Constant.CdfHigh)), k4(t, Constant.CdfLow));
  const s = f32x4.mul(x, x);
  let p = madd(k4(t, Constant.CdfP), s, k4(t, Constant.CdfP + 4));
  let q = madd(k4(t, Constant.CdfQ), s, k4(t, Constant.CdfQ + 4));
  p = madd(p, s, k4(t, Constant.CdfP + 8));
  q = madd(q, s, k4(t, Constant.CdfQ + 8));
  p = madd(p, s, k4(t, Constant.CdfP + 12));
  q = madd(q, s, k4(t, Constant.CdfQ + 12));
  p = madd(p, s, k4(t, Constant.CdfP + 16));
  q = madd(q, s, k4(t, Constant.CdfQ + 16));
  p = madd(p, s, k4(t, Constant.CdfP + 20));
  q = madd(q, s, k4(t, Constant.CdfQ + 20));
  return f32x4.div(f32x4.mul(p, x), q);
}

/** erf x, absolute error under 3e-7. */
@inline export function erf4(x: v128, t: usize): v128 {
  const c = cdf4(f32x4.mul(x, k4(t, Constant.SqrtTwo)), t);
  return f32x4.add(c, c);
}

/** tanh x, absolute error under 3e-7. */
@inline export function tanh4(x: v128, t: usize): v128 {
  x = f32x4.pmax(f32x4.pmin(x, k4(t, Constant.TanhHigh)), k4(t, Constant.TanhLow));
  const s = f32x4.mul(x, x);
  let p = madd(k4(t, Constant.TanhP), s, k4(t, Constant.TanhP + 4));
  let q = madd(k4(t, Constant.TanhQ), s, k4(t, Constant.TanhQ + 4));
  p = madd(p, s, k4(t, Constant.TanhP + 8));
  q = madd(q, s, k4(t, Constant.TanhQ + 8));
  p = madd(p, s, k4(t, Constant.TanhP + 12));
  q = madd(q, s, k4(t, Constant.TanhQ + 12));
  p = madd(p, s, k4(t, Constant.TanhP + 16));
  q = madd(q, s, k4(t, Constant.TanhQ + 16));
  return f32x4.div(f32x4.mul(p, x), q);
}

/** 1/(1 + e^-x), relative error under 4e-7 (to the left too, where tanh would cancel). */
@inline export function sigmoid4(x: v128, t: usize): v128 {
  const one = k4(t, Constant.One);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x), t)));
}

/** log(1 + u) for u from 0 to 1, relative error under 3e-7: 2·artanh s with s = u/(u + 2), at most 1/3, by its series to s^13. */
@inline export function log1p4(u: v128, t: usize): v128 {
  const two = k4(t, Constant.Two);
  const s = f32x4.div(u, f32x4.add(u, two));
  const z = f32x4.mul(s, s);
  let p = madd(k4(t, Constant.Log1p), z, k4(t, Constant.Log1p + 4));
  p = madd(p, z, k4(t, Constant.Log1p + 8));
  p = madd(p, z, k4(t, Constant.Log1p + 12));
  p = madd(p, z, k4(t, Constant.Log1p + 16));
  p = madd(p, z, k4(t, Constant.Log1p + 20));
  p = madd(p, z, two);
  return f32x4.mul(s, p);
}

// Scalars, f64: schedules, random numbers, losses. Correct to a few ulp, the same bits everywhere.

/** cos(π·x). */
export function cosPi(x: f64): f64 {
  x = abs(x);
  x -= 2.0 * floor(x * 0.5); // [0, 2)
  if (x > 1.0) x = 2.0 - x;
  let sign = 1.0;
  if (x > 0.5) {
    x = 1.0 - x;
    sign = -1.0;
  }
  if (x > 0.25) return sign * sinPiSmall(0.5 - x);
  const s = x * x;
  let p = 4.303069587032947e-6;
  p = p * s - 1.0463810492484571e-4;
  p = p * s + 1.9295743094039231e-3;
  p = p * s - 2.580689139001406e-2;
  p = p * s + 0.2353306303588932;
  p = p * s - 1.3352627688545895;
  p = p * s + 4.0587121264167682;
  p = p * s - 4.9348022005446793;
  return sign * (p * s + 1.0);
}

/** sin(π·x) for |x| <= 1/4: Taylor's series, whose first neglected term is below 1e-17. */
function sinPiSmall(x: f64): f64 {
  const s = x * x;
  let p = 7.9520540014755128e-7;
  p = p * s - 2.1915353447830216e-5;
  p = p * s + 4.6630280576761256e-4;
  p = p * s - 7.3704309457143508e-3;
  p = p * s + 8.2145886611128229e-2;
  p = p * s - 0.59926452932079208;
  p = p * s + 2.5501640398773454;
  p = p * s - 5.16771278004997;
  return (p * s + 3.1415926535897932) * x;
}

/** The natural logarithm; -∞ at 0, NaN below. */
export function log64(x: f64): f64 {
  if (!(x > 0.0)) return x == 0.0 ? -Infinity : NaN;
  if (x == Infinity) return x;
  let exponent = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984.0; // 2^54: subnormals become normal
    exponent = -54;
  }
  let bits = reinterpret<i64>(x);
  exponent += <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent++;
  }
  // log m = 2·artanh s, s = (m-1)/(m+1), |s| < 0.172.
  const s = (m - 1.0) / (m + 1.0);
  const z = s * s;
  let p = 1.0 / 21.0;
  p = p * z + 1.0 / 19.0;
  p = p * z + 1.0 / 17.0;
  p = p * z + 1.0 / 15.0;
  p = p * z + 1.0 / 13.0;
  p = p * z + 1.0 / 11.0;
  p = p * z + 1.0 / 9.0;
  p = p * z + 1.0 / 7.0;
  p = p * z + 1.0 / 5.0;
  p = p * z + 1.0 / 3.0;
  const n = <f64>exponent;
  return n * 0.6931471803691238 + (2.0 * s + (2.0 * s * z * p + n * 1.9082149292705878e-10));
}

/** log(1 + x) for x ≥ 0, as exact for small x as for large. */
export function log1p64(x: f64): f64 {
  // Below, 1 + x would lose x's last digits; the next term of the series is x⁴/4.
  return x < 0.00001 ? x * (1.0 - x * (0.5 - x / 3.0)) : log64(1.0 + x);
}

/** e^x; 0 below -708, +∞ above 709.78. */
export function exp64(x: f64): f64 {
  if (x != x) return x;
  if (x > 709.78) return Infinity;
  if (x < -708.0) return 0.0;
  const n = nearest(x * 1.4426950408889634);
  const r = x - n * 0.6931471803691238 - n * 1.9082149292705878e-10;
  // Taylor's series to r^13, |r| < 0.347.
  let p = 1.0;
  for (let k = 13.0; k > 0.0; k -= 1.0) p = 1.0 + (p * r) / k;
  // 2^n in two factors: n = 1024 has no exponent of its own.
  const half = <i64>n >> 1;
  const rest = <i64>n - half;
  return p * reinterpret<f64>((half + 1023) << 52) * reinterpret<f64>((rest + 1023) << 52);
}
