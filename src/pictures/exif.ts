/** How a camera was held: the orientation in a picture's EXIF block, 1 to 8. */

const TAG = 0x0112;
/** The standard's type is SHORT; LONG and the signed two are met as well. */
const SHORTS = [3, 8];
const LONGS = [4, 9];

/**
 * The orientation in the first directory of a TIFF block, in either byte order; undefined where there is none or it makes no
 * sense (another type, more than one number, a number of no orientation): the picture is then taken as it lies, as Pillow does.
 */
export function readOrientation(tiff: DataView): number | undefined {
  if (tiff.byteLength < 14) return undefined;
  const order = tiff.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const little = order === 0x4949;
  const directory = tiff.getUint32(4, little);
  if (directory + 2 > tiff.byteLength) return undefined;
  const count = tiff.getUint16(directory, little);
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.byteLength) return undefined;
    if (tiff.getUint16(entry, little) !== TAG) continue;
    const type = tiff.getUint16(entry + 2, little);
    const isShort = SHORTS.includes(type);
    if ((!isShort && !LONGS.includes(type)) || tiff.getUint32(entry + 4, little) !== 1) return undefined;
    const value = isShort ? tiff.getUint16(entry + 8, little) : tiff.getUint32(entry + 8, little);
    return value >= 1 && value <= 8 ? value : undefined;
  }
  return undefined;
}
