// Gestures of a hand with an accelerometer, computed: node examples/howto/gestures.mjs <folder> [--people 12] [--each 4] [--shape sound] [--seed 1]
//
//     <folder>/train/x.npy, y.npy   windows of two seconds at 100 Hz, three axes, of some people; val and test have others
//     <folder>/classes.txt          circle, shake, up, left, twist, still
//
// --shape plot:  [N, 28, 28, 3] bytes: each axis drawn as a curve, time to the right, in a channel of its own
// --shape fold:  [N, 14, 14, 3] float32, m/s²: 196 samples, row after row, the axes as channels
// --shape rows:  [N, 7, 196, 3] float32: the samples to the right, the same in each of seven rows
// --shape sound: [N, 28, 28, 3] float32: how strong each of 28 frequencies is at each of 28 times, a channel an axis
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { dice, npy } from './draw.mjs';

const [SAMPLES, RATE, GRAVITY] = [196, 100, 9.81];
const NAMES = ['circle', 'shake', 'up', 'left', 'twist', 'still'];

/** Acceleration of the hand, m/s², at `t` periods from the gesture's beginning; x to the right, y up, z towards the person. */
const GESTURES = {
  circle: (t) => (t < 2 ? [6 * Math.cos(2 * Math.PI * t), 6 * Math.sin(2 * Math.PI * t), 0] : [0, 0, 0]),
  shake: (t) => (t < 4 ? [9 * Math.sin(2 * Math.PI * 2 * t), 1.5 * Math.sin(2 * Math.PI * 4 * t), 0] : [0, 0, 0]),
  // Off and braked: a whole sine.
  up: (t) => (t < 1 ? [0, 8 * Math.sin(2 * Math.PI * t), 1] : [0, 0, 0]),
  left: (t) => (t < 1 ? [-8 * Math.sin(2 * Math.PI * t), 0, 1] : [0, 0, 0]),
  twist: (t) =>
    t < 2 ? [4 * Math.sin(2 * Math.PI * t), -3 * (1 - Math.cos(2 * Math.PI * t)), 5 * Math.sin(2 * Math.PI * t + 1)] : [0, 0, 0],
  still: () => [0, 0, 0],
};

/** How someone moves: pace, strength, how the device is held. */
const personOf = ({ between }) => ({
  period: between(0.35, 0.75),
  strength: between(0.6, 1.5),
  roll: between(-0.5, 0.5),
  pitch: between(-0.4, 0.4),
});

/** [samples][axis] of one gesture. */
function windowOf(name, person, random) {
  const { between, normal } = random;
  const period = person.period * between(0.85, 1.15);
  const strength = person.strength * between(0.8, 1.25);
  const begins = between(0.05, 0.55);
  const [roll, pitch] = [person.roll + between(-0.15, 0.15), person.pitch + between(-0.15, 0.15)];
  let [driftX, driftY, driftZ] = [0, 0, 0];
  return Array.from({ length: SAMPLES }, (_, i) => {
    const t = (i / RATE - begins) / period;
    let [x, y, z] = t < 0 ? [0, 0, 0] : GESTURES[name](t).map((a) => a * strength);
    // A hand is never quiet.
    [driftX, driftY, driftZ] = [driftX, driftY, driftZ].map((d) => 0.95 * d + 0.12 * normal());
    [x, y, z] = [x + driftX, y + driftY + GRAVITY, z + driftZ];
    // The device turns about the axis through the screen, then about the one across it.
    [x, y] = [x * Math.cos(roll) + y * Math.sin(roll), y * Math.cos(roll) - x * Math.sin(roll)];
    [y, z] = [y * Math.cos(pitch) + z * Math.sin(pitch), z * Math.cos(pitch) - y * Math.sin(pitch)];
    return [x, y, z].map((a) => a + 0.15 * normal());
  });
}

const SHAPES = {
  fold: { shape: [14, 14, 3], of: (window) => Float32Array.from(window.flat()) },
  rows: { shape: [7, SAMPLES, 3], of: (window) => Float32Array.from(new Array(7).fill(window.flat()).flat()) },
  plot: { shape: [28, 28, 3], of: plotOf },
  sound: { shape: [28, 28, 3], of: soundOf },
};

/** Ink 255 on 0, as wide as seven samples are; the middle is the axis's mean, so that it does not matter how the device is held; 20 m/s² either way. */
function plotOf(window) {
  const out = new Uint8Array(28 * 28 * 3);
  for (let axis = 0; axis < 3; axis++) {
    const mean = window.reduce((sum, a) => sum + a[axis], 0) / SAMPLES;
    for (let column = 0; column < 28; column++) {
      const values = window.slice(7 * column, 7 * column + 8).map((a) => 13.5 - (13.5 * (a[axis] - mean)) / 20);
      const [top, bottom] = [Math.min(...values), Math.max(...values)];
      for (let row = 0; row < 28; row++) {
        const ink = Math.max(0, Math.min(1, 1.2 - Math.max(top - row, row - bottom, 0)));
        out[3 * (28 * row + column) + axis] = Math.round(255 * ink);
      }
    }
  }
  return out;
}

/** ln(1 + amplitude in m/s²) from 0.5 to 14 Hz, 0.5 Hz apart, of 64 samples under a Hann window; the mean is taken off. */
function soundOf(window) {
  const out = new Float32Array(28 * 28 * 3);
  for (let axis = 0; axis < 3; axis++) {
    const mean = window.reduce((sum, a) => sum + a[axis], 0) / SAMPLES;
    for (let column = 0; column < 28; column++) {
      const first = Math.round((column * (SAMPLES - 64)) / 27);
      for (let row = 0; row < 28; row++) {
        let [real, imaginary] = [0, 0];
        for (let i = 0; i < 64; i++) {
          const value = (window[first + i][axis] - mean) * (1 - Math.cos((2 * Math.PI * (i + 0.5)) / 64));
          const angle = (Math.PI * (row + 1) * i) / RATE;
          real += value * Math.cos(angle);
          imaginary += value * Math.sin(angle);
        }
        out[3 * (28 * row + column) + axis] = Math.log1p(Math.hypot(real, imaginary) / 32);
      }
    }
  }
  return out;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    people: { type: 'string', default: '12' },
    each: { type: 'string', default: '4' },
    shape: { type: 'string', default: 'sound' },
    seed: { type: 'string', default: '1' },
  },
});
const [folder] = positionals;
const chosen = SHAPES[values.shape];
if (folder === undefined || chosen === undefined)
  throw new Error('node examples/howto/gestures.mjs <folder> [--people 12] [--each 4] [--shape plot|fold|rows|sound] [--seed 1]');

let person = 0;
for (const [part, people] of [
  ['train', Number(values.people)],
  ['val', 4],
  ['test', 10],
]) {
  const [windows, labels] = [[], []];
  for (let p = 0; p < people; p++) {
    const random = dice(1000 * Number(values.seed) + person++);
    const who = personOf(random);
    for (let k = 0; k < Number(values.each); k++)
      for (const [label, name] of NAMES.entries()) {
        windows.push(chosen.of(windowOf(name, who, random)));
        labels.push(label);
      }
  }
  const all = new windows[0].constructor(windows.length * windows[0].length);
  for (const [i, window] of windows.entries()) all.set(window, i * window.length);
  mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, part, 'x.npy'), npy(all, [windows.length, ...chosen.shape]));
  writeFileSync(join(folder, part, 'y.npy'), npy(Uint8Array.from(labels), [labels.length]));
}
writeFileSync(join(folder, 'classes.txt'), `${NAMES.join('\n')}\n`);
