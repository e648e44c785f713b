/** Four inks of print (CMYK and YCCK) as RGB. Files from Adobe, and so all that are met, store inks inverted: 255 is none. */

/** Writes lines of the four components as RGB; `ycck`: the first three are luma and two chromas of the inks. */
export function inksToRgb(ycck: boolean): (lines: readonly Uint8Array[], width: number, rgb: Uint8Array) => void {
  const clamped = new Uint8ClampedArray(3);
  return (lines, width, rgb) => {
    for (let x = 0, to = 0; x < width; x++, to += 3) {
      const key = lines[3]![x]!;
      let [c, m, n] = [lines[0]![x]!, lines[1]![x]!, lines[2]![x]!];
      if (ycck) {
        // YCC of the inks themselves; stored inverted, they are 255 − RGB.
        const [cb, cr] = [m - 128, n - 128];
        clamped[0] = 255 - (c + 1.402 * cr);
        clamped[1] = 255 - (c - 0.344136 * cb - 0.714136 * cr);
        clamped[2] = 255 - (c + 1.772 * cb);
        [c, m, n] = [clamped[0]!, clamped[1]!, clamped[2]!];
      }
      rgb[to] = Math.round((c * key) / 255);
      rgb[to + 1] = Math.round((m * key) / 255);
      rgb[to + 2] = Math.round((n * key) / 255);
    }
  };
}
