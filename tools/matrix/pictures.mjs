// Pictures for the matrix: two classes, ten to learn from and four to judge by; made from whole numbers, so the same everywhere.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
  writeTables(dirname(root));
}

/** Tables for the other tasks, which name the same pictures: labels of which some have none, and two numbers. */
function writeTables(folder) {
  const rows = Object.entries({ train: 5, val: 2 }).flatMap(([part, count]) =>
    ['left', 'right'].flatMap((name) => Array.from({ length: count }, (_, i) => ({ file: `${part}/${name}/${i}.png`, name, i }))),
  );
  const labels = rows.map(({ file, name, i }) => `${file},${[name, 'even'].slice(i === 0 ? 2 : i % 2).join('|')}\n`);
  const numbers = rows.map(({ file, name, i }) => `${file},${i * 2.5 - 3},${name === 'left' ? -40 : 40 + i}\n`);
  writeFileSync(join(folder, 'labels.csv'), `file,labels\n${labels.join('')}`);
  writeFileSync(join(folder, 'numbers.csv'), `file,value_phase,value_lean\n${numbers.join('')}`);
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
