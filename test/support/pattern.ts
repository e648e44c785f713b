/** The picture that tools/golden/resize.py resizes, from the same integers. */
export function pattern(width: number, height: number): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++, at++) {
        const ramp = (x * (7 + c) + y * (5 - c)) & 255;
        const check = (((x >> 3) + (y >> 2) + c) & 1) * 200;
        const noise = (x * x * 31 + y * y * 17 + x * y * 13 + c * 91) & 63;
        rgb[at] = Math.min(255, ((ramp + check) >> 1) + (noise >> 1));
      }
    }
  }
  return rgb;
}

/** The largest difference between two pictures. */
export function apart(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

/** The same picture, nothing changed: a specification that only decodes. */
export const asIs = (width: number, height: number) => ({
  resize: { mode: 'exact' as const, height, width },
  resample: 'bilinear' as const,
  crop: null,
  scale: 1 / 255,
  mean: [0, 0, 0] as [number, number, number],
  std: [1, 1, 1] as [number, number, number],
});
