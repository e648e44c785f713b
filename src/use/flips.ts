/** Two looks at a picture, one of them in a mirror: their answers are averaged. */
import { Io } from '../../assembly/abi/program.ts';
import { InputError } from '../base/error.ts';
import type { Engine } from '../engine/engine.ts';
import { inputOf, type Preparation, portOf } from '../input/index.ts';
import { probabilitiesOf } from '../task/index.ts';

/** Refuses what has no mirror image, or no classes. `where`: what asked for it. */
export function checkFlips(task: string, preprocess: Preparation, where: string): void {
  if (inputOf(preprocess).name === 'picture' && task === 'classify') return;
  throw new InputError({ where, what: 'are of pictures and classes', got: task === 'classify' ? 'arrays' : `task ${task}` }, 'S2A_OPTION');
}

/** A prepared picture, left and right changed. Its own bytes are left as they are. */
export function mirrored(pixels: Uint8Array, preprocess: Preparation): Uint8Array {
  const { height, width, channels } = portOf(preprocess);
  const out = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * channels;
      const to = (y * width + width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) out[to + c] = pixels[from + c]!;
    }
  return out;
}

/** Logarithms of the mean of two answers' probabilities: logits of that mean. */
export function averaged(a: ArrayLike<number>, b: ArrayLike<number>): Float32Array {
  const [p, q] = [probabilitiesOf(a), probabilitiesOf(b)];
  return Float32Array.from(p, (x, i) => Math.log((x + q[i]!) / 2));
}

/**
 * Logits of the picture that lies in the port; with a preparation, which says its size, of it and of its mirror image. The engine's last pass is that of the
 * picture as it is.
 */
export function look(engine: Engine, preprocess: Preparation | undefined): Float32Array {
  if (preprocess === undefined) {
    engine.run('eval');
    return engine.floats(Io.Logits);
  }
  const pictures = engine.bytes(Io.Pictures);
  const straight = pictures.slice();
  pictures.set(mirrored(straight, preprocess));
  engine.run('eval');
  const other = engine.floats(Io.Logits).slice();
  pictures.set(straight);
  engine.run('eval');
  return averaged(engine.floats(Io.Logits), other);
}
