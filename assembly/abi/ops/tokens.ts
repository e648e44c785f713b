/** Tokens and their positions. */
import { between, demand, mayRead, mayWrite, reads, size, whole, writes } from '../bounds.ts';

/** Rows of the position embedding: with the extra tokens, or without. */
function positions(argument: i32, t: number, p: number): number {
  const rows = size(argument);
  demand(rows === t || rows === p);
  return rows;
}

/**
 * Embed: y[B,T,C]: the class token, the distillation token (each [C], or 0: absent), then x[B,P,C]; plus pos[T,C]. T = P + tokens present.
 * POSROWS = T, or P where the position embedding has no rows for the extra tokens.
 */
export const enum EmbedArg {
  X,
  CLS,
  DIST,
  POS,
  Y,
  BATCH,
  P,
  C,
  POSROWS,
}
export function embed(): void {
  const b = size(EmbedArg.BATCH);
  const p = size(EmbedArg.P);
  const c = size(EmbedArg.C);
  const t = p + (whole(EmbedArg.CLS) !== 0 ? 1 : 0) + (whole(EmbedArg.DIST) !== 0 ? 1 : 0);
  reads(EmbedArg.X, 4 * b * p * c);
  mayRead(EmbedArg.CLS, 4 * c);
  mayRead(EmbedArg.DIST, 4 * c);
  mayRead(EmbedArg.POS, 4 * positions(EmbedArg.POSROWS, t, p) * c);
  writes(EmbedArg.Y, 4 * b * t * c);
}

/** EmbedBackward: dx[B,P,C] = dy's patch rows; DCLS, DDIST, DPOS += (each may be 0, DX too). T as above; HASCLS, HASDIST are 0 or 1. */
export const enum EmbedBackwardArg {
  DY,
  DX,
  DCLS,
  DDIST,
  DPOS,
  BATCH,
  P,
  C,
  POSROWS,
  HASCLS,
  HASDIST,
}
export function embedBackward(): void {
  const b = size(EmbedBackwardArg.BATCH);
  const p = size(EmbedBackwardArg.P);
  const c = size(EmbedBackwardArg.C);
  const t = p + between(EmbedBackwardArg.HASCLS, 0, 1) + between(EmbedBackwardArg.HASDIST, 0, 1);
  reads(EmbedBackwardArg.DY, 4 * b * t * c);
  mayWrite(EmbedBackwardArg.DX, 4 * b * p * c);
  mayWrite(EmbedBackwardArg.DCLS, 4 * c);
  mayWrite(EmbedBackwardArg.DDIST, 4 * c);
  mayWrite(EmbedBackwardArg.DPOS, 4 * positions(EmbedBackwardArg.POSROWS, t, p) * c);
}
