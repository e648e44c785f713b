/**
 * JPEG files without their last marker, EOI: a camera's buffer padded with zeros over it, a transfer that lost its last two
 * bytes. All of the picture may be there, and libjpeg tells whether it is as soon as an EOI stands behind the data; so one is
 * put there. Where data are missing it then meets the marker too early.
 */
const EOI = 0xd9;
const SOS = 0xda;

/** The file with an EOI at its end; undefined where it has its own, or where whole scans of it are missing. */
export function withEnd(bytes: Uint8Array): Uint8Array | undefined {
  const data = unpadded(bytes);
  if (data.at(-2) === 0xff && data.at(-1) === EOI) return undefined;
  if (!endsInScan(data)) return undefined;
  const out = new Uint8Array(data.length + 2);
  out.set(data);
  out.set([0xff, EOI], data.length);
  return out;
}

/** Without the zeros, or erased memory's FF, that fill a buffer behind the picture; one zero may be the picture's. */
function unpadded(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 2 && (bytes[end - 1] === 0 || bytes[end - 1] === 0xff)) end--;
  // The data's own FF is followed by a zero.
  if (bytes[end] === 0xff && bytes[end + 1] === 0) end += 2;
  return bytes.subarray(0, bytes.length - end < 2 ? bytes.length : end);
}

/** Whether the file ends inside a scan's data, after every component's coefficients have begun and reached their last bit. */
function endsInScan(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** By component's id, bits of each coefficient that are still to come; all of them before the first scan. */
  const missing = new Map<number, Uint8Array>();
  let progressive = false;
  let at = 2;
  while (at + 4 <= bytes.length) {
    const marker = bytes[at + 1]!;
    if (bytes[at] !== 0xff || marker === 0 || marker === 0xff || (marker >= 0xd0 && marker <= 0xd7)) {
      at = bytes.indexOf(0xff, at + 1);
      if (at < 0) break;
      continue;
    }
    if (marker === EOI) return false;
    const body = at + 4;
    const end = at + 2 + view.getUint16(at + 2);
    if (end < body || end > bytes.length) return false;
    if (marker >= 0xc0 && marker <= 0xc2) {
      progressive = marker === 0xc2;
      for (let i = 0; i < (bytes[body + 5] ?? 0); i++) missing.set(bytes[body + 6 + 3 * i] ?? 0, new Uint8Array(64).fill(255));
    }
    if (marker === SOS) {
      const count = bytes[body] ?? 0;
      const low = progressive ? (bytes[body + 3 + 2 * count] ?? 0) & 15 : 0;
      const from = progressive ? (bytes[body + 1 + 2 * count] ?? 0) : 0;
      const to = progressive ? (bytes[body + 2 + 2 * count] ?? 0) : 63;
      for (let i = 0; i < count; i++) missing.get(bytes[body + 1 + 2 * i] ?? 0)?.fill(low, from, to + 1);
    }
    at = end;
  }
  return missing.size > 0 && [...missing.values()].every((bits) => bits.every((n) => n === 0));
}
