/** Folders of small arrays: a class is where a stripe lies, with noise. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { npyHead } from '../../src/formats/npy/write.ts';
import { numbers } from './close.ts';
import { newFolder } from './folder.ts';

const TYPES = { '|u1': Uint8Array, '<i4': Int32Array, '<f4': Float32Array } as const;

/** Writes an array; folders on the way are made. */
export function writeArray(path: string, type: keyof typeof TYPES, shape: readonly number[], values: ArrayLike<number>): void {
  mkdirSync(dirname(path), { recursive: true });
  const data = TYPES[type].from(values);
  writeFileSync(path, Buffer.concat([npyHead(type, shape), new Uint8Array(data.buffer)]));
}

export interface Drawn {
  count: number;
  side?: number;
  channels?: number;
  classes?: number;
  seed?: number;
}

/** Whole numbers from 0 to 255, [count, side, side, channels], and their labels. */
export function drawn({ count, side = 32, channels = 1, classes = 3, seed = 1 }: Drawn): { values: number[]; labels: number[] } {
  const noise = numbers(count * side * side * channels, seed, 50);
  const labels = Array.from({ length: count }, (_, i) => i % classes);
  const values = Array.from(noise, (v, i) => {
    const at = Math.floor(i / channels);
    const column = at % side;
    const label = labels[Math.floor(at / (side * side))]!;
    const inStripe = Math.floor((column * classes) / side) === label;
    return Math.max(0, Math.min(255, Math.round(100 + v + (inStripe ? 60 : 0) + 10 * (i % channels))));
  });
  return { values, labels };
}

/** A new folder of stacks, `{train,val}/x.npy` and `y.npy`. */
export function stackFolder(type: '|u1' | '<f4', { train, val, ...of }: Omit<Drawn, 'count'> & { train: number; val: number }): string {
  const root = newFolder();
  const { side = 32, channels = 1 } = of;
  for (const [part, count] of Object.entries({ train, val })) {
    const { values, labels } = drawn({ ...of, count, seed: (of.seed ?? 1) + (part === 'val' ? 77 : 0) });
    writeArray(join(root, part, 'x.npy'), type, [count, side, side, channels], values);
    writeArray(join(root, part, 'y.npy'), '<i4', [count], labels);
  }
  return root;
}
