/** From a picture file's bytes to the prepared pixels, inside a limit on the decoder's memory. */
import { decodeBytes, type Header, LARGEST_PIXELS, readHeader, rowsBytes, Unreadable } from '../pictures/header.ts';
import { decodeJpeg, openJpeg } from '../pictures/jpeg.ts';
import { withEnd } from '../pictures/jpegend.ts';
import { decodeRows } from '../pictures/jpegrows.ts';
import { decodePng } from '../pictures/png.ts';
import type { Pixels } from '../pictures/resample.ts';
import { decodeWebp, openWebp } from '../pictures/webp.ts';
import { defaultDecoderBytes } from './decoderlimit.ts';
import { type Preprocess, preparePixels } from './preprocess.ts';

const names = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP' };
/** What the kinds that are held whole are called. */
const held = { jpeg: 'progressive ', png: 'interlaced ', webp: 'lossless ' };

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/**
 * H × W × C (grey, RGB or RGBA, as the specification says) of one JPEG, PNG or WebP. Throws Unreadable, whose message is the reason, for a picture that cannot be used or would
 * take more than `limit` bytes to decode.
 */
export async function decodePicture(bytes: Uint8Array, spec: Preprocess, limit = defaultDecoderBytes): Promise<Uint8Array> {
  const header = readHeader(bytes);
  const { width, height, format, progressive } = header;
  if (width * height > LARGEST_PIXELS) {
    throw new Unreadable(`too large: ${width}×${height}, the limit is ${Math.floor(LARGEST_PIXELS / 1e6)} megapixels`);
  }
  const withAlpha = spec.mean.length === 4;
  const inRows = format === 'jpeg' && (header.components === 4 || decodeBytes(header, bytes.length) > limit);
  const needed = inRows ? rowsBytes(header, bytes.length) : decodeBytes(header, bytes.length, withAlpha);
  if (needed > limit) {
    const kind = `${progressive ? held[format] : ''}${names[format]}`;
    throw new Unreadable(`too large: a ${kind} of ${width}×${height} takes ${mib(needed)} to decode, the limit is ${mib(limit)}`);
  }
  if (header.format === 'png') return preparePixels(decodePng(bytes, header, withAlpha), header.orientation, spec);
  if (header.format === 'webp') {
    await openWebp(limit);
    return decodeWebp(bytes, withAlpha, (pixels) => preparePixels(pixels, header.orientation, spec));
  }
  const ended = withEnd(bytes);
  try {
    return await jpeg(ended ?? bytes, header, spec, limit, inRows);
  } catch (error) {
    if (ended && error instanceof Unreadable) throw new Unreadable('a truncated JPEG: it ends before the picture does');
    throw error;
  }
}

async function jpeg(bytes: Uint8Array, { orientation }: Header, spec: Preprocess, limit: number, inRows: boolean): Promise<Uint8Array> {
  const use = (pixels: Pixels) => preparePixels(pixels, orientation, spec);
  if (inRows) return decodeRows(bytes, use);
  await openJpeg(limit);
  return decodeJpeg(bytes, use);
}
