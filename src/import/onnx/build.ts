/** A file's network in the graph, with its blocks and its head. */
import { depthOf } from '../../network/blocks.ts';
import { type Builder, PROJECTIONS, type Projection } from '../../network/builder.ts';
import { enterBlock, leaveBlocks } from '../../network/entry.ts';
import { classifier, pool } from '../../network/layer.ts';
import type { Family } from '../family.ts';
import { build, flattened, layerOf } from './layers.ts';
import type { Network } from './network.ts';
import type { Step } from './steps.ts';

export interface Onnx {
  image: readonly [number, number];
  network: Network;
}

/** What a graph needs of a family; its head is named by its nodes. */
export const ONNX: Family<Onnx> = { title: 'ONNX', readers: [], build: onnx, heads: () => [], check: () => {} };

/** What a linear layer is in attention, by the value that it makes. */
function projections(steps: readonly Step[]): Map<number, Projection> {
  const roles = new Map<number, Projection>();
  for (const { op, inputs } of steps)
    if (op === 'attention' || op === 'crossAttention') for (const [i, id] of inputs.entries()) roles.set(id, PROJECTIONS[i]!);
  return roles;
}

/** x: pixels [B,H,W,3]; returns logits [B,classes]. */
export function onnx(b: Builder, x: number, { network }: Onnx, classes: number): number {
  const { steps, features } = network;
  const own = network.blocks;
  const roles = projections(steps);
  const ids = new Map<number, number>();
  const embeds = steps.filter(({ op }) => op === 'embed');
  const [tokens] = embeds;
  const extraTokens = embeds.reduce((n, { params }) => n + Number(params.cls !== undefined) + Number(params.dist !== undefined), 0);
  const patches = tokens && steps[tokens.inputs[0]!]!.shape;
  const count = depthOf(b.method, own.length);
  const blocks = {
    count,
    extraTokens,
    ...(patches?.length === 3 ? { grid: patches.slice(0, 2) as [number, number] } : {}),
  };
  const isWhole = count === own.length;
  for (let at = 0; at <= features; at++) {
    const starting = own.findIndex(({ first }) => first === at);
    const ended = own.findIndex(({ end }) => end === at);
    if (ended === count - 1 && count > 0) {
      leaveBlocks(b, blocks);
      if (!isWhole) return early(b, network, ids, own[count - 1]!.end, classes);
    }
    if (starting >= 0 && starting < count) {
      const { entry } = own[starting]!;
      ids.set(entry, enterBlock(b, ids.get(entry)!, starting, blocks));
    }
    ids.set(at, at === 0 ? x : build(b, steps[at]!, ids, roles.get(at)));
  }
  if (own.at(-1)?.end === features + 1) leaveBlocks(b, blocks);
  return headOf(b, network, ids.get(features)!, classes);
}

const headOf = (b: Builder, { head }: Network, x: number, classes: number): number =>
  classifier(b, flattened(b, x), head ? layerOf(head) : 'head', classes);

/** A network that ends early: what follows its blocks reads the last one's output where it has the shape that it was made for, else its mean. */
function early(b: Builder, network: Network, ids: Map<number, number>, end: number, classes: number): number {
  const { steps, features, blocks } = network;
  const output = steps.slice(0, end).findLastIndex((_, i) => ids.has(i));
  const last = blocks.at(-1)!;
  const final = lastValue(network, last.end);
  const x = ids.get(output)!;
  if (String(steps[output]!.shape) !== String(steps[final]!.shape))
    return classifier(b, pool(b, x, 'pool'), network.head ? layerOf(network.head) : 'head', classes);
  ids.set(final, x);
  const roles = projections(steps);
  for (let at = last.end; at <= features; at++) ids.set(at, build(b, steps[at]!, ids, roles.get(at)));
  return headOf(b, network, ids.get(features)!, classes);
}

/** The value that crosses the end of the last block. */
function lastValue({ steps, features }: Network, end: number): number {
  const read = steps.slice(end).flatMap(({ inputs }) => inputs);
  return Math.max(...[...read, features].filter((id) => id < end));
}
