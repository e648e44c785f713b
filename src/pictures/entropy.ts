/** Huffman coding of one JPEG scan, sequential and progressive (ITU-T T.81): from bits to the coefficients of a block. */
import { Unreadable } from './header.ts';

export const damaged = (what: string) => new Unreadable(`a damaged JPEG: ${what}`);

/** Position in the 8×8 block of the k-th coefficient (T.81, figure A.6). */
export const zigzag = (() => {
  const order = new Uint8Array(64);
  for (let diagonal = 0, k = 0; diagonal < 15; diagonal++) {
    for (let i = 0; i <= diagonal; i++) {
      const [row, column] = diagonal % 2 ? [i, diagonal - i] : [diagonal - i, i];
      if (row < 8 && column < 8) order[k++] = row * 8 + column;
    }
  }
  return order;
})();

/** Codes of length n are the numbers below `end[n]` of those read so far; `values` lists the symbols in code order. */
export interface Huffman {
  end: Int32Array;
  /** First symbol of length n, less the first code of that length. */
  shift: Int32Array;
  values: Uint8Array;
  /** By the next FAST bits: 256 · length + symbol of a code that is no longer; 0 elsewhere. */
  fast: Uint16Array;
}

const FAST = 9;

export function huffman(counts: Uint8Array, values: Uint8Array): Huffman {
  const end = new Int32Array(17);
  const shift = new Int32Array(17);
  const fast = new Uint16Array(1 << FAST);
  for (let n = 1, code = 0, symbol = 0; n <= 16; n++, code <<= 1) {
    shift[n] = symbol - code;
    for (let i = 0; i < counts[n - 1]!; i++, code++, symbol++) {
      if (n <= FAST) fast.fill((n << 8) | values[symbol]!, code << (FAST - n), (code + 1) << (FAST - n));
    }
    end[n] = code;
  }
  return { end, shift, values, fast };
}

/** The entropy-coded bits of one scan. */
export class Bits {
  private bytes: Uint8Array;
  /** The next byte to hold; never behind a marker. */
  private at: number;
  /** The last `count` bits of `held` are to be read. */
  private held = 0;
  private count = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  private fill(): void {
    while (this.count <= 24 && this.at < this.bytes.length) {
      const byte = this.bytes[this.at]!;
      // A zero byte is stuffed behind a data byte FF; anything else is a marker.
      if (byte === 0xff && this.bytes[this.at + 1] !== 0) return;
      this.at += byte === 0xff ? 2 : 1;
      this.held = (this.held << 8) | byte;
      this.count += 8;
    }
  }

  bit(): number {
    return this.bits(1);
  }

  /** The next n bits, at most 16. */
  bits(n: number): number {
    if (this.count < n) {
      this.fill();
      if (this.count < n) {
        if (this.at + 1 >= this.bytes.length) throw new Unreadable('a truncated JPEG: it ends before the picture does');
        throw damaged('a marker inside the picture');
      }
    }
    this.count -= n;
    return (this.held >>> this.count) & ((1 << n) - 1);
  }

  /** A number of n bits whose leading zero means negative. */
  signed(n: number): number {
    const value = this.bits(n);
    return n > 0 && value < 1 << (n - 1) ? value - (1 << n) + 1 : value;
  }

  symbol({ end, shift, values, fast }: Huffman): number {
    if (this.count < 16) this.fill();
    if (this.count >= FAST) {
      const found = fast[(this.held >>> (this.count - FAST)) & ((1 << FAST) - 1)]!;
      if (found !== 0) {
        this.count -= found >> 8;
        return found & 255;
      }
    }
    for (let n = 1, code = 0; n <= 16; n++) {
      code = (code << 1) | this.bits(1);
      if (code < end[n]!) return values[code + shift[n]!]!;
    }
    throw damaged('a code that no table has');
  }

