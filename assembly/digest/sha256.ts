/**
 * SHA-256 (FIPS 180-4), any number of them at a time: each has a context of 104 bytes. The constants are the first 32 bits of the fractional
 * parts of square and cube roots of the first primes; they are computed, so that no table has to be trusted.
 *
 *     context: 8 words of state │ u64 bytes so far │ 64 bytes that wait for a whole block
 */
const LENGTH: usize = 32;
const WAITING: usize = 40;
const BLOCK: usize = 64;

const constants = memory.data(256);
const schedule = memory.data(256);
let isReady = false;

/** The first 32 bits of the fraction of a prime's square or cube root, bit by bit: 38 bits in all, well within an f64's 53. */
function fraction(prime: f64, isCube: bool): u32 {
  let root: f64 = 0;
  for (let step: f64 = 16; step >= 1 / 4294967296; step /= 2) {
    const next = root + step;
    if ((isCube ? next * next * next : next * next) <= prime) root = next;
  }
  return <u32>(<u64>(root * 4294967296));
}

const initial = memory.data(32);

function prepare(): void {
  let found: u32 = 0;
  for (let n: u32 = 2; found < 64; n++) {
    let isPrime = true;
    for (let d: u32 = 2; d * d <= n; d++) if (n % d == 0) isPrime = false;
    if (!isPrime) continue;
    if (found < 8) store<u32>(initial + (found << 2), fraction(n, false));
    store<u32>(constants + (found << 2), fraction(n, true));
    found++;
  }
  isReady = true;
}

export function shaBegin(c: usize): void {
  if (!isReady) prepare();
  memory.copy(c, initial, 32);
  store<u64>(c, 0, LENGTH);
}

export function shaAdd(c: usize, p: usize, n: usize): void {
  const waiting = <usize>(load<u64>(c, LENGTH) & 63);
  store<u64>(c, load<u64>(c, LENGTH) + n, LENGTH);
  if (waiting > 0) {
    const room = min(n, BLOCK - waiting);
    memory.copy(c + WAITING + waiting, p, room);
    if (waiting + room < BLOCK) return;
    block(c, c + WAITING);
    p += room;
    n -= room;
  }
  for (; n >= BLOCK; n -= BLOCK) {
    block(c, p);
    p += BLOCK;
  }
  memory.copy(c + WAITING, p, n);
}

/** The 32 bytes to `out`. */
export function shaEnd(c: usize, out: usize): void {
  const bits = load<u64>(c, LENGTH) << 3;
  const waiting = <usize>(load<u64>(c, LENGTH) & 63);
  const last = c + WAITING;
  store<u8>(last + waiting, 0x80);
  memory.fill(last + waiting + 1, 0, BLOCK - 1 - waiting);
  if (waiting + 9 > BLOCK) {
    block(c, last);
    memory.fill(last, 0, BLOCK);
  }
  store<u64>(last, bswap<u64>(bits), 56);
  block(c, last);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(out + i, bswap<u32>(load<u32>(c + i)));
}

function block(c: usize, p: usize): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(schedule + i, bswap<u32>(load<u32>(p + i)));
  for (let i: usize = 64; i < 256; i += 4) {
    const w = schedule + i;
    const before = load<u32>(w - 60);
    const last = load<u32>(w - 8);
    const s0 = rotr<u32>(before, 7) ^ rotr<u32>(before, 18) ^ (before >> 3);
    const s1 = rotr<u32>(last, 17) ^ rotr<u32>(last, 19) ^ (last >> 10);
    store<u32>(w, load<u32>(w - 64) + s0 + load<u32>(w - 28) + s1);
  }
  let a = load<u32>(c);
  let b = load<u32>(c, 4);
  let d = load<u32>(c, 12);
  let e = load<u32>(c, 16);
  let f = load<u32>(c, 20);
  let g = load<u32>(c, 24);
  let h = load<u32>(c, 28);
  let third = load<u32>(c, 8);
  for (let i: usize = 0; i < 256; i += 4) {
    const s1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const t1 = h + s1 + ((e & f) ^ (~e & g)) + load<u32>(constants + i) + load<u32>(schedule + i);
    const s0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const t2 = s0 + ((a & b) ^ (a & third) ^ (b & third));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = third;
    third = b;
    b = a;
    a = t1 + t2;
  }
  store<u32>(c, load<u32>(c) + a);
  store<u32>(c, load<u32>(c, 4) + b, 4);
  store<u32>(c, load<u32>(c, 8) + third, 8);
  store<u32>(c, load<u32>(c, 12) + d, 12);
  store<u32>(c, load<u32>(c, 16) + e, 16);
  store<u32>(c, load<u32>(c, 20) + f, 20);
  store<u32>(c, load<u32>(c, 24) + g, 24);
  store<u32>(c, load<u32>(c, 28) + h, 28);
}
