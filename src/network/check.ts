/**
 * Does a method fit the network? What a method's text alone cannot tell: blocks, places for a module, ranks. Asked as soon as the forward
 * pass stands, before any weight is read. A rank may be more than some layers hold (the last maps of a small network), not more than all.
 */
import { InputError } from '../base/error.ts';
import { shapeOf } from '../graph/graph.ts';
import type { Builder } from './builder.ts';
import { isTarget } from './layer.ts';
import { MOST_POSITIONS } from './prompt.ts';

/** Why a module finds no place, and what would give it one. */
const NOWHERE = {
  prompt: `no block that learns has a map of at most ${MOST_POSITIONS} positions; a smaller --image-size has one`,
  lora: 'no layer that learns is a query or a value, or with all=1 a linear layer or 1x1 convolution; lora:all=1 may have one',
} as const;

export function checkMethod(b: Builder): void {
  const { last, prompt, lora } = b.method;
  const ends = (): string[] =>
    [...new Set(b.adaptable.flatMap(({ name, role }) => [name.split('.').at(-1)!, ...(role ? [role] : [])]))].sort();
  for (const target of lora?.targets?.split('/') ?? [])
    if (b.adaptable.length > 0 && !b.adaptable.some(({ name, role }) => isTarget(target, name, role)))
      throw new InputError({
        where: '--method lora:targets',
        what: 'no layer that learns is called so',
        got: target,
        expected: ends().join(', '),
      });
  if (last !== undefined && last.blocks > b.block.count)
    throw new InputError({
      where: '--last',
      what: 'the network has fewer blocks',
      got: last.blocks,
      expected: `a whole number from 1 to ${b.block.count}`,
    });
  for (const [part, options] of Object.entries({ prompt, lora })) {
    if (options === undefined) continue;
    const where = `--method ${part}`;
    const products = [...b.weights].filter(([name]) => name.startsWith(`${part}.`) && name.endsWith('.A'));
    if (products.length === 0) {
      const [what, hint] = NOWHERE[part as keyof typeof NOWHERE].split('; ') as [string, string];
      throw new InputError({ where, what, hint: b.method.depth ? `${hint}, or a larger --depth` : hint });
    }
    // A product of rank r is as wide as its narrower side at most: A and B have r in common.
    const sides = products.map(([name, a]) =>
      Math.min(...[a, b.weights.get(name.replace(/A$/, 'B'))!].map((id) => numberBeside(shapeOf(b.graph, id), options.rank))),
    );
    const most = Math.max(...sides);
    if (options.rank > most)
      throw new InputError({
        where,
        what: 'the rank is above what any layer can hold',
        got: options.rank,
        expected: `a whole number from 1 to ${most}`,
      });
  }
}

/** Of a matrix with a side of `rank`: the other side. */
const numberBeside = ([n, m]: readonly number[], rank: number): number => (n === rank ? m! : n!);
