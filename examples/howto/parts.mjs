// Pictures of a part, drawn: node examples/howto/parts.mjs <folder> [--good 200] [--judged 60] [--seed 1]
//
//     <folder>/good/ok/0001.png …      as it comes off the line: turned a little, moved a little, under the light of the day
//     <folder>/judged/ok/…             others like them
//     <folder>/judged/unknown/…        with a scratch, a dent, a hole too few or an edge broken off; the name says which
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { canvas, dice } from './draw.mjs';

const SIDE = 96;
const DEFECTS = ['scratch', 'dent', 'hole', 'edge'];

/** A plate with four holes and a bore; `defect`: one of DEFECTS, or undefined. */
function plate(random, defect) {
  const { between, whole } = random;
  const picture = canvas(SIDE, SIDE, [52, 54, 58]);
  const [x0, y0, turn, half] = [48 + between(-3, 3), 48 + between(-3, 3), between(-0.06, 0.06), 36];
  const at = (x, y) => [x0 + x * Math.cos(turn) - y * Math.sin(turn), y0 + x * Math.sin(turn) + y * Math.cos(turn)];
  const back = (x, y) => {
    const [dx, dy] = [x - x0, y - y0];
    return [dx * Math.cos(turn) + dy * Math.sin(turn), dy * Math.cos(turn) - dx * Math.sin(turn)];
  };
  picture.paint(
    (x, y) => {
      const [u, v] = back(x, y);
      return half - Math.max(Math.abs(u), Math.abs(v)) + 0.5;
    },
    [168, 172, 178],
  );
  // Brushed metal.
  for (let i = 0; i < 24; i++) {
    const v = between(-half + 2, half - 2);
    picture.line(...at(-half + 1, v), ...at(half - 1, v), 0.6, [between(155, 165), 170, 176]);
  }
  const missing = defect === 'hole' ? whole(4) : -1;
  for (let i = 0; i < 4; i++) if (i !== missing) picture.disc(...at(i % 2 ? 25 : -25, i < 2 ? -25 : 25), 5, [45, 46, 50]);
  picture.disc(...at(0, 0), 13, [45, 46, 50]);
  const side = () => (whole(2) ? 1 : -1);
  if (defect === 'scratch') {
    const [x, y, angle, length] = [side() * between(16, 22), between(-16, 16), between(0, Math.PI), between(10, 16)];
    const [dx, dy] = [length * Math.cos(angle), length * Math.sin(angle)];
    picture.line(...at(x - dx, y - dy), ...at(x + dx, y + dy), 2, [70, 72, 76]);
    picture.line(...at(x - dx + 1, y - dy + 2), ...at(x + dx + 1, y + dy + 2), 1, [215, 218, 222]);
  }
  if (defect === 'dent') picture.disc(...at(side() * between(18, 24), between(-12, 12)), between(4, 6), [110, 112, 118]);
  if (defect === 'edge') picture.disc(...at(side() * (half + 1), between(-20, 20)), between(7, 10), [52, 54, 58]);
  picture.light(random);
  return picture;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { good: { type: 'string', default: '200' }, judged: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('node examples/howto/parts.mjs <folder> [--good 200] [--judged 60] [--seed 1]');
let drawn = 0;
function write(into, count, defectOf = (_) => undefined) {
  mkdirSync(join(folder, into), { recursive: true });
  for (let i = 0; i < count; i++) {
    const defect = defectOf(i);
    const name = `${defect === undefined ? '' : `${defect}-`}${String(i).padStart(4, '0')}.png`;
    writeFileSync(join(folder, into, name), plate(dice(10_000 * Number(values.seed) + drawn++), defect).png());
  }
}
write('good/ok', Number(values.good));
write('judged/ok', Number(values.judged));
write('judged/unknown', Number(values.judged), (i) => DEFECTS[i % DEFECTS.length]);
