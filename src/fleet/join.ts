/** Taking part in a fleet, as one call: key, journal, board and link, and the node that runs over them. */
import { join } from 'node:path';
import { DEFAULTS } from '../base/defaults.ts';
import { defined } from '../base/defined.ts';
import { InputError } from '../base/error.ts';
import { holdFolder } from '../base/lock.ts';
import { guardOutput } from '../base/output.ts';
import { readLimitedText } from '../base/reading.ts';
import type { JobHooks, TrainJob } from '../training/jobtypes.ts';
import { mostBytes, openBoard } from './board.ts';
import type { FleetEvent } from './events.ts';
import { Journal } from './journal.ts';
import { openKey } from './key.ts';
import { addressOf, Link } from './link.ts';
import { runNode } from './node.ts';
import { createWork } from './work.ts';

/** What taking part needs. */
export interface FleetJoin {
  /** Address of the server's fleet API: https://host:port, or http:// where nothing is to be encrypted. */
  server: string;
  /** Model, pictures, method, budget: as for training; `out` holds the newest adapter of the fleet, and `fleet/` in it all else. */
  job: TrainJob;
  /** File of the node's private key, made where it is not there; fleet/key.pem in `out` where absent. */
  key?: string | undefined;
  /** File of certificates (PEM) of the authority that the server's is from; the system's where absent. */
  ca?: string | undefined;
  /** What it is called in the fleet; a part of its key's hash where absent. */
  name?: string | undefined;
  /** Stay when the run is over, for the next one. */
  stays?: boolean;
  signal?: AbortSignal | undefined;
  tell(event: FleetEvent): void;
  /** The clock in ms since 1970, and the pace of tries: for tests. */
  now?: () => number;
  pace?: number;
}

/** A server's address, and the certificates that it is believed by; undefined: the system's. */
export function serverOf(server: string, ca: string | undefined): { url: URL; authority: string | undefined } {
  const url = addressOf(server);
  if (url.protocol === 'http:' && ca !== undefined)
    throw new InputError({ where: '--ca', what: 'is for https, and the address says http', got: server });
  const authority = ca === undefined ? undefined : readLimitedText(ca, 1 << 20, 'certificates');
  if (authority !== undefined && !authority.includes('BEGIN CERTIFICATE'))
    throw new InputError({ where: ca!, what: 'holds no certificate', expected: 'PEM' });
  return { url, authority };
}

/** Takes part until the run is over. Throws InputError for a refusal, BudgetError where a round does not fit, Interrupted when stopped. */
export async function joinFleet({ server, job, key: keyPath, ca, name, stays = false, signal, tell, now, pace }: FleetJoin): Promise<void> {
  guardOutput(job.out, job);
  const { url, authority } = serverOf(server, ca);
  const folder = join(job.out, 'fleet');
  const said = new Set<string>();
  const warn = (text: string): void => {
    // Every round would say it again.
    if (!said.has(text)) tell({ event: 'warning', text });
    said.add(text);
  };
  const splitSeed = job.seed ?? DEFAULTS.seed;
  const board = openBoard({ ...job, out: join(folder, 'local') }, splitSeed, warn);
  const lock = holdFolder(folder);
  const clock = defined({ now, pace });
  try {
    const key = openKey(keyPath ?? join(folder, 'key.pem'));
    const link = new Link({ server: url, key, ...defined({ ca: authority, now }) });
    const stop = signal ?? new AbortController().signal;
    const hooks: JobHooks = {
      warn,
      signal: stop,
      onEpoch: ({ epoch, train: { loss, correct, count } }) => tell({ event: 'epoch', epoch, loss, accuracy: correct / count, count }),
    };
    const work = createWork({ board, out: job.out, name: name ?? key.fingerprint, secret: key.secret, hooks, tell });
    await runNode({
      link,
      server: url.origin,
      key,
      journal: new Journal(folder),
      work,
      most: mostBytes(board),
      stays,
      signal: stop,
      tell,
      ...clock,
    });
  } finally {
    lock.release();
  }
}
