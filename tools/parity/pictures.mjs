// Seeded pictures that need no files: rows of u8 [n, H, W, 3].

/** mulberry32. */
function stream(seed) {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Every pixel for itself. */
export function noise(n, h, w, seed) {
  const random = stream(seed);
  return Uint8Array.from({ length: n * h * w * 3 }, () => Math.floor(256 * random()));
}

/** What photographs have: light that falls off, a horizon, shapes with edges in front of it, fine grain. */
export function scenes(n, h, w, seed) {
  const out = new Uint8Array(n * h * w * 3);
  for (let p = 0; p < n; p++) {
    const random = stream(seed + 977 * p);
    const colour = () => [random(), random(), random()].map((c) => 40 + 190 * c);
    const [sky, ground] = [colour(), colour()];
    const horizon = h * (0.35 + 0.3 * random());
    const shapes = Array.from({ length: 7 }, () => ({
      x: w * random(),
      y: h * random(),
      size: Math.min(h, w) * (0.06 + 0.2 * random()),
      round: random() < 0.5,
      colour: colour(),
    }));
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        const shape = shapes.find((s) => {
          const [dx, dy] = [Math.abs(x - s.x), Math.abs(y - s.y)];
          return s.round ? dx * dx + dy * dy < s.size * s.size : dx < s.size && dy < s.size;
        });
        const back = y < horizon ? sky : ground;
        const light = 1.1 - (0.4 * y) / h - (0.2 * x) / w;
        for (let c = 0; c < 3; c++) {
          const value = (shape ?? { colour: back }).colour[c] * light + 12 * (random() - 0.5);
          out[((p * h + y) * w + x) * 3 + c] = Math.max(0, Math.min(255, Math.round(value)));
        }
      }
  }
  return out;
}
