/**
 * What the depthwise kernels are measured against: im2col, one output row at a time so that the patches [OH, 9, C] stay in the cache,
 * zeros for the padding, then one dot product a channel. x[H,H,C], w[9,C], y[OH,OH,C], one zero before each axis; C a multiple of 4. Not
 * part of the engine.
 */
export function im2colDepthwise(x: usize, w: usize, y: usize, h: i32, c: i32, oh: i32, stride: i32, patches: usize): void {
  const cell = (<usize>c) << 2;
  for (let oy = 0; oy < oh; oy++) {
    let to = patches;
    for (let ox = 0; ox < oh; ox++) {
      for (let r = 0; r < 3; r++) {
        for (let s = 0; s < 3; s++) {
          const iy = oy * stride - 1 + r;
          const ix = ox * stride - 1 + s;
          const inside = iy >= 0 && iy < h && ix >= 0 && ix < h;
          copy(inside ? x + <usize>(iy * h + ix) * cell : 0, to, cell);
          to += cell;
        }
      }
    }
    for (let ox = 0; ox < oh; ox++) {
      dots(patches + <usize>ox * 9 * cell, w, y, cell);
      y += cell;
    }
  }
}

/** A copy by vectors (a call of memory.copy for so few bytes is slower); from 0 it writes zeros. */
function copy(from: usize, to: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, from != 0 ? v128.load(from + at) : f32x4.splat(0));
}

function dots(patch: usize, w: usize, y: usize, cell: usize): void {
  for (let at: usize = 0; at < cell; at += 16) {
    let a = patch + at;
    let b = w + at;
    let sum = f32x4.splat(0);
    for (let tap = 0; tap < 9; tap++) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(a), v128.load(b)));
      a += cell;
      b += cell;
    }
    v128.store(y + at, sum);
  }
}