  /** Drops the rest of a byte and passes the restart marker that must come next. */
  restart(): void {
    this.count = 0;
    while (this.bytes[this.at] === 0xff && this.bytes[this.at + 1] === 0xff) this.at++;
    const marker = this.bytes[this.at + 1];
    if (this.at + 1 >= this.bytes.length) throw new Unreadable('a truncated JPEG: it ends before the picture does');
    if (this.bytes[this.at] !== 0xff || marker! < 0xd0 || marker! > 0xd7) throw damaged('a missing restart marker');
    this.at += 2;
  }
}

/** One scan's choice of coefficients [from, to] and bits (`high` is the bit sent before, 0 at first; `low` the one sent now). */
interface Scan {
  from: number;
  to: number;
  high: number;
  low: number;
  progressive: boolean;
}

/** Blocks left in a run of ends, within one scan. */
export interface Run {
  blocks: number;
}

/** Differences of DC add up to `last`. */
export interface Differences {
  last: number;
}

/** Reads the block whose 64 coefficients begin at `at`. */
export type Decode = (
  bits: Bits,
  c: Differences,
  block: Int16Array,
  at: number,
  dc: Huffman | undefined,
  ac: Huffman | undefined,
  run: Run,
) => void;

function need(table: Huffman | undefined): Huffman {
  if (!table) throw damaged('a missing Huffman table');
  return table;
}

export function blockDecoder({ from, to, high, low, progressive }: Scan): Decode {
  const difference = (bits: Bits, c: Differences, dc: Huffman | undefined) => {
    const size = bits.symbol(need(dc));
    if (size > 15) throw damaged('a wrong difference');
    c.last += bits.signed(size);
    return c.last;
  };
  const ones = (bits: Bits, block: Int16Array, at: number, ac: Huffman, first: number, last: number, scale: number, run: Run) => {
    if (run.blocks > 0) {
      run.blocks--;
      return;
    }
    for (let k = first; k <= last; ) {
      const symbol = bits.symbol(ac);
      const zeros = symbol >> 4;
      const size = symbol & 15;
      if (size === 0) {
        if (zeros < 15) {
          run.blocks = (1 << zeros) - 1 + bits.bits(zeros);
          return;
        }
        k += 16;
        continue;
      }
      k += zeros;
      if (k > last) throw damaged('a coefficient outside its block');
      block[at + zigzag[k++]!] = bits.signed(size) * scale;
    }
  };
  if (!progressive) {
    return (bits, c, block, at, dc, ac, run) => {
      block[at] = difference(bits, c, dc);
      run.blocks = 0;
      ones(bits, block, at, need(ac), 1, 63, 1, run);
    };
  }
  const one = 1 << low;
  if (from === 0) {
    if (high === 0) {
      return (bits, c, block, at, dc) => {
        block[at] = difference(bits, c, dc) * one;
      };
    }
    return (bits, _, block, at) => {
      if (bits.bit()) block[at]! |= one;
    };
  }
  if (high === 0) return (bits, _, block, at, __, ac, run) => ones(bits, block, at, need(ac), from, to, one, run);
  return (bits, _, block, at, __, ac, run) => refine(bits, block, at, need(ac), from, to, one, run);
}

/** One more bit for coefficients that are known, and new ones of size 1 between them (T.81, G.1.2.3). */
function refine(bits: Bits, block: Int16Array, base: number, ac: Huffman, from: number, to: number, one: number, run: Run): void {
  const correct = (at: number) => {
    const value = block[at]!;
    if (bits.bit() && (value & one) === 0) block[at] = value + (value > 0 ? one : -one);
  };
  let k = from;
  for (; run.blocks === 0 && k <= to; k++) {
    const symbol = bits.symbol(ac);
    let zeros = symbol >> 4;
    let value = 0;
    if ((symbol & 15) !== 0) value = bits.bit() ? one : -one;
    else if (zeros < 15) {
      run.blocks = (1 << zeros) + bits.bits(zeros);
      break;
    }
    for (; k <= to; k++) {
      const at = base + zigzag[k]!;
      if (block[at] !== 0) correct(at);
      else if (zeros-- === 0) {
        block[at] = value;
        break;
      }
    }
  }
  if (run.blocks > 0) {
    for (; k <= to; k++) if (block[base + zigzag[k]!] !== 0) correct(base + zigzag[k]!);
    run.blocks--;
  }
}
