/** SqueezeNet (arXiv 1602.07360): blocks that give few channels by a 1×1 convolution, then many by a 1×1 and a 3×3 side by side. torchvision's names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import type { Config } from '../formats/config.ts';
import { publishedSide } from '../input/torchvision.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder } from '../network/builder.ts';
import { conv, maxPool, type Window } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, pool } from '../network/layer.ts';
import type { Size } from './family.ts';
import { argumentsOf } from './torchvision.ts';

export interface SqueezeNet {
  image: readonly [number, number];
  stem: { out: number; kernel: number };
  blocks: Fire[];
}

interface Fire {
  name: string;
  /** Channels of the first 1×1, and of each of the two convolutions after it. */
  few: number;
  many: number;
  /** The map is halved before it. */
  halves: boolean;
}

const HEAD = 'classifier.1';

/**
 * x: pixels [B,H,W,C]; returns logits. The file's own classifier is of every position, a ReLU stands behind it, and the mean is of what that
 * leaves. A new one begins at zero, where a ReLU would let nothing through, and has none: it reads the mean.
 */
export function squeezeNet(b: Builder, x: number, { stem, blocks: list }: SqueezeNet, classes: number): number {
  const act = (h: number, name: string): number => activation(b, h, `${name}.act`, Kind.Relu);
  const one = (h: number, name: string, out: number, kernel: number, how: Partial<Window> = {}): number =>
    act(conv(b, h, { conv: name, eps: 0 }, out, { kernel, stride: 1, tfPadding: false, ...how }), name);
  let h = one(x, 'features.0', stem.out, stem.kernel, { stride: 2, padding: 'none' });
  const blocks = { count: depthOf(b.method, list.length), extraTokens: 0 };
  for (const [i, { name, few, many, halves }] of list.slice(0, blocks.count).entries()) {
    if (halves) h = maxPool(b, h, `${name}.pool`, 3, 2, 'over');
    const squeezed = one(enterBlock(b, h, i, blocks), `${name}.squeeze`, few, 1);
    const wide = [one(squeezed, `${name}.expand1x1`, many, 1), one(squeezed, `${name}.expand3x3`, many, 3)];
    h = append(b, 'Concat', `${name}.both`, wide, { axis: 3 });
  }
  leaveBlocks(b, blocks);
  if (b.head === 'new') return classifier(b, pool(b, h, 'pool'), HEAD, classes, 4);
  return pool(b, act(classifier(b, h, HEAD, classes, 4), HEAD), 'pool');
}

/** Blocks by their number in `features`: channels of both kinds, and whether a pooling stands before. */
type Row = readonly [at: number, few: number, many: number, halves?: true];
// biome-ignore format: one a line
const DESIGNS: Readonly<Record<string, { stem: SqueezeNet['stem']; rows: readonly Row[] }>> = {
  squeezenet1_0: {
    stem: { out: 96, kernel: 7 },
    rows: [[3, 16, 64, true], [4, 16, 64], [5, 32, 128], [7, 32, 128, true], [8, 48, 192], [9, 48, 192], [10, 64, 256], [12, 64, 256, true]],
  },
  squeezenet1_1: {
    stem: { out: 64, kernel: 3 },
    rows: [[3, 16, 64, true], [4, 16, 64], [6, 32, 128, true], [7, 32, 128], [9, 48, 192, true], [10, 48, 192], [11, 64, 256], [12, 64, 256]],
  },
};
export const SQUEEZENETS: readonly string[] = Object.keys(DESIGNS);

export function tvSqueezeNet(name: string, c: Config, image: Size): SqueezeNet {
  argumentsOf(c);
  const { stem, rows } = DESIGNS[name]!;
  const side = publishedSide(name);
  const blocks = rows.map(([at, few, many, halves = false]) => ({ name: `features.${at}`, few, many, halves }));
  return { image: image ?? [side, side], stem, blocks };
}
