/**
 * JPEG of four components (CMYK and YCCK, from print), which the wasm codec refuses. Sequential and progressive Huffman coding
 * of ITU-T T.81; coefficients are held in 16 bits, samples only for one row of blocks.
 */
import { Bits, blockDecoder, type Differences, damaged, type Huffman, huffman, type Run, zigzag } from './entropy.ts';
import { Unreadable } from './header.ts';
import type { Pixels } from './resample.ts';

interface Component extends Differences {
  id: number;
  h: number;
  v: number;
  table: number;
  /** Blocks that carry picture, and blocks held: whole interleaved units. */
  usedAcross: number;
  usedDown: number;
  across: number;
  coefficients: Int16Array;
  scanned: boolean;
}

/** The parts of a file as they are met. */
interface State {
  bytes: Uint8Array;
  view: DataView;
  quantisers: (Uint16Array | undefined)[];
  dc: (Huffman | undefined)[];
  ac: (Huffman | undefined)[];
  components: Component[];
  width: number;
  height: number;
  progressive: boolean;
  restart: number;
  ycck: boolean;
}

/** Decodes the coefficients of a four-component JPEG; its rows become samples, and RGB, as they are read. */
export function decodeInks(bytes: Uint8Array): Pixels {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const state: State = {
    bytes,
    view,
    quantisers: [],
    dc: [],
    ac: [],
    components: [],
    width: 0,
    height: 0,
    progressive: false,
    restart: 0,
    ycck: false,
  };
  let ended = false;
  for (let at = 2, scans = 0; at + 4 <= bytes.length || (at + 2 <= bytes.length && bytes[at + 1] === 0xd9); ) {
    // Between segments anything may be skipped up to the next marker.
    const marker = bytes[at + 1]!;
    if (bytes[at] !== 0xff || marker === 0xff || marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) {
      at++;
      continue;
    }
    if (marker === 0xd9) {
      ended = true;
      break;
    }
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length || end < at + 4) break;
    if (marker === 0xda) {
      if (++scans > 1000) throw damaged('too many scans');
      at = readScan(state, at + 4, end);
    } else {
      readSegment(state, marker, at + 4, end);
      at = end;
    }
  }
  if (state.components.some((c) => !c.scanned) || state.components.length === 0 || (state.progressive && !ended)) {
    throw new Unreadable('a truncated JPEG: it ends before the picture does');
  }
  return samples(state);
}

function readSegment(state: State, marker: number, at: number, end: number): void {
  const { bytes, view } = state;
  if (marker === 0xdb) {
    while (at < end) {
      const wide = bytes[at]! >> 4;
      const table = new Uint16Array(64);
      if (at + 1 + 64 * (wide ? 2 : 1) > end) throw damaged('a short quantisation table');
      for (let k = 0; k < 64; k++) table[zigzag[k]!] = wide ? view.getUint16(at + 1 + 2 * k) : bytes[at + 1 + k]!;
      state.quantisers[bytes[at]! & 15] = table;
      at += 1 + 64 * (wide ? 2 : 1);
    }
  } else if (marker === 0xc4) {
    while (at + 17 <= end) {
      const counts = bytes.subarray(at + 1, at + 17);
      const total = counts.reduce((a, b) => a + b, 0);
      if (at + 17 + total > end) throw damaged('a short Huffman table');
      const tables = bytes[at]! >> 4 ? state.ac : state.dc;
      tables[bytes[at]! & 15] = huffman(counts, bytes.slice(at + 17, at + 17 + total));
      at += 17 + total;
    }
  } else if (marker >= 0xc0 && marker <= 0xc2) {
    if (state.components.length > 0) throw damaged('two frame headers');
    readFrame(state, at);
    state.progressive = marker === 0xc2;
  } else if (marker === 0xdd && end - at >= 2) {
    state.restart = view.getUint16(at);
  } else if (marker === 0xee && end - at >= 12 && view.getUint32(at) === 0x41646f62) {
    state.ycck = bytes[at + 11] === 2; // "Adobe", transform
  }
}

/** The frame header; readHeader has checked its length, sizes and sampling factors. */
function readFrame(state: State, at: number): void {
  const { bytes, view } = state;
  state.height = view.getUint16(at + 1);
  state.width = view.getUint16(at + 3);
  const read = Array.from({ length: bytes[at + 5]! }, (_, i) => {
    const from = at + 6 + 3 * i;
    return { id: bytes[from]!, h: bytes[from + 1]! >> 4, v: bytes[from + 1]! & 15, table: bytes[from + 2]! };
  });
  const most = { h: Math.max(...read.map((c) => c.h)), v: Math.max(...read.map((c) => c.v)) };
  const unitsAcross = Math.ceil(state.width / (8 * most.h));
  const unitsDown = Math.ceil(state.height / (8 * most.v));
  state.components = read.map((c) => ({
    ...c,
    usedAcross: Math.ceil(Math.ceil((state.width * c.h) / most.h) / 8),
    usedDown: Math.ceil(Math.ceil((state.height * c.v) / most.v) / 8),
    across: unitsAcross * c.h,
    coefficients: new Int16Array(unitsAcross * c.h * unitsDown * c.v * 64),
    last: 0,
    scanned: false,
  }));
}

