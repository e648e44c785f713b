/**
 * JPEG in rows, for what the codec has no room for or refuses: very large pictures and those of four inks. It holds two rows of units, and
 * gives the bytes that the codec gives.
 */

import { inksToRgb } from './cmyk.ts';
import { damaged } from './entropy.ts';
import { Unreadable } from './header.ts';
import { invert } from './idct.ts';
import { type Component, openScans, type Scans } from './jpegscans.ts';
import type { Pixels } from './resample.ts';
import { enlarged, type Lines } from './upsample.ts';

/** Writes a line of the components as RGB. */
type ToRgb = (lines: readonly Uint8Array[], width: number, rgb: Uint8Array) => void;

/** The prepared result of `use`, which reads rows from the top; what it leaves is read too, so that damage anywhere is found. */
export function decodeRows<T>(bytes: Uint8Array, use: (pixels: Pixels) => T): T {
  const scans = openScans(bytes);
  const { components, width, height } = scans;
  const most = { h: Math.max(...components.map((c) => c.h)), v: Math.max(...components.map((c) => c.v)) };
  const strips = components.map((c) => new Uint8Array(2 * c.across * c.v * 64));
  let read = 0;
  const readUpTo = (row: number) => {
    for (; read <= row; read++) {
      scans.next();
      for (const [i, c] of components.entries()) invertRow(c, strips[i]!, read & 1);
    }
  };
  const sources = components.map((c, i): ((y: number) => Uint8Array) => {
    const stride = c.across * 8;
    const strip = strips[i]!;
    const lines: Lines = {
      width: c.width,
      height: c.height,
      line(y) {
        const row = Math.floor(y / (8 * c.v));
        readUpTo(row);
        const start = (y - 8 * c.v * (row - (row & 1))) * stride;
        return strip.subarray(start, start + stride);
      },
    };
    if (most.h % c.h || most.v % c.v) throw new Unreadable('a JPEG of a rare kind (sampling factors that do not divide)');
    return enlarged(lines, most.h / c.h, most.v / c.v);
  });
  const toRgb = colours(scans);
  const result = use({
    width,
    height,
    readRow(y, rgb) {
      toRgb(
        sources.map((source) => source(y)),
        width,
        rgb,
      );
    },
  });
  for (; read < scans.rows; read++) scans.next();
  return result;
}

/** Inverts the row of units just read into one half of the component's strip. */
function invertRow({ coefficients, quantiser, across, v }: Component, strip: Uint8Array, half: number): void {
  if (!quantiser) throw damaged('a missing quantisation table');
  const stride = across * 8;
  for (let i = 0; i < v; i++) {
    for (let column = 0; column < across; column++) {
      invert(coefficients, (i * across + column) * 64, quantiser, strip, (half * v + i) * 8 * stride + column * 8, stride);
    }
  }
}

/** What the components are, as libjpeg judges it: by the JFIF segment, Adobe's, and then the components' names. */
function colours({ components, adobe, jfif }: Scans): ToRgb {
  if (components.length === 1) return grey;
  if (components.length === 4) return inksToRgb(adobe === 2);
  const isRgb = !jfif && (adobe === undefined ? components.map((c) => String.fromCharCode(c.id)).join('') === 'RGB' : adobe === 0);
  return isRgb ? plain : yccToRgb;
}

const grey: ToRgb = ([y], width, rgb) => {
  for (let x = 0, to = 0; x < width; x++) for (let i = 0; i < 3; i++) rgb[to++] = y![x]!;
};

const plain: ToRgb = ([r, g, b], width, rgb) => {
  for (let x = 0, to = 0; x < width; x++, to += 3) {
    rgb[to] = r![x]!;
    rgb[to + 1] = g![x]!;
    rgb[to + 2] = b![x]!;
  }
};

const share = (value: number, rounding: number) =>
  Int32Array.from({ length: 256 }, (_, i) => Math.round(value * 65536) * (i - 128) + rounding);
const redOfCr = share(1.402, 32768).map((v) => v >> 16);
const blueOfCb = share(1.772, 32768).map((v) => v >> 16);
const greenOfCr = share(-0.71414, 0);
const greenOfCb = share(-0.34414, 32768);

/** From luma and two chromas (JFIF), in 16 fraction bits. */
const yccToRgb: ToRgb = ([luma, cb, cr], width, rgb) => {
  const clamped = new Uint8ClampedArray(rgb.buffer, rgb.byteOffset, width * 3);
  for (let x = 0, to = 0; x < width; x++, to += 3) {
    const [y, u, v] = [luma![x]!, cb![x]!, cr![x]!];
    clamped[to] = y + redOfCr[v]!;
    clamped[to + 1] = y + ((greenOfCb[u]! + greenOfCr[v]!) >> 16);
    clamped[to + 2] = y + blueOfCb[u]!;
  }
};
