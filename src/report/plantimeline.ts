/** What is alive in the arena at each node of a step: the plan's own numbers, as data for a picture. */

import { PHASES, type Phase } from '../graph/graph.ts';
import type { Compiled } from '../pipeline/compiled.ts';
import type { Stretch, Timeline } from './data.ts';

/** The train phase is told apart: forward up to the loss, backward from there on. */
export function timelineOf({ graph, plan, program }: Compiled, budgetBytes?: number): Timeline {
  const stretches: Stretch[] = [];
  const ops: string[] = [];
  const add = (name: Stretch['name'], nodes: readonly { op: string }[]): void => {
    if (nodes.length > 0) stretches.push({ name, first: ops.length, count: nodes.length });
    ops.push(...nodes.map((node) => node.op));
  };
  for (const phase of PHASES) {
    const nodes = graph.phases[phase];
    if (phase !== 'train') add(phase satisfies Exclude<Phase, 'train'>, nodes);
    else {
      const loss = nodes.findIndex((node) => node.isBackward);
      const split = loss < 0 ? nodes.length : loss + 1;
      add('forward', nodes.slice(0, split));
      add('backward', nodes.slice(split));
    }
  }
  const { frozen, trainable, batch, program: code, scratch } = plan.parts;
  const { model, image, method, keep, microBatch } = program.about;
  return {
    title: `${model} ${image.join('x')}, method ${method}, keep ${keep}, ${microBatch === 1 ? 'one picture' : `${microBatch} pictures`} a pass`,
    moments: plan.timeline.map(({ node, live, kept }, i) => ({ node, op: ops[i]!, live, kept })),
    stretches,
    residents: { frozen, trainable, batch, program: code, scratch },
    peak: plan.peak.time,
    linearBytes: plan.linearBytes,
    budgetBytes,
  };
}
