/** Small pictures, every one of other bytes: a class is a colour, with noise. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { numbers } from './close.ts';

export const COLOURS = ['blue', 'green', 'red'];
const [WIDTH, HEIGHT] = [20, 16];

/** A picture of a colour, by its place in COLOURS; no two numbers give the same. */
export function colourPicture(colour: number, number: number): Uint8Array {
  const noise = numbers(WIDTH * HEIGHT * 3, 1 + number * 7 + colour, 50);
  const data = Uint8Array.from(noise, (n, k) => Math.max(0, Math.min(255, (k % 3 === 2 - colour ? 180 : 80) + n)));
  return encode({ width: WIDTH, height: HEIGHT, data, channels: 3, depth: 8 });
}

/** Adds `count` of them, numbered from `first`, to the class's folder. */
export function addColours(root: string, label: string, colour: number, first: number, count: number): void {
  mkdirSync(join(root, label), { recursive: true });
  for (let i = first; i < first + count; i++) writeFileSync(join(root, label, `${i}.png`), colourPicture(colour, i));
}
