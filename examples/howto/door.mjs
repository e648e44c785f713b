// A camera at a door, drawn:
//
//     node examples/howto/door.mjs photos <folder> [--of nobody,cat,postman] [--count 30] [--seed 1]    <folder>/cat/0001.jpg …
//     node examples/howto/door.mjs camera [--of nobody,cat,postman] [--each 8] [--fps 2] [--seed 9]    JPEGs on standard output, as a camera
//                                                                                                        sends them: first nobody, then a cat …
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { canvas, dice } from './draw.mjs';

const [WIDTH, HEIGHT] = [160, 120];

/** Who may stand there, drawn onto the picture with the feet at (x, y). */
const VISITORS = {
  nobody: () => {},
  cat(picture, x, y, { between }) {
    const fur = [between(40, 90), between(35, 70), between(30, 60)];
    picture.line(x - 11, y - 12, x + 9, y - 12, 12, fur);
    for (const leg of [-13, -7, 5, 11]) picture.line(x + leg, y - 10, x + leg, y, 4, fur);
    picture.disc(x + 16, y - 21, 7, fur);
    picture.line(x + 12, y - 26, x + 11, y - 32, 3, fur);
    picture.line(x + 20, y - 26, x + 21, y - 32, 3, fur);
    picture.line(x - 16, y - 14, x - 24, y - 30, 3, fur);
  },
  postman(picture, x, y, random) {
    person(picture, x, y, [35, 60, 130], random);
    picture.box(x - 24, y - 48, x - 2, y - 30, [205, 150, 80]);
    picture.line(x - 13, y - 48, x - 13, y - 30, 2, [150, 105, 50]);
    picture.line(x - 8, y - 84, x + 10, y - 84, 5, [35, 60, 130]);
  },
  neighbour(picture, x, y, random) {
    person(picture, x, y, [170, 50, 60], random);
    picture.line(x + 14, y - 52, x + 26, y - 2, 3, [120, 80, 40]);
    picture.disc(x, y - 83, 8, [215, 215, 215]);
  },
};

function person(picture, x, y, coat, { between }) {
  const skin = [between(150, 230), between(110, 180), between(90, 150)];
  for (const leg of [-5, 5]) picture.line(x + leg, y - 30, x + leg, y, 7, [45, 45, 55]);
  picture.line(x, y - 58, x, y - 34, 22, coat);
  picture.line(x - 11, y - 58, x - 14, y - 36, 6, coat);
  picture.line(x + 11, y - 58, x + 14, y - 36, 6, coat);
  picture.disc(x, y - 76, 8, skin);
}

/** What the camera sees with someone before it. */
export function frame(who, random) {
  const { between } = random;
  const picture = canvas(WIDTH, HEIGHT, [188, 178, 160]);
  picture.box(0, 96, WIDTH, HEIGHT, [120, 118, 112]);
  picture.box(96, 14, 148, 97, [96, 66, 44]);
  picture.box(102, 22, 142, 50, [70, 95, 110]);
  picture.disc(140, 62, 2.5, [210, 190, 90]);
  picture.box(18, 74, 40, 98, [150, 84, 56]);
  for (let i = 0; i < 5; i++) picture.disc(29 + between(-9, 9), 64 + between(-9, 9), between(6, 9), [60, between(90, 130), 55]);
  VISITORS[who](picture, between(50, 110), between(102, 114), random);
  picture.light(random);
  return picture;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    of: { type: 'string', default: 'nobody,cat,postman' },
    count: { type: 'string', default: '30' },
    each: { type: 'string', default: '8' },
    fps: { type: 'string', default: '2' },
    seed: { type: 'string' },
  },
});
const [what, folder] = positionals;
const names = values.of.split(',');
const stranger = names.find((name) => !Object.hasOwn(VISITORS, name));
if (stranger !== undefined) throw new Error(`--of: nobody draws ${stranger}, expected any of ${Object.keys(VISITORS).join(', ')}`);

async function photos() {
  for (const [c, name] of names.entries()) {
    mkdirSync(join(folder, name), { recursive: true });
    for (let i = 0; i < Number(values.count); i++) {
      const random = dice(100_000 * Number(values.seed ?? 1) + 1000 * c + i);
      writeFileSync(join(folder, name, `${String(i).padStart(4, '0')}.jpg`), await frame(name, random).jpeg());
    }
  }
}

async function camera() {
  for (const [c, name] of names.entries())
    for (let i = 0; i < Number(values.each); i++) {
      const random = dice(100_000 * Number(values.seed ?? 9) + 1000 * c + i);
      if (!process.stdout.write(await frame(name, random).jpeg())) await once(process.stdout, 'drain');
      await pause(1000 / Number(values.fps));
    }
}

if (what === 'photos' && folder !== undefined) await photos();
else if (what === 'camera') await camera();
else throw new Error('node examples/howto/door.mjs photos <folder>, or node examples/howto/door.mjs camera');
