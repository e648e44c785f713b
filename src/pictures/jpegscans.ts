/**
 * JPEG row by row, whatever its size: the coefficients of one row of units at a time. A progressive file sends the whole picture scan
 * after scan; but a scan's row needs the same row of the scans before it and no other, so all scans are read side by side, each from a
 * place of its own in the file, and no more than one row is ever held.
 */
import { Bits, blockDecoder, type Decode, type Differences, damaged, type Huffman, huffman, type Run, zigzag } from './entropy.ts';
import { Unreadable } from './header.ts';

export interface Component {
  id: number;
  h: number;
  v: number;
  /** Which quantiser, and the one that stood there at the component's first scan. */
  table: number;
  quantiser: Uint16Array | undefined;
  /** Blocks that carry picture. */
  usedAcross: number;
  usedDown: number;
  /** Blocks in a row of units. */
  across: number;
  /** Samples that carry picture. */
  width: number;
  height: number;
  /** v rows of blocks: the row of units read last. */
  coefficients: Int16Array;
}

interface Part extends Differences {
  component: Component;
  dc: Huffman | undefined;
  ac: Huffman | undefined;
}

interface Scan {
  parts: Part[];
  bits: Bits;
  run: Run;
  decode: Decode;
  restart: number;
  /** Units, or blocks of a component that comes alone, read so far. */
  done: number;
}

export interface Scans {
  width: number;
  height: number;
  components: Component[];
  /** The Adobe segment's transform, and whether there is a JFIF segment: they tell the colours. */
  adobe: number | undefined;
  jfif: boolean;
  /** Rows of units. */
  rows: number;
  /** Reads the next row of units into the components' coefficients. */
  next(): void;
}

/** The segments as they are met. */
interface State {
  bytes: Uint8Array;
  view: DataView;
  quantisers: (Uint16Array | undefined)[];
  dc: (Huffman | undefined)[];
  ac: (Huffman | undefined)[];
  scans: Scan[];
  width: number;
  height: number;
  components: Component[];
  progressive: boolean;
  restart: number;
  adobe: number | undefined;
  jfif: boolean;
}

/** Ordinary files have 10 at most. */
const MOST_SCANS = 100;

/** Finds a file's scans; its rows are read by `next`. */
export function openScans(bytes: Uint8Array): Scans {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const state: State = {
    bytes,
    view,
    quantisers: [],
    dc: [],
    ac: [],
    scans: [],
    width: 0,
    height: 0,
    components: [],
    progressive: false,
    restart: 0,
    adobe: undefined,
    jfif: false,
  };
  let ended = false;
  for (let at = bytes.indexOf(0xff, 2); at >= 0 && at + 1 < bytes.length; ) {
    // Between segments, and in a scan's data, anything may be skipped up to the next marker.
    const marker = bytes[at + 1]!;
    if (marker === 0xff || marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) {
      at = bytes.indexOf(0xff, at + (marker === 0xff ? 1 : 2));
      continue;
    }
    ended = marker === 0xd9;
    if (ended || at + 4 > bytes.length) break;
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length || end < at + 4) break;
    if (marker === 0xda) readScan(state, at + 4, end);
    else readSegment(state, marker, at + 4, end);
    at = bytes.indexOf(0xff, end);
  }
  const { components, scans, width, height, progressive, adobe, jfif } = state;
  if (components.length === 0 || components.some((c) => c.quantiser === undefined) || (progressive && !ended)) {
    throw new Unreadable('a truncated JPEG: it ends before the picture does');
  }
  let row = 0;
  return {
    width,
    height,
    components,
    adobe,
    jfif,
    rows: Math.ceil(height / (8 * Math.max(...components.map((c) => c.v)))),
    next() {
      for (const { coefficients } of components) coefficients.fill(0);
      for (const scan of scans) readRow(scan, row);
      row++;
    },
  };
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
      if (total > 256 || at + 17 + total > end) throw damaged('a short Huffman table');
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
  } else if (marker === 0xe0 && end - at >= 14 && view.getUint32(at) === 0x4a464946 && bytes[at + 4] === 0) {
    state.jfif = true;
  } else if (marker === 0xee && end - at >= 12 && view.getUint32(at) === 0x41646f62) {
    state.adobe = bytes[at + 11];
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
  state.components = read.map((c) => {
    const width = Math.ceil((state.width * c.h) / most.h);
    const height = Math.ceil((state.height * c.v) / most.v);
    const across = unitsAcross * c.h;
    const coefficients = new Int16Array(across * c.v * 64);
    return {
      ...c,
      width,
      height,
      usedAcross: Math.ceil(width / 8),
      usedDown: Math.ceil(height / 8),
      across,
      coefficients,
      quantiser: undefined,
    };
  });
}

/** One scan's header, with the tables as they stand before it. */
function readScan({ bytes, components, quantisers, dc, ac, scans, restart, progressive }: State, at: number, end: number): void {
  const n = bytes[at]!;
  if (n < 1 || n > 4 || at + 4 + 2 * n > end) throw damaged('a wrong scan header');
  if (scans.length === MOST_SCANS) throw damaged(`more than ${MOST_SCANS} scans`);
  const parts = Array.from({ length: n }, (_, i): Part => {
    const component = components.find((c) => c.id === bytes[at + 1 + 2 * i]);
    if (!component) throw damaged('a scan of an unknown component');
    component.quantiser ??= quantisers[component.table];
    if (!component.quantiser) throw damaged('a missing quantisation table');
    const tables = bytes[at + 2 + 2 * i]!;
    return { component, dc: dc[tables >> 4], ac: ac[tables & 15], last: 0 };
  });
  const [from, to, bitsSent] = [bytes[at + 1 + 2 * n]!, bytes[at + 2 + 2 * n]!, bytes[at + 3 + 2 * n]!];
  if (progressive && (to > 63 || from > to || (from === 0 && to !== 0) || (from > 0 && n > 1) || (bitsSent & 15) > 13)) {
    throw damaged('a wrong progressive scan');
  }
  const decode = blockDecoder({ from, to, high: bitsSent >> 4, low: bitsSent & 15, progressive });
  scans.push({ parts, bits: new Bits(bytes, end), run: { blocks: 0 }, decode, restart, done: 0 });
}

/** Reads a scan's share of one row of units. */
function readRow(scan: Scan, row: number): void {
  const { parts, bits, run, decode } = scan;
  const [first] = parts;
  if (parts.length === 1) {
    // Alone, a component's blocks come row by row, those only that carry picture.
    const { component: c, dc, ac } = first!;
    for (let i = 0; i < c.v && row * c.v + i < c.usedDown; i++) {
      for (let column = 0; column < c.usedAcross; column++) {
        begin(scan);
        decode(bits, first!, c.coefficients, (i * c.across + column) * 64, dc, ac, run);
      }
    }
    return;
  }
  const units = first!.component.across / first!.component.h;
  for (let column = 0; column < units; column++) {
    begin(scan);
    for (const part of parts) {
      const { h, v, across, coefficients } = part.component;
      for (let i = 0; i < v; i++) {
        for (let j = 0; j < h; j++) decode(bits, part, coefficients, (i * across + column * h + j) * 64, part.dc, part.ac, run);
      }
    }
  }
}

/** Before each unit: a restart where one is due. */
function begin(scan: Scan): void {
  if (scan.restart > 0 && scan.done > 0 && scan.done % scan.restart === 0) {
    scan.bits.restart();
    scan.run.blocks = 0;
    for (const part of scan.parts) part.last = 0;
  }
  scan.done++;
}
