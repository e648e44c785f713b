/**
 * A line of a component that is held at half the picture's width or height, at full size: as libjpeg does it, three parts of the nearer
 * sample and one of the farther. Other shares are repeated.
 */
export interface Lines {
  /** Samples that carry picture. */
  width: number;
  height: number;
  /** Line y of the component, from 0 to height − 1; valid until lines two rows of units below are asked for. */
  line(y: number): Uint8Array;
}

/** Gives the picture's lines, `across` × `down` as large as the component's. */
export function enlarged({ width, height, line }: Lines, across: number, down: number): (y: number) => Uint8Array {
  if (across === 1 && down === 1) return line;
  const out = new Uint8Array(width * across);
  const other = (y: number) => line(Math.max(0, Math.min(height - 1, (y >> 1) + (y & 1 ? 1 : -1))));
  if (across === 1 && down === 2) {
    return (y) => {
      const far = other(y);
      const near = line(y >> 1);
      // Newer libjpegs round the lower of the two up, by one level; the codec does not.
      for (let x = 0; x < width; x++) out[x] = (near[x]! * 3 + far[x]! + 1) >> 2;
      return out;
    };
  }
  const last = width - 1;
  if (across === 2 && down === 1 && width > 2) {
    return (y) => {
      const near = line(y);
      for (let x = 0; x < width; x++) {
        const v = near[x]! * 3;
        out[2 * x] = x === 0 ? near[0]! : (v + near[x - 1]! + 1) >> 2;
        out[2 * x + 1] = x === last ? near[last]! : (v + near[x + 1]! + 2) >> 2;
      }
      return out;
    };
  }
  if (across === 2 && down === 2 && width > 2) {
    const sums = new Int32Array(width);
    return (y) => {
      const far = other(y);
      const near = line(y >> 1);
      for (let x = 0; x < width; x++) sums[x] = near[x]! * 3 + far[x]!;
      for (let x = 0; x < width; x++) {
        const v = sums[x]! * 3;
        out[2 * x] = (v + sums[x === 0 ? 0 : x - 1]! + 8) >> 4;
        out[2 * x + 1] = (v + sums[x === last ? last : x + 1]! + 7) >> 4;
      }
      return out;
    };
  }
  return (y) => {
    const near = line(Math.floor(y / down));
    for (let x = 0, to = 0; x < width; x++) for (let i = 0; i < across; i++) out[to++] = near[x]!;
    return out;
  };
}
