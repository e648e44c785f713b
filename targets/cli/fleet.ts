/** `s2a fleet`: this machine as one of many that learn one adapter. */
import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError, nearest } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import type { FleetEvent } from '../../src/fleet/events.ts';
import { runGateway } from '../../src/fleet/gateway.ts';
import { joinFleet } from '../../src/fleet/join.ts';
import { openKey } from '../../src/fleet/key.ts';
import { formatBytes, formatDuration, formatPercent } from '../../src/report/terminal.ts';
import { status } from './fleetstatus.ts';
import { type Flags, MODEL_FLAGS, modelOf, type Parsed, parse } from './options.ts';
import type { Output } from './output.ts';
import { untilStopped } from './signals.ts';
import { jobOf, TRAIN_FLAGS } from './train.ts';

/** What the server decides, and what a run of one's own has beside it. */
const NOT_HERE = [
  ...['epochs', 'lr', 'patience', 'retries', 'resume', 'overwrite', 'from', 'memory', 'head', 'calibrate', 'tables'],
  ...['report', 'log', 'fidelity', 'threshold', 'loss', 'class-weights'],
];

const JOIN_FLAGS: Flags = {
  ...Object.fromEntries(Object.entries(TRAIN_FLAGS).filter(([name]) => !NOT_HERE.includes(name))),
  ...MODEL_FLAGS,
  model: 'text',
  data: 'text',
  key: 'text',
  ca: 'text',
  name: 'text',
  stay: 'flag',
};

/** Of a gateway: what is the boards' own, or of pictures, has been said where they were packed. */
const NOT_AT_A_GATEWAY = [
  ...['data', 'key', 'name', 'method', 'last', 'depth', 'image-size', 'labels', 'task', 'normalize', 'balance', 'hold-out', 'seed'],
  ...['cache', 'feature-cache', 'process-budget', 'stored', 'threads', 'arithmetic'],
];
const GATEWAY_FLAGS: Flags = {
  ...Object.fromEntries(Object.entries(JOIN_FLAGS).filter(([name]) => !NOT_AT_A_GATEWAY.includes(name))),
  boards: 'text',
  keys: 'text',
};

const need = (p: Parsed, name: string, what: string): string => {
  const value = p.text(name);
  if (value === undefined) throw new InputError({ where: `--${name}`, what: 'is missing', expected: what });
  return value;
};

/** The model, with what was said of it. */
const modelIn = (p: Parsed): string =>
  modelOf(need(p, 'model', 'the model folder'), { arch: p.text('arch'), features: p.text('features') });

/** How an order stands. */
const ORDERED = {
  laid: 'the order lies there',
  away: 'the board’s folder is waited for',
  partial: 'an answer is on its way',
  other: 'another answer lies there',
  answered: 'the answer has come',
} as const;

/** An event as a line for people. */
function lineOf(e: FleetEvent): string {
  switch (e.event) {
    case 'joined':
      return `joined ${e.server} as node ${e.node}, key ${e.key}`;
    case 'lost':
      return `the server is gone: ${e.why}; again in ${Math.round(e.seconds)} s`;
    case 'back':
      return 'the server is back';
    case 'asked':
      return `${e.resumed ? 'going on with' : 'asked for'} ${e.type}${e.round > 0 ? `, round ${e.round}` : ''}`;
    case 'answered':
      return `answered ${e.type} after ${formatDuration(e.seconds)}${e.error === undefined ? '' : ` with a refusal: ${e.error}`}; so far ${formatBytes(e.up)} up, ${formatBytes(e.down)} down`;
    case 'late':
      return `dropped: ${e.why}`;
    case 'epoch':
      return `  epoch ${e.epoch}: loss ${e.loss.toFixed(3)}, ${formatPercent(e.accuracy)} of ${counted(e.count, 'picture')} right`;
    case 'judged':
      return e.count === 0
        ? 'the fleet’s adapter: no pictures held out here to judge it by'
        : `the fleet’s adapter here: loss ${e.loss.toFixed(3)}, ${formatPercent(e.accuracy)} of ${counted(e.count, 'picture')} held out right`;
    case 'adapter':
      return `${e.path} holds the fleet’s adapter of round ${e.round}`;
    case 'order':
      return `${e.title}: ${ORDERED[e.state]}${e.why === '' ? '' : `: ${e.why}`}`;
    case 'warning':
      return e.text;
    case 'left':
      return `the run is over, and the node has left: ${formatBytes(e.up)} sent, ${formatBytes(e.down)} received`;
  }
}

async function join(args: string[], out: Output): Promise<void> {
  const p = parse(args, JOIN_FLAGS, {
    least: 1,
    most: 1,
    usage: 's2a fleet join <server> --model <folder> --data <pictures> --out <folder>',
  });
  const [server] = p.positionals as [string];
  const job = jobOf({ ...p, positionals: [modelIn(p), need(p, 'data', 'the folder of pictures')] });
  const isJson = p.flag('json');
  const { resume: _, overwrite: __, ...rest } = job;
  await untilStopped((signal) =>
    joinFleet({
      server,
      job: rest,
      stays: p.flag('stay'),
      signal,
      ...defined({ key: p.text('key'), ca: p.text('ca'), name: p.text('name') }),
      tell(event) {
        if (isJson) out.json({ time: new Date().toISOString(), ...event });
        else if (event.event === 'warning') out.warn(event.text);
        else out.note(visible(lineOf(event)));
      },
    }),
  );
}

async function gateway(args: string[], out: Output): Promise<void> {
  const p = parse(args, GATEWAY_FLAGS, {
    least: 1,
    most: 1,
    usage: 's2a fleet gateway <server> --model <folder> --boards <folder> --out <folder>',
  });
  const [server] = p.positionals as [string];
  const boards = need(p, 'boards', 'a folder with one for each board');
  const model = modelIn(p);
  // There are no pictures here; the model folder holds none either.
  const { data: _, resume: __, overwrite: ___, ...job } = jobOf({ ...p, positionals: [model, model] });
  const isJson = p.flag('json');
  await untilStopped((signal) =>
    runGateway({
      server,
      job,
      boards,
      stays: p.flag('stay'),
      signal,
      ...defined({ keys: p.text('keys'), ca: p.text('ca') }),
      tell({ board, ...event }) {
        if (isJson) out.json({ time: new Date().toISOString(), board, ...event });
        else if (event.event === 'failed') out.warn(`${visible(board)}: ${event.why}`);
        else if (event.event === 'warning') out.warn(`${visible(board)}: ${event.text}`);
        else out.note(visible(`${board}: ${lineOf(event)}`));
      },
    }),
  );
}

function key(args: string[], out: Output): void {
  const p = parse(args, {}, { least: 1, most: 1, usage: 's2a fleet key <file>' });
  const [path] = p.positionals as [string];
  const { fingerprint, publicLine } = openKey(path);
  out.note(visible(`key ${fingerprint}; its public half, which flwr supernode register takes, is ${path}.pub`));
  out.line(publicLine);
}

const PARTS: Readonly<Record<string, (args: string[], out: Output) => void | Promise<void>>> = { join, gateway, key, status };

export async function fleet([part, ...rest]: string[], out: Output): Promise<void> {
  if (part !== undefined && Object.hasOwn(PARTS, part)) return PARTS[part]!(rest, out);
  const near = part === undefined ? undefined : nearest(part, Object.keys(PARTS))[0];
  throw new InputError({
    where: 'fleet',
    what: 'unknown part',
    ...(part === undefined ? {} : { got: part }),
    expected: Object.keys(PARTS).join(', '),
    ...(near ? { hint: `did you mean ${near}?` } : {}),
  });
}
