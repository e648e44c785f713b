/** From a picture file's bytes to the prepared pixels, inside a limit on the decoder's memory. */
import { decodeBytes, type Header, readHeader, Unreadable } from './header.ts';
import { decodeInks } from './inks.ts';
import { decodeJpeg, jpegName, openJpeg } from './jpeg.ts';
import { withEnd } from './jpegend.ts';
import { decodePng, pngName } from './png.ts';
import { type Preprocess, preparePixels } from './preprocess.ts';
import { decodeWebp, openWebp, webpName } from './webp.ts';

/** Names and versions of what decodes: decoders differ by up to 3 levels, so a cache belongs to one. Read from the packages when asked for. */
export const decoderName = (): string => `${jpegName()}, ${pngName()}, ${webpName()}`;

/** The decoder's memory unless another limit is given: any JPEG of 12 megapixels, or one of 30 that is not progressive. */
export const defaultDecoderBytes = 128 * 2 ** 20;

const names = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP' };
/** What the kinds that are held whole are called. */
const held = { jpeg: 'progressive ', png: 'interlaced ', webp: 'lossless ' };

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/**
 * H × W × RGB of one JPEG, PNG or WebP. Throws Unreadable, whose message is the reason, for a picture that cannot be used or would
 * take more than `limit` bytes to decode.
 */
export async function decodePicture(bytes: Uint8Array, spec: Preprocess, limit = defaultDecoderBytes): Promise<Uint8Array> {
  const header = readHeader(bytes);
  const needed = decodeBytes(header, bytes.length);
  if (needed > limit) {
    const { width, height, format, progressive } = header;
    const kind = `${progressive ? held[format] : ''}${names[format]}`;
    throw new Unreadable(`too large: a ${kind} of ${width}×${height} takes ${mib(needed)} to decode, the limit is ${mib(limit)}`);
  }
  if (header.format === 'png') return preparePixels(decodePng(bytes, header), header.orientation, spec);
  if (header.format === 'webp') {
    await openWebp(limit);
    return decodeWebp(bytes, (pixels) => preparePixels(pixels, header.orientation, spec));
  }
  const ended = withEnd(bytes);
  try {
    return await jpeg(ended ?? bytes, header, spec, limit);
  } catch (error) {
    if (ended && error instanceof Unreadable) throw new Unreadable('a truncated JPEG: it ends before the picture does');
    throw error;
  }
}

async function jpeg(bytes: Uint8Array, { components, orientation }: Header, spec: Preprocess, limit: number): Promise<Uint8Array> {
  if (components === 4) return preparePixels(decodeInks(bytes), orientation, spec);
  await openJpeg(limit);
  return decodeJpeg(bytes, (pixels) => preparePixels(pixels, orientation, spec));
}
