// What the programs beside this one draw with: a picture of RGB bytes, lines and discs with soft edges, light and noise; PNG, JPEG and .npy files.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import encodeJpeg, { init } from '@jsquash/jpeg/encode.js';
import { encode } from 'fast-png';

/** Numbers from 0 to 1, and `between`, from a seed: the same seed, the same pictures. */
export function dice(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < 8; i++) next();
  return {
    next,
    between: (least, most) => least + (most - least) * next(),
    whole: (n) => Math.floor(n * next()),
    /** About 0, with deviation 1. */
    normal: () => Math.sqrt(3) * 2 * ((next() + next() + next() + next()) / 2 - 1),
  };
}

/** A picture of one colour. Places are pixels from the top left corner, colours [red, green, blue]. */
export function canvas(width, height, colour) {
  const data = new Float32Array(3 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = colour[i % 3];
  /** Blends a colour in where `cover(x, y)`, from 0 to 1, says. */
  const paint = (cover, [red, green, blue]) => {
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const share = Math.max(0, Math.min(1, cover(x + 0.5, y + 0.5)));
        if (share === 0) continue;
        const at = 3 * (y * width + x);
        data[at] += share * (red - data[at]);
        data[at + 1] += share * (green - data[at + 1]);
        data[at + 2] += share * (blue - data[at + 2]);
      }
  };
  return {
    paint,
    disc: (x, y, radius, ink) => paint((px, py) => radius + 0.5 - Math.hypot(px - x, py - y), ink),
    box: (x0, y0, x1, y1, ink) => paint((x, y) => Math.min(x - x0, x1 - x, y - y0, y1 - y) + 0.5, ink),
    line: (x0, y0, x1, y1, thick, ink) => {
      const [dx, dy] = [x1 - x0, y1 - y0];
      const length2 = dx * dx + dy * dy || 1;
      paint((x, y) => {
        const t = Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / length2));
        return thick / 2 + 0.5 - Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
      }, ink);
    },
    /** The light of a day, from left to right, and the noise of a sensor. */
    light: ({ next, between, normal }) => {
      const [level, tilt, noise] = [between(0.7, 1.15), between(-0.2, 0.2), 4 + 4 * next()];
      for (let i = 0; i < data.length; i++) {
        const x = (Math.floor(i / 3) % width) / width - 0.5;
        data[i] = data[i] * (level + tilt * x) + noise * normal();
      }
    },
    bytes: () => Uint8Array.from(data, (v) => Math.max(0, Math.min(255, Math.round(v)))),
    png() {
      return encode({ width, height, data: this.bytes(), channels: 3, depth: 8 });
    },
    /** As a camera sends it. */
    async jpeg() {
      await coder();
      const data = new Uint8ClampedArray(4 * width * height).fill(255);
      for (const [i, v] of this.bytes().entries()) data[4 * Math.floor(i / 3) + (i % 3)] = v;
      return new Uint8Array(await encodeJpeg(/** @type {ImageData} */ ({ width, height, data, colorSpace: 'srgb' }), { quality: 85 }));
    },
  };
}

let ready;
function coder() {
  const path = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm');
  ready ??= init(new WebAssembly.Module(readFileSync(path)));
  return ready;
}

/** The bytes of a NumPy file: float32, or bytes, of this shape. */
export function npy(values, shape) {
  const type = values instanceof Float32Array ? '<f4' : '|u1';
  const about = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = `${about.padEnd(Math.ceil((about.length + 11) / 64) * 64 - 11)}\n`;
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from(Uint16Array.of(header.length).buffer),
    Buffer.from(header, 'latin1'),
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  ]);
}
