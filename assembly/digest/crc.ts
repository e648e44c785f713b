/** CRC-32 (IEEE 802.3, reflected), as zlib computes it and src/base/crc.ts. */
const table = memory.data(1024);
let isReady = false;

export function crc32(p: usize, n: usize): u32 {
  if (!isReady) {
    for (let i: u32 = 0; i < 256; i++) {
      let c = i;
      for (let k = 0; k < 8; k++) c = (c & 1) != 0 ? 0xedb88320 ^ (c >> 1) : c >> 1;
      store<u32>(table + (i << 2), c);
    }
    isReady = true;
  }
  let c: u32 = 0xffffffff;
  for (let end = p + n; p < end; p++) c = load<u32>(table + (((c ^ load<u8>(p)) & 255) << 2)) ^ (c >> 8);
  return ~c;
}
