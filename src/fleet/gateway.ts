/**
 * A gateway: takes part in a fleet for boards that run s2a.wasm alone. Each board is a node of its own, with its key and its journal; what it is asked lies in
 * its folder under `boards`, and what it answers is taken from there (order.ts, exchange.ts).
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defined } from '../base/defined.ts';
import { InputError, Interrupted } from '../base/error.ts';
import { guarded, isFolder, makeFolder } from '../base/files.ts';
import { holdFolder } from '../base/lock.ts';
import { guardOutput } from '../base/output.ts';
import type { TrainJob } from '../training/jobtypes.ts';
import { mostBytes } from './board.ts';
import { type FarBoard, openCard } from './card.ts';
import type { FleetEvent } from './events.ts';
import { Exchange } from './exchange.ts';
import { createGateWork, type GateOptions } from './gatework.ts';
import { type FleetJoin, serverOf } from './join.ts';
import { Journal } from './journal.ts';
import { openKey } from './key.ts';
import { Link } from './link.ts';
import { runNode } from './node.ts';

/** What one of the boards does, or that its part has ended with an error. */
export type GatewayEvent = (FleetEvent | { event: 'failed'; why: string }) & { board: string };

/** What a gateway needs. */
export interface FleetGateway extends Omit<FleetJoin, 'job' | 'key' | 'name' | 'tell'> {
  /** Model, budget and how a round learns; method, image size and pictures are the boards'. `out` holds the newest adapter, and `fleet/` in it all else. */
  job: Omit<TrainJob, 'data'>;
  /** A folder with one for each board, called as the board is in the fleet, which holds its card: the program.s2a that `s2a pack` made of its pictures. */
  boards: string;
  /** Folder of the boards' private keys, `<board>.pem`, made where they are not there; fleet/keys in `out` where absent. */
  keys?: string | undefined;
  tell(event: GatewayEvent): void;
}

/** Names of the boards: folders, but for hidden ones. */
function namesIn(boards: string): string[] {
  const names = guarded(boards, 'cannot be listed', () => readdirSync(boards))
    .filter((name) => !name.startsWith('.') && isFolder(join(boards, name)))
    .sort();
  if (names.length > 0) return names;
  throw new InputError({ where: boards, what: 'holds no board', expected: 'a folder for each, with its program.s2a in it' });
}

/** Takes part until the run is over for every board. A board's error ends its own part alone, and is thrown when the others are through. */
export async function runGateway(gateway: FleetGateway): Promise<void> {
  const { server, job, boards, ca, signal = new AbortController().signal, tell } = gateway;
  guardOutput(job.out, { ...job, data: boards });
  const { url, authority } = serverOf(server, ca);
  const opened = namesIn(boards).map((name) => ({ name, board: openCard(join(boards, name), job) }));
  const folder = join(job.out, 'fleet');
  const lock = holdFolder(folder);
  const newest = { path: job.out, sent: 0 };
  try {
    const parts = opened.map(async ({ name, board }) => {
      try {
        await runBoard({ ...gateway, signal }, { name, board, url, authority, newest });
      } catch (error) {
        if (!(error instanceof Interrupted)) tell({ board: name, event: 'failed', why: (error as Error).message });
        throw error;
      }
    });
    const ends = await Promise.allSettled(parts);
    const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as Error] : []));
    if (errors.length > 0) throw errors.find((error) => !(error instanceof Interrupted)) ?? errors[0];
  } finally {
    lock.release();
  }
}

interface Part {
  name: string;
  board: FarBoard;
  url: URL;
  authority: string | undefined;
  newest: GateOptions['newest'];
}

/** One board's part. */
async function runBoard(
  { job, boards, keys, stays = false, signal, tell, now, pace }: FleetGateway & { signal: AbortSignal },
  { name, board, url, authority, newest }: Part,
): Promise<void> {
  const own = join(job.out, 'fleet', 'boards', name);
  makeFolder(own);
  const most = mostBytes(board);
  const key = openKey(join(keys ?? join(job.out, 'fleet', 'keys'), `${name}.pem`));
  const told = (event: FleetEvent): void => tell({ ...event, board: name });
  const exchange = new Exchange(join(boards, name), own, most);
  const work = createGateWork({ board, exchange, own, name, secret: key.secret, newest, tell: told });
  await runNode({
    link: new Link({ server: url, key, ...defined({ ca: authority, now }) }),
    server: url.origin,
    key,
    journal: new Journal(own),
    work,
    most,
    stays,
    signal,
    tell: told,
    ...defined({ now, pace }),
  });
}
