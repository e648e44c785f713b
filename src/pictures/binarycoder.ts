/**
 * Binary arithmetic coding with probabilities that adapt, in 32-bit integers (the range coder of LZMA): a context's probability moves quickly at first,
 * then by a 32nd. The same calls write and read.
 */

/** 2^11 parts. */
const ONE = 1 << 11;
const TOP = 2 ** 24;

export interface Bits {
  readonly isWriting: boolean;
  /** Fresh contexts, all even. */
  contexts(count: number): Uint16Array;
  /** Writes `bit`, or reads one, by a context. */
  bit(contexts: Uint16Array, at: number, bit: number): number;
  /** The same without a context. */
  plain(bit: number): number;
}

/** In a context's word: the probability of 0 in the upper 11 bits, and how often it was asked (at most 15) in the lower 5. */
const fresh = (count: number): Uint16Array => new Uint16Array(count).fill((ONE / 2) << 5);
function adapt(contexts: Uint16Array, at: number, bit: number): void {
  const word = contexts[at]!;
  const times = word & 31;
  const shift = Math.min(5, 2 + (times >> 2));
  const p = word >> 5;
  const next = bit === 0 ? p + ((ONE - 1 - p) >> shift) : p - ((p - 1) >> shift);
  contexts[at] = (next << 5) | Math.min(15, times + 1);
}

export class BitWriter implements Bits {
  readonly isWriting = true;
  contexts = fresh;
  #low = 0;
  #range = 2 ** 32 - 1;
  #held = 0;
  #pending = 1;
  #bytes: number[] = [];

  bit(contexts: Uint16Array, at: number, bit: number): number {
    const bound = Math.floor(this.#range / ONE) * (contexts[at]! >> 5);
    this.#take(bit, bound);
    adapt(contexts, at, bit);
    return bit;
  }
  plain(bit: number): number {
    this.#take(bit, Math.floor(this.#range / 2));
    return bit;
  }
  #take(bit: number, bound: number): void {
    if (bit === 0) this.#range = bound;
    else {
      this.#low += bound;
      this.#range -= bound;
    }
    while (this.#range < TOP) {
      this.#range *= 256;
      this.#shift();
    }
  }
  /** A byte is held back until no carry can reach it. */
  #shift(): void {
    const carry = this.#low >= 2 ** 32 ? 1 : 0;
    if (this.#low < 0xff000000 || carry === 1) {
      for (let byte = this.#held; this.#pending > 0; this.#pending--, byte = 0xff) this.#bytes.push((byte + carry) & 255);
      this.#held = Math.floor(this.#low / TOP) % 256;
    }
    this.#pending++;
    this.#low = (this.#low % TOP) * 256;
  }
  /** The bytes; zeros at their end are left out, since a reader finds such there. */
  finish(): Uint8Array {
    for (let i = 0; i < 5; i++) this.#shift();
    // The first byte is always 0.
    let end = this.#bytes.length;
    while (end > 1 && this.#bytes[end - 1] === 0) end--;
    return Uint8Array.from(this.#bytes.slice(1, end));
  }
}

export class BitReader implements Bits {
  readonly isWriting = false;
  contexts = fresh;
  #range = 2 ** 32 - 1;
  #code = 0;
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    for (let i = 0; i < 4; i++) this.#code = this.#code * 256 + this.#next();
  }
  #next(): number {
    return this.#bytes[this.#at++] ?? 0;
  }
  bit(contexts: Uint16Array, at: number): number {
    const bit = this.#take(Math.floor(this.#range / ONE) * (contexts[at]! >> 5));
    adapt(contexts, at, bit);
    return bit;
  }
  plain(): number {
    return this.#take(Math.floor(this.#range / 2));
  }
  #take(bound: number): number {
    const bit = this.#code < bound ? 0 : 1;
    if (bit === 0) this.#range = bound;
    else {
      this.#code -= bound;
      this.#range -= bound;
    }
    while (this.#range < TOP) {
      this.#range *= 256;
      this.#code = this.#code * 256 + this.#next();
    }
    return bit;
  }
}
