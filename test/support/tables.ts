/** Folders of pictures with a table of labels or of numbers, which the pictures show: squares of colours, and how bright they are. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { newFolder } from './folder.ts';

/** Red, green and blue squares in three places; each is there or not. */
const NAMES = ['red', 'green', 'blue'];
const SIDE = 24;

interface Counts {
  train: number;
  val: number;
}

function write(root: string, file: string, colour: (x: number, y: number) => readonly number[]): void {
  const data = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      data.set(
        [...colour(x, y)].map((c, i) => (c + 7 * ((x * 3 + y * 5 + i) % 5)) & 255),
        3 * (y * SIDE + x),
      );
  writeFileSync(join(root, file), encode({ width: SIDE, height: SIDE, data, channels: 3, depth: 8 }));
}

/** `file,labels,split`: which squares are there. */
export function labelFolder({ train, val }: Counts = { train: 16, val: 8 }): string {
  const root = newFolder();
  const lines = ['file,labels,split'];
  for (let i = 0; i < train + val; i++) {
    const bits = (i * 5 + (i >> 3)) & 7;
    const there = NAMES.filter((_, c) => bits & (1 << c));
    write(root, `${i}.png`, (x) => {
      const c = Math.floor(x / (SIDE / 3));
      return bits & (1 << c) ? [0, 1, 2].map((k) => (k === c ? 220 : 10)) : [120, 120, 120];
    });
    lines.push(`${i}.png,${there.join('|')},${i < train ? 'train' : 'val'}`);
  }
  writeFileSync(join(root, 'labels.csv'), `${lines.join('\n')}\n`);
  return root;
}

/** `file,value_left,value_right,split`: how bright each half is, in units of their own. */
export function numberFolder({ train, val }: Counts = { train: 16, val: 8 }, columns = ['value_left', 'value_right']): string {
  const root = newFolder();
  const lines = [`file,${columns.join(',')},split`];
  for (let i = 0; i < train + val; i++) {
    const shades = [(i * 37) % 200, (i * 61 + 40) % 200];
    write(root, `${i}.png`, (x) => [0, 1, 2].map(() => shades[x < SIDE / 2 ? 0 : 1]!));
    lines.push(
      `${i}.png,${columns.map((_, c) => (c === 0 ? 100 + shades[0]! : shades[1]! / 50)).join(',')},${i < train ? 'train' : 'val'}`,
    );
  }
  writeFileSync(join(root, 'labels.csv'), `${lines.join('\n')}\n`);
  return root;
}
