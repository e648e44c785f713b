// Pictures for the matrix: two classes, ten to learn from and four to judge by; made from whole numbers, so the same everywhere.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { encode } from 'fast-png';

const SIDE = 40;

export function makePictures(root) {
  if (existsSync(root)) return;
  for (const [part, count] of Object.entries({ train: 5, val: 2 }))
    for (const [label, name] of ['left', 'right'].entries()) {
      mkdirSync(join(root, part, name), { recursive: true });
      for (let i = 0; i < count; i++) writeFileSync(join(root, part, name, `${i}.png`), picture(label, i + (part === 'val' ? 100 : 0)));
    }
}

/** Stripes that lean one way or the other, with a little noise. */
function picture(label, number) {
  const data = new Uint8Array(SIDE * SIDE * 3);
  let noise = 1 + 2 * number + label;
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(i / 3) % SIDE, Math.floor(i / 3 / SIDE)];
    noise = (Math.imul(noise, 1103515245) + 12345) >>> 0;
    data[i] = 60 + ((((label === 0 ? x + y : x + SIDE - y) + number) * 8) % 128) + ((noise >>> 16) % 40);
  }
  return encode({ width: SIDE, height: SIDE, data, channels: 3, depth: 8 });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) makePictures(process.argv[2]);
