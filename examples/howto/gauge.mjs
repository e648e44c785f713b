// Pictures of a dial, drawn: node examples/howto/gauge.mjs <folder> [--count 300] [--seed 1]
//
//     <folder>/0001.png …   96 x 96, one dial with a needle from 0 to 10 bar, from a little beside, as one camera sees it: changing light, glare on the
//                           glass, dirt, a pipe that shakes
//     <folder>/labels.csv   file,value_bar,split: two of three to learn from, the others to judge by (val, test)
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { canvas, dice } from './draw.mjs';

const SIDE = 96;
const MOST = 10;

/** From lower left over the top to lower right, as dials turn. */
const angleOf = (value) => ((135 + (270 * value) / MOST) * Math.PI) / 180;

/** Where the camera hangs: a little beside, a little turned. */
function cameraOf({ between }) {
  const [wide, high] = [between(0.85, 1), between(0.85, 1)];
  const wall = [between(60, 120), between(60, 120), between(60, 120)];
  return { x: 48 + between(-4, 4), y: 48 + between(-4, 4), radius: between(36, 40), turn: between(-0.15, 0.15), wide, high, wall };
}

function dial(value, { x, y, radius, turn, wide, high, wall }, random) {
  const { between, next } = random;
  const picture = canvas(SIDE, SIDE, wall);
  const [x0, y0] = [x + between(-1.5, 1.5), y + between(-1.5, 1.5)];
  const at = (angle, share) => [x0 + wide * share * radius * Math.cos(angle + turn), y0 + high * share * radius * Math.sin(angle + turn)];
  const ellipse = (share) => (px, py) => share * radius + 0.5 - Math.hypot((px - x0) / wide, (py - y0) / high);
  picture.paint(ellipse(1), [40, 40, 45]);
  picture.paint(ellipse(0.92), [235, 235, 228]);
  for (let mark = 0; mark <= MOST; mark++) {
    const ink = mark >= 8 ? [190, 40, 40] : [30, 30, 30];
    picture.line(...at(angleOf(mark), 0.74), ...at(angleOf(mark), 0.88), mark % 5 === 0 ? 2.6 : 1.4, ink);
  }
  const angle = angleOf(value);
  picture.line(...at(angle + Math.PI, 0.18), ...at(angle, 0.72), 2.6, [20, 20, 20]);
  picture.disc(x0, y0, 4, [20, 20, 20]);
  if (next() < 0.5) {
    // A lamp mirrored in the glass.
    const [gx, gy, size] = [x0 + between(-20, 20), y0 + between(-20, 20), between(6, 14)];
    picture.paint((px, py) => 0.9 * Math.max(0, 1 - Math.hypot(px - gx, (py - gy) * 1.6) / size), [255, 255, 255]);
  }
  for (let i = 0; i < 4; i++) picture.disc(between(0, SIDE), between(0, SIDE), between(0.5, 1.5), [110, 95, 70]);
  picture.light(random);
  return picture;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { count: { type: 'string', default: '300' }, seed: { type: 'string', default: '1' } },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('node examples/howto/gauge.mjs <folder> [--count 300] [--seed 1]');
mkdirSync(folder, { recursive: true });
const camera = cameraOf(dice(Number(values.seed)));
const rows = ['file,value_bar,split'];
for (let i = 0; i < Number(values.count); i++) {
  const random = dice(10_000 * Number(values.seed) + i + 1);
  const value = random.between(0, MOST);
  const file = `${String(i).padStart(4, '0')}.png`;
  writeFileSync(join(folder, file), dial(value, camera, random).png());
  rows.push(`${file},${value.toFixed(2)},${['train', 'train', 'train', 'train', 'val', 'test'][i % 6]}`);
}
writeFileSync(join(folder, 'labels.csv'), `${rows.join('\n')}\n`);
