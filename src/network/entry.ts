/** What happens where a block begins, and after the last: the modules' only contact with a model. */

import type { Blocks } from './blocks.ts';
import type { Builder } from './builder.ts';
import { addHead } from './layer.ts';
import { addPrompt } from './prompt.ts';
import { enterSide, sideLogits } from './side.ts';

/** Entry of block `i`: the side branch taps x, then the prompt is added. Returns what the block reads. */
export function enterBlock(b: Builder, x: number, i: number, blocks: Blocks): number {
  b.block = { index: i, count: blocks.count };
  if (b.method.side) enterSide(b, x, i, blocks, b.method.side);
  return b.method.prompt ? addPrompt(b, x, i, b.method.prompt) : x;
}

/** After the last block: what follows learns whatever `last` says. */
export function leaveBlocks(b: Builder, blocks: Blocks): void {
  b.block = { index: blocks.count, count: blocks.count };
}

/** Logits of the whole: the backbone's, plus the side branch's part of the head. */
export function withSide(b: Builder, logits: number, classes: number): number {
  const side = sideLogits(b, classes);
  return side === undefined ? logits : addHead(b, logits, side);
}
