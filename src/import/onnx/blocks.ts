/**
 * The blocks of a graph, on which prompts, side branches, `--last`, `--depth` and recompute hang: stretches of steps between places where one
 * value is all that crosses. A module list in the steps' paths says how they are grouped (`blocks.3`, `layers.1.blocks.0`); without paths,
 * equal stretches that repeat are.
 */
import type { Step } from './steps.ts';

export interface Block {
  /** The first step of the block, and the first that is no part of it. */
  first: number;
  end: number;
  /** The value that it begins with: all that it reads of what came before. */
  entry: number;
}

/** For every step the one value that is alive before it; undefined where there are more. */
export function cuts(steps: readonly Step[], last: number): (number | undefined)[] {
  const until = new Array<number>(steps.length).fill(-1);
  steps.forEach(({ inputs }, at) => {
    for (const id of inputs) until[id] = Math.max(until[id]!, at);
  });
  until[last] = steps.length;
  const out: (number | undefined)[] = [];
  let alive: number[] = [];
  for (let at = 0; at < steps.length; at++) {
    alive = alive.filter((id) => until[id]! >= at);
    out.push(alive.length === 1 ? alive[0] : undefined);
    if (until[at]! > at) alive.push(at);
  }
  return out;
}

const isWeighted = (step: Step): boolean => step.params.weight !== undefined;

/** Prefixes of a path that end in a number: `layer1`, `layer1.0`; with the pattern that they are of: `layer#.#`. */
function numbered(scope: string): { pattern: string; path: string }[] {
  const parts = scope.split('.');
  return parts.flatMap((part, i) => {
    const path = parts.slice(0, i + 1).join('.');
    return /\d$/.test(part) ? [{ pattern: path.replace(/\d+/g, '#'), path }] : [];
  });
}

/** Groups by the modules' paths: the deepest list of modules whose members begin and end where one value crosses. */
function byPaths(steps: readonly Step[], cut: readonly (number | undefined)[]): Block[] | undefined {
  const lists = new Map<string, Map<string, { first: number; end: number; count: number }>>();
  steps.forEach(({ scope }, at) => {
    for (const { pattern, path } of numbered(scope)) {
      const members = lists.get(pattern) ?? new Map();
      lists.set(pattern, members);
      const member = members.get(path) ?? { first: at, end: at, count: 0 };
      members.set(path, { first: member.first, end: at + 1, count: member.count + 1 });
    }
  });
  let best: { blocks: Block[]; depth: number } | undefined;
  for (const [pattern, members] of lists) {
    const found = [...members.values()].sort((a, b) => a.first - b.first);
    const fits = found.every(
      ({ first, end }, i) =>
        cut[first] !== undefined && (end === steps.length || cut[end] !== undefined) && (i === 0 || found[i - 1]!.end <= first),
    );
    const covered = found.reduce((n, { first, end }) => n + end - first, 0);
    const depth = pattern.split('.').length;
    if (!fits || found.length < 2 || covered * 2 < steps.length || (best && best.depth >= depth)) continue;
    best = { depth, blocks: found.map(({ first, end }) => ({ first, end, entry: cut[first]! })) };
  }
  if (best === undefined) return undefined;
  // A member of one layer (a stem, a last convolution) is no block where others have more.
  const weighty = best.blocks.filter(({ first, end }) => steps.slice(first, end).filter(isWeighted).length > 1);
  return weighty.length > 1 ? weighty : best.blocks;
}

/** Groups by repetition: the stretches between cuts, so many together that their kinds repeat. */
function byRepetition(steps: readonly Step[], cut: readonly (number | undefined)[]): Block[] {
  const places = [...cut.keys()].filter((at) => at > 0 && cut[at] !== undefined);
  const stretches = places.map((first, i) => ({ first, end: places[i + 1] ?? steps.length, entry: cut[first]! }));
  const kinds = stretches.map(({ first, end }) =>
    steps
      .slice(first, end)
      .map(({ op }) => op)
      .join(),
  );
  const whole = stretches.filter(({ first, end }) => steps.slice(first, end).filter(isWeighted).length > 1);
  if (whole.length < 2) return stretches.filter(({ first, end }) => steps.slice(first, end).some(isWeighted));
  const own = whole.map(({ first }) => kinds[stretches.findIndex((s) => s.first === first)]!);
  const period = own.length % 2 === 0 && own[0] !== own[1] && own.every((kind, i) => i < 2 || kind === own[i - 2]) ? 2 : 1;
  const blocks: Block[] = [];
  for (let i = 0; i + period <= whole.length; i += period)
    blocks.push({ first: whole[i]!.first, end: whole[i + period - 1]!.end, entry: whole[i]!.entry });
  return blocks;
}

/** The blocks of the steps before the head, whose features are value `last`. */
export function blocksOf(steps: readonly Step[], last: number): Block[] {
  const cut = cuts(steps, last);
  return byPaths(steps, cut) ?? byRepetition(steps, cut);
}
