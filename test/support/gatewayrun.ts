/** A fleet's run by a gateway and one board, and the same by a node with Node, for tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FleetGateway, type GatewayEvent, runGateway } from '../../src/fleet/gateway.ts';
import type { Value } from '../../src/fleet/records.ts';
import { answerIn, makeBoard, workingBoard } from './farboard.ts';
import { joinFleet, MODEL, nodeOf, scriptOf } from './fleetrun.ts';
import { FleetServer, type ServerOptions } from './fleetserver.ts';
import { newFolder } from './folder.ts';

/** A gateway to this server. */
export function gatewayOf(server: string, boards: string, more: Partial<FleetGateway> = {}): FleetGateway & { events: GatewayEvent[] } {
  const events: GatewayEvent[] = [];
  return {
    ...{ server, boards, job: { model: MODEL, out: newFolder(), budget: '8MiB', batchSize: 8 } },
    pace: 0.02,
    tell: (event) => void events.push(event),
    events,
    ...more,
  };
}

/** All that a board can be asked: what it has, the start, sums of either kind, a round over all labels and one over its own, a judgement. */
const all: ServerOptions['script'] = (told) => {
  const one = scriptOf({ rounds: 1, more: [['prox', 0.1]] });
  if (told.length < 2) return one(told);
  const train = one(told.slice(0, 2))!;
  const changed = (...more: [string, Value][]) => ({ ...train, config: new Map([...train.config, ...more]) });
  const gram = changed(['phase', 'sums'], ['sums', 'gram']);
  const diagonal = changed(['phase', 'sums'], ['sums', 'diagonal']);
  if (told.length === 6) return one([told[0]!, told[1]!, told[TRAIN]!]);
  return [gram, diagonal, train, changed(['classes', 'own'])][told.length - 2];
};
/** Which of them is a round over all labels. */
export const TRAIN = 4;

/** What undisturbed runs of the one script answered: by a node of its own, and by a board behind a gateway; the board's folder, and its answers by round. */
export async function calm(data: string) {
  const options: ServerOptions = { script: all };
  const first = await new FleetServer(options).open();
  await joinFleet(nodeOf(first.url, data));
  await first.close();
  const server = await new FleetServer(options).open();
  const boards = newFolder();
  const folder = await makeBoard(boards, 'one', data);
  const gateway = gatewayOf(server.url, boards);
  const answers = new Map<string, ReadonlyMap<string, Uint8Array>>();
  const board = workingBoard(folder, () => answers.has(kindOf(folder)) || answers.set(kindOf(folder), answerIn(folder)));
  try {
    await runGateway(gateway);
  } finally {
    await board.stop();
    await server.close();
  }
  return { own: first.told, server, folder, gateway, answers };
}
/** What the order that lies there asks. */
export const kindOf = (folder: string): string =>
  /(count|sums|train|evaluate), for/.exec(readFileSync(join(folder, 'order', 'run.sh'), 'utf8'))![1]!;
