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

/** A TIFF block with one orientation, a SHORT (3) unless another type is given. */
export function exifBlock(orientation: number, little = true, type = 3): Uint8Array {
  const tiff = new DataView(new ArrayBuffer(26));
  tiff.setUint16(0, little ? 0x4949 : 0x4d4d);
  tiff.setUint16(2, 42, little);
  tiff.setUint32(4, 8, little);
  tiff.setUint16(8, 1, little);
  tiff.setUint16(10, 0x0112, little);
  tiff.setUint16(12, type, little);
  tiff.setUint32(14, 1, little);
  if (type === 4 || type === 9) tiff.setUint32(18, orientation, little);
  else tiff.setUint16(18, orientation, little);
  return new Uint8Array(tiff.buffer);
}

/** Puts an EXIF block with an orientation, in either byte order, behind the first marker of a JPEG. */
export function oriented(jpeg: Uint8Array, orientation: number, little = true, type = 3): Uint8Array {
  const head = Buffer.from([0xff, 0xe1, 0, 34, 0x45, 0x78, 0x69, 0x66, 0, 0]);
  return Buffer.concat([jpeg.subarray(0, 2), head, exifBlock(orientation, little, type), jpeg.subarray(2)]);
}

/** The same JPEG with another size in its frame header. */
export function resized(jpeg: Uint8Array, width: number, height: number): Uint8Array {
  const out = Buffer.from(jpeg);
  const frame = out.indexOf(Buffer.from([0xff, 0xc0, 0, 17, 8]));
  out.writeUInt16BE(height, frame + 5);
  out.writeUInt16BE(width, frame + 7);
  return out;
}
