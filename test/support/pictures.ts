/** Folders of small generated pictures: a class is a colour and a slope, with noise, so that there is something to learn. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { numbers } from './close.ts';
import { newFolder } from './folder.ts';

const SIDE = 36;

export interface PictureOptions {
  classes?: number;
  train: number;
  val: number;
  /** Spread of the noise; classes lie about 60 apart. */
  noise?: number;
  seed?: number;
  /** Of the classes these alone. */
  only?: readonly number[];
}

/** A new folder `{train,val}/<class>/*.png`. */
export function pictureFolder({ classes = 3, train, val, noise = 60, seed = 1, only }: PictureOptions): string {
  const root = newFolder();
  for (const [part, count] of Object.entries({ train, val }))
    for (const label of only ?? Array(classes).keys()) {
      const folder = join(root, part, `class-${label}`);
      mkdirSync(folder, { recursive: true });
      for (let i = 0; i < count; i++)
        writeFileSync(join(folder, `${i}.png`), picture(label, noise, seed * 10007 + (part === 'val' ? 500 : 0) + label * 100 + i));
    }
  return root;
}

function picture(label: number, noise: number, seed: number): Uint8Array {
  const random = numbers(SIDE * SIDE * 3, seed, noise);
  const data = new Uint8Array(SIDE * SIDE * 3);
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / 3);
    const along = label % 2 === 0 ? pixel % SIDE : Math.floor(pixel / SIDE);
    const level = 90 + (i % 3 === label % 3 ? 60 : 0) + along;
    data[i] = Math.max(0, Math.min(255, Math.round(level + random[i]!)));
  }
  return encode({ width: SIDE, height: SIDE, data, channels: 3, depth: 8 });
}
