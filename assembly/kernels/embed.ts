import { EmbedArg, EmbedBackwardArg } from '../abi/ops/tokens';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';

/**
 * Embed: y[B,T,C] = the class token, the distillation token, the patches x[B,P,C], each where present, + pos.
 * T = P + tokens present. With POSROWS = T every row of y has its row of pos[T,C]; with POSROWS = P the extra tokens get none.
 *
 * CLS, DIST [C] and POS may be 0. Y overlaps nothing. Threads share the B·T rows.
 */
export function embed(p: usize): void {
  const x = address(p, EmbedArg.X);
  const cls = address(p, EmbedArg.CLS);
  const dist = address(p, EmbedArg.DIST);
  const pos = address(p, EmbedArg.POS);
  const y = address(p, EmbedArg.Y);
  const patches = int(p, EmbedArg.P);
  const c = int(p, EmbedArg.C);
  const row = (<usize>c) << 2;
  const extra = i32(cls != 0) + i32(dist != 0);
  const tokens = patches + extra;
  const skipped = tokens - int(p, EmbedArg.POSROWS);
  const rows = int(p, EmbedArg.BATCH) * tokens;
  const until = last(rows);
  for (let r = first(rows); r < until; r++) {
    const picture = r / tokens;
    const t = r - picture * tokens;
    let source: usize;
    if (t >= extra) source = x + <usize>(picture * patches + t - extra) * row;
    else source = t == 0 && cls != 0 ? cls : dist;
    const position = pos != 0 && t >= skipped ? pos + <usize>(t - skipped) * row : 0;
    const out = y + <usize>r * row;
    if (position == 0) memory.copy(out, source, row);
    else sum(source, position, out, c);
  }
}

/**
 * EmbedBackward: dx[B,P,C] = dy's patch rows; dcls, ddist [C] and dpos[POSROWS,C] += their rows of dy, summed over pictures in ascending
 * order.
 *
 * DX, DCLS, DDIST, DPOS may be 0 (not wanted); none overlaps DY. Threads share the T rows, each over the whole batch.
 */
export function embedBackward(p: usize): void {
  const dy = address(p, EmbedBackwardArg.DY);
  const dx = address(p, EmbedBackwardArg.DX);
  const dcls = address(p, EmbedBackwardArg.DCLS);
  const ddist = address(p, EmbedBackwardArg.DDIST);
  const dpos = address(p, EmbedBackwardArg.DPOS);
  const batch = int(p, EmbedBackwardArg.BATCH);
  const patches = int(p, EmbedBackwardArg.P);
  const c = int(p, EmbedBackwardArg.C);
  const row = (<usize>c) << 2;
  const hasCls = int(p, EmbedBackwardArg.HASCLS);
  const extra = hasCls + int(p, EmbedBackwardArg.HASDIST);
  const tokens = patches + extra;
  const skipped = tokens - int(p, EmbedBackwardArg.POSROWS);
  const until = last(tokens);
  for (let t = first(tokens); t < until; t++) {
    let token: usize = 0;
    if (t < extra) token = t < hasCls ? dcls : ddist;
    const position = dpos != 0 && t >= skipped ? dpos + <usize>(t - skipped) * row : 0;
    for (let b = 0; b < batch; b++) {
      const g = dy + <usize>(b * tokens + t) * row;
      if (token != 0) sum(token, g, token, c);
      if (position != 0) sum(position, g, position, c);
      if (dx != 0 && t >= extra) memory.copy(dx + <usize>(b * patches + t - extra) * row, g, row);
    }
  }
}

/** y[0…n) = a + b; y may equal a or b. */
function sum(a: usize, b: usize, y: usize, n: i32): void {
  let c = 0;
  for (; c + 4 <= n; c += 4) {
    v128.store(y, f32x4.add(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    y += 16;
  }
  for (; c < n; c++) {
    store<f32>(y, load<f32>(a) + load<f32>(b));
    a += 4;
    b += 4;
    y += 4;
  }
}
