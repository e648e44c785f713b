import { RotaryArg, RotaryTableArg, WaveTableArg } from '../abi/ops/rotary';
import { address, float, int } from '../engine/argument';
import { cosPi, exp64, log64 } from '../engine/math';
import { first, last } from '../engine/team';

/**
 * Rotary: pairs of channels turned by the angles of their row (RoFormer, arXiv 2104.09864; abi/ops/rotary.ts). Y may be X; nothing else overlaps.
 * Threads share the rows. Moves 8 bytes an element.
 */
export function rotary(p: usize): void {
  const t = int(p, RotaryArg.T);
  const heads = int(p, RotaryArg.HEADS);
  const d = int(p, RotaryArg.D);
  const turned = int(p, RotaryArg.TURNED);
  const from = int(p, RotaryArg.FIRST);
  const neighbours = int(p, RotaryArg.NEIGHBOURS) != 0;
  const sign: f32 = int(p, RotaryArg.BACK) ? -1 : 1;
  const head = (<usize>d) << 2;
  const row = <usize>heads * head;
  const rows = int(p, RotaryArg.BATCH) * t;
  for (let m = first(rows), end = last(rows); m < end; m++) {
    const x = address(p, RotaryArg.X) + <usize>m * row;
    const y = address(p, RotaryArg.Y) + <usize>m * row;
    if (x != y) memory.copy(y, x, row);
    if (m % t < from) continue;
    const cosines = address(p, RotaryArg.TABLE) + ((<usize>((m % t) - from) * <usize>turned) << 2);
    for (let h = 0; h < heads; h++) {
      if (neighbours) turnNeighbours(y + <usize>h * head, cosines, turned >> 1, sign);
      else turnHalves(y + <usize>h * head, cosines, turned >> 1, sign);
    }
  }
}

/** Turns `n` pairs (i, i + n) where they lie. */
function turnHalves(y: usize, cosines: usize, n: i32, sign: f32): void {
  const half = (<usize>n) << 2;
  const sines = cosines + half;
  const s4 = f32x4.splat(sign);
  let i: usize = 0;
  for (; i + 16 <= half; i += 16) {
    const u = v128.load(y + i);
    const v = v128.load(y + half + i);
    const c = v128.load(cosines + i);
    const s = f32x4.mul(v128.load(sines + i), s4);
    v128.store(y + i, f32x4.sub(f32x4.mul(u, c), f32x4.mul(v, s)));
    v128.store(y + half + i, f32x4.add(f32x4.mul(v, c), f32x4.mul(u, s)));
  }
  for (; i < half; i += 4) turn(y + i, y + half + i, load<f32>(cosines + i), load<f32>(sines + i) * sign);
}

/** Turns `n` pairs (2i, 2i + 1) where they lie. */
function turnNeighbours(y: usize, cosines: usize, n: i32, sign: f32): void {
  const sines = cosines + ((<usize>n) << 2);
  for (let i: usize = 0, end = (<usize>n) << 2; i < end; i += 4)
    turn(y + 2 * i, y + 2 * i + 4, load<f32>(cosines + i), load<f32>(sines + i) * sign);
}

@inline function turn(first: usize, second: usize, c: f32, s: f32): void {
  const u = load<f32>(first);
  const v = load<f32>(second);
  store<f32>(first, u * c - v * s);
  store<f32>(second, v * c + u * s);
}

/** RotaryTable: cosines and sines of a grid's positions, in f64, rounded once. Threads share the positions. */
export function rotaryTable(p: usize): void {
  const h = int(p, RotaryTableArg.H);
  const w = int(p, RotaryTableArg.WIDTH);
  const bands = int(p, RotaryTableArg.BANDS);
  const theta = log64(<f64>float(p, RotaryTableArg.THETA));
  const scale = <f64>float(p, RotaryTableArg.SCALE);
  const centred = int(p, RotaryTableArg.CENTRED) != 0;
  for (let at = first(h * w), end = last(h * w); at < end; at++) {
    const cosines = address(p, RotaryTableArg.Y) + ((<usize>at * <usize>bands) << 4);
    const sines = cosines + ((<usize>bands) << 3);
    const down = place(at / w, h, scale, centred);
    const across = place(at % w, w, scale, centred);
    for (let k = 0; k < 2 * bands; k++) {
      const turns = ((k < bands ? down : across) * exp64((<f64>-(k % bands) / <f64>bands) * theta)) / 3.141592653589793;
      store<f32>(cosines + ((<usize>k) << 2), <f32>cosPi(turns));
      store<f32>(sines + ((<usize>k) << 2), <f32>cosPi(turns - 0.5));
    }
  }
}

@inline function place(i: i32, size: i32, scale: f64, centred: bool): f64 {
  return centred ? scale * ((2 * <f64>i + 1) / <f64>size - 1) : scale * <f64>i;
}

/** WaveTable: sines and cosines of a grid's places, side by side, in f64, rounded once. Threads share the positions. */
export function waveTable(p: usize): void {
  const h = int(p, WaveTableArg.H);
  const w = int(p, WaveTableArg.WIDTH);
  const bands = int(p, WaveTableArg.BANDS);
  const theta = log64(<f64>float(p, WaveTableArg.THETA));
  const scale = <f64>float(p, WaveTableArg.SCALE);
  for (let at = first(h * w), end = last(h * w); at < end; at++) {
    const row = address(p, WaveTableArg.Y) + ((<usize>at * <usize>bands) << 4);
    const down = (scale * <f64>(at / w + 1)) / <f64>h;
    const across = (scale * <f64>((at % w) + 1)) / <f64>w;
    for (let k = 0; k < 2 * bands; k++) {
      const turns = ((k < bands ? down : across) * exp64((<f64>-(k % bands) / <f64>bands) * theta)) / 3.141592653589793;
      store<f32>(row + ((<usize>k) << 3), <f32>cosPi(turns - 0.5));
      store<f32>(row + ((<usize>k) << 3) + 4, <f32>cosPi(turns));
    }
  }
}