/** Reads one scan; returns where its data end. */
function readScan(state: State, at: number, end: number): number {
  const { bytes, components, dc, ac, restart, progressive } = state;
  const n = bytes[at]!;
  if (n < 1 || n > 4 || at + 4 + 2 * n > end) throw damaged('a wrong scan header');
  const chosen = Array.from({ length: n }, (_, i) => {
    const component = components.find((c) => c.id === bytes[at + 1 + 2 * i]);
    if (!component) throw damaged('a scan of an unknown component');
    const tables = bytes[at + 2 + 2 * i]!;
    component.last = 0;
    component.scanned = true;
    return { component, dc: dc[tables >> 4], ac: ac[tables & 15] };
  });
  const [from, to, bitsSent] = [bytes[at + 1 + 2 * n]!, bytes[at + 2 + 2 * n]!, bytes[at + 3 + 2 * n]!];
  if (progressive && (to > 63 || from > to || (from === 0 && to !== 0) || (from > 0 && n > 1) || (bitsSent & 15) > 13)) {
    throw damaged('a wrong progressive scan');
  }
  const decode = blockDecoder({ from, to, high: bitsSent >> 4, low: bitsSent & 15, progressive });
  const bits = new Bits(bytes, end);
  const run: Run = { blocks: 0 };
  const block = ({ component: c, dc, ac }: (typeof chosen)[number], row: number, column: number) => {
    const start = (row * c.across + column) * 64;
    decode(bits, c, c.coefficients.subarray(start, start + 64), dc, ac, run);
  };
  // Alone, a component's blocks come row by row; together, by units of h × v blocks each.
  const alone = n === 1 ? chosen[0]! : undefined;
  const unitsAcross = alone ? alone.component.usedAcross : components[0]!.across / components[0]!.h;
  const unitsDown = alone ? alone.component.usedDown : components[0]!.coefficients.length / 64 / components[0]!.across / components[0]!.v;
  for (let unit = 0; unit < unitsAcross * unitsDown; unit++) {
    if (restart > 0 && unit > 0 && unit % restart === 0) {
      bits.restart();
      run.blocks = 0;
      for (const { component } of chosen) component.last = 0;
    }
    const row = Math.floor(unit / unitsAcross);
    const column = unit % unitsAcross;
    if (alone) {
      block(alone, row, column);
      continue;
    }
    for (const part of chosen) {
      const { h, v } = part.component;
      for (let i = 0; i < h * v; i++) block(part, row * v + Math.floor(i / h), column * h + (i % h));
    }
  }
  return bits.at;
}

/** cosines[x · 8 + u] = c(u)/2 · cos((2x + 1)uπ/16), so that the inverse transform is C · F · Cᵀ. */
const cosines = Float64Array.from({ length: 64 }, (_, i) => {
  const x = i >> 3;
  const u = i & 7;
  return (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16);
});

/** Dequantises and inverts one block into 8 lines of `out`. */
function invert(block: Int16Array, quantiser: Uint16Array, half: Float64Array, out: Uint8ClampedArray, at: number, stride: number): void {
  for (let u = 0; u < 8; u++) {
    for (let y = 0; y < 8; y++) half[y * 8 + u] = 0;
    for (let v = 0; v < 8; v++) {
      const f = block[v * 8 + u]! * quantiser[v * 8 + u]!;
      if (f !== 0) for (let y = 0; y < 8; y++) half[y * 8 + u]! += cosines[y * 8 + v]! * f;
    }
  }
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      let sum = 128;
      for (let u = 0; u < 8; u++) sum += cosines[x * 8 + u]! * half[y * 8 + u]!;
      out[at + y * stride + x] = sum;
    }
  }
}

/** Rows of RGB. Files from Adobe, and so all that are met, store inks inverted: 255 is none. */
function samples({ components, quantisers, width, height, ycck }: State): Pixels {
  const most = { h: Math.max(...components.map((c) => c.h)), v: Math.max(...components.map((c) => c.v)) };
  const half = new Float64Array(64);
  const planes = components.map((c) => {
    const quantiser = quantisers[c.table];
    if (!quantiser) throw damaged('a missing quantisation table');
    const strip = new Uint8ClampedArray(c.across * 64);
    let held = -1;
    /** Line y of the component; its row of blocks is inverted when first asked for. */
    return (y: number) => {
      const row = y >> 3;
      if (row !== held) {
        for (let i = 0; i < c.across; i++) {
          const start = (row * c.across + i) * 64;
          invert(c.coefficients.subarray(start, start + 64), quantiser, half, strip, i * 8, c.across * 8);
        }
        held = row;
      }
      return strip.subarray((y & 7) * c.across * 8, ((y & 7) + 1) * c.across * 8);
    };
  });
  const clamped = new Uint8ClampedArray(3);
  return {
    width,
    height,
    readRow(y, rgb) {
      const lines = components.map((c, i) => planes[i]!(Math.floor((y * c.v) / most.v)));
      for (let x = 0, to = 0; x < width; x++, to += 3) {
        const value = (i: number) => lines[i]![Math.floor((x * components[i]!.h) / most.h)]!;
        const key = value(3);
        let [c, m, n] = [value(0), value(1), value(2)];
        if (ycck) {
          // YCC of the inks themselves; stored inverted, they are 255 − RGB.
          const [cb, cr] = [m - 128, n - 128];
          clamped[0] = 255 - (c + 1.402 * cr);
          clamped[1] = 255 - (c - 0.344136 * cb - 0.714136 * cr);
          clamped[2] = 255 - (c + 1.772 * cb);
          [c, m, n] = [clamped[0]!, clamped[1]!, clamped[2]!];
        }
        rgb[to] = Math.round((c * key) / 255);
        rgb[to + 1] = Math.round((m * key) / 255);
        rgb[to + 2] = Math.round((n * key) / 255);
      }
    },
  };
}
