/** Photos for the tests, made on the spot. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import encode, { init } from '@jsquash/jpeg/encode.js';

const require = createRequire(import.meta.url);

/** A baseline JPEG of a smooth slope, `shade` apart from others: red grows to the right, green downwards. */
export async function photo(width: number, height: number, shade = 0): Promise<Uint8Array> {
  await init(new WebAssembly.Module(readFileSync(require.resolve('@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm'))));
  const data = new Uint8ClampedArray(width * height * 4);
  const words = new Uint32Array(data.buffer);
  for (let y = 0; y < height; y++) {
    const green = Math.floor((y * 255) / height) << 8;
    for (let x = 0; x < width; x++) words[y * width + x] = 0xff000000 | (shade << 16) | green | Math.floor((x * 255) / width);
  }
  const quick = { quality: 75, baseline: true, progressive: false, optimize_coding: false };
  return new Uint8Array(await encode({ data, width, height, colorSpace: 'srgb' } as ImageData, quick));
}

/** Puts an EXIF block with an orientation, in either byte order, behind the first marker of a JPEG. */
export function oriented(jpeg: Uint8Array, orientation: number, little = true): Uint8Array {
  const exif = new DataView(new ArrayBuffer(36));
  exif.setUint32(0, 0xffe10022);
  exif.setUint32(4, 0x45786966); // "Exif", two zeros
  exif.setUint16(10, little ? 0x4949 : 0x4d4d);
  exif.setUint16(12, 42, little);
  exif.setUint32(14, 8, little);
  exif.setUint16(18, 1, little);
  exif.setUint16(20, 0x0112, little);
  exif.setUint16(22, 3, little);
  exif.setUint32(24, 1, little);
  exif.setUint16(28, orientation, little);
  return Buffer.concat([jpeg.subarray(0, 2), new Uint8Array(exif.buffer), jpeg.subarray(2)]);
}

/** The same JPEG with another size in its frame header. */
export function resized(jpeg: Uint8Array, width: number, height: number): Uint8Array {
  const out = Buffer.from(jpeg);
  const frame = out.indexOf(Buffer.from([0xff, 0xc0, 0, 17, 8]));
  out.writeUInt16BE(height, frame + 5);
  out.writeUInt16BE(width, frame + 7);
  return out;
}
