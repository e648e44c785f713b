/**
 * The HTTP side: what is asked and what is answered. Everything but the page itself asks the guard first, and a body is read only once there is room.
 *
 *     GET  /            a page to try it from a phone's browser
 *     POST /predict     a picture → its classes; ?top=3; ?width=640&height=480 of raw RGB or RGBA
 *     POST /pictures    ?label=NAME a picture → the class's folder
 *     GET  /status      how it stands
 *     GET  /metrics     the same for Prometheus
 *     POST /learn       a round with what is new
 *     POST /rollback    the adapter before the one in use
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InputError } from '../base/error.ts';
import { resident } from '../base/processmemory.ts';
import { Unreadable } from '../pictures/header.ts';
import { addPicture, checkLabel } from './addpicture.ts';
import { type Answerer, NotReady, type Said } from './answers.ts';
import { type Bodies, createBodies, LIMITS, type Limits } from './body.ts';
import { createGuard } from './guard.ts';
import { HttpError, retryAfter } from './httperror.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { PAGE, PAGE_POLICY } from './page.ts';
import type { Watch, WatchStatus } from './watchtypes.ts';

export interface ServerOptions {
  answerer: Answerer;
  /** Absent: open to this machine. */
  token?: string | undefined;
  /** Where labelled pictures go; absent: none are taken. */
  pictures?: string | undefined;
  watch?: Pick<Watch, 'status' | 'ask' | 'askBack'> | undefined;
  limits?: Partial<Limits>;
}

export interface Listening {
  port: number;
  /** Takes no more requests; those that are being answered are. */
  close(): Promise<void>;
}

/** Milliseconds for a request's head, and between two requests of one connection. */
const HEAD_MS = 10e3;
const IDLE_MS = 5e3;
/** How long answers are waited for at the end, and how often one looks. */
const CLOSE_MS = 10e3;
const TURN_MS = 50;
/** How long a connection stays open for a client that is still sending what was refused. */
const LINGER_MS = 2000;
/** A body that is refused is read nevertheless where it is no longer than this. */
const DRAINED_BYTES = 64 << 10;

interface Shared extends ServerOptions {
  bodies: Bodies;
  metrics: Metrics;
}

type Reply = { status?: number; json: unknown } | { text: string; type: string; policy?: string };
type Handler = (shared: Shared, request: IncomingMessage, url: URL) => Reply | Promise<Reply>;

const ROUTES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  '/': { GET: () => ({ text: PAGE, type: 'text/html; charset=utf-8', policy: PAGE_POLICY }) },
  '/predict': { POST: predict },
  '/pictures': { POST: addLabelled },
  '/status': { GET: (shared) => ({ json: statusOf(shared) }) },
  '/metrics': { GET: (shared) => ({ text: metricsOf(shared), type: 'text/plain; version=0.0.4; charset=utf-8' }) },
  '/learn': { POST: ({ watch }) => asked(watch, (w) => w.ask(), 'a round begins with what is new') },
  '/rollback': { POST: ({ watch }) => asked(watch, (w) => w.askBack(), 'the adapter before this one comes back; /status tells when') },
};

export function listen(options: ServerOptions, port: number, host: string): Promise<Listening> {
  const limits = { ...LIMITS, ...options.limits };
  const shared: Shared = { ...options, bodies: createBodies(limits), metrics: createMetrics() };
  const guard = createGuard(options.token);
  const server = createServer(
    { requestTimeout: limits.bodyMs + HEAD_MS, headersTimeout: HEAD_MS, keepAliveTimeout: IDLE_MS },
    (request, response) => {
      void respond(shared, guard, request, response);
    },
  );
  // curl asks before it sends something large: what would be refused is refused here.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    void respond(shared, guard, request, response, true);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, host, port)));
    server.listen(port, host, () => resolve({ port: (server.address() as AddressInfo).port, close: () => closed(server, shared.bodies) }));
  });
}

const UNHEARD: Readonly<Record<string, readonly [where: string, what: string]>> = {
  EADDRINUSE: ['--port', 'another program listens there'],
  EACCES: ['--port', 'may not be listened on'],
  EADDRNOTAVAIL: ['--host', 'is no address of this machine'],
  ENOTFOUND: ['--host', 'is no address of this machine'],
};

function cannotListen({ code = '', message }: NodeJS.ErrnoException, host: string, port: number): InputError {
  const [where, what] = UNHEARD[code] ?? ['--port', message];
  return new InputError({ where, what, got: `${host}:${port}` }, 'S2A_OPTION');
}

/** Until what is being answered has been, for as long as a client may take; then whoever still holds a connection loses it. */
async function closed(server: Server, bodies: Bodies): Promise<void> {
  const gone = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  for (const end = performance.now() + CLOSE_MS; bodies.waiting() > 0 && performance.now() < end; )
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  // The last answer is on its way.
  setTimeout(() => server.closeAllConnections(), TURN_MS);
  await gone;
}

async function respond(
  shared: Shared,
  guard: (request: IncomingMessage) => void,
  request: IncomingMessage,
  response: ServerResponse,
  mayContinue = false,
): Promise<void> {
  let status: number;
  try {
    const url = urlOf(request);
    const methods = Object.hasOwn(ROUTES, url.pathname) ? ROUTES[url.pathname]! : undefined;
    if (!methods) throw new HttpError(404, `there is no ${url.pathname.slice(0, 100)} here; GET / is a page`);
    if (url.pathname !== '/') guard(request);
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
    const handler = Object.hasOwn(methods, method) ? methods[method]! : undefined;
    const taken = Object.keys(methods).join(', ');
    if (!handler) throw new HttpError(405, `${url.pathname} takes ${taken}`, { allow: taken });
    checkParameters(url);
    if (mayContinue) {
      shared.bodies.admit(request);
      response.writeContinue();
    }
    status = send(request, response, await handler(shared, request, url));
  } catch (error) {
    status = refuse(request, response, error);
  }
  shared.metrics.count('s2a_requests_total', 1, `status="${status}"`);
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  try {
    return new URL(url, 'http://s2a');
  } catch {
    throw new HttpError(400, `${url.slice(0, 100)} is no address; GET / is a page`);
  }
}

/** Parameters behind the question mark, by address; the others take none. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = { '/predict': ['top', 'width', 'height'], '/pictures': ['label'] };

/** HttpError 400 for a parameter that nobody would read, and for one that is given twice. */
function checkParameters({ pathname, searchParams }: URL): void {
  const known = PARAMETERS[pathname] ?? [];
  const given = [...searchParams.keys()];
  for (const [i, name] of given.entries()) {
    if (!known.includes(name))
      throw new HttpError(400, `${pathname} takes no ${name.slice(0, 100)}; ${known.join(', ') || 'nothing'} may stand behind its ?`);
    if (given.indexOf(name) < i) throw new HttpError(400, `${name} is given twice`);
  }
}

const COMMON = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): number {
  const status = 'json' in reply ? (reply.status ?? 200) : 200;
  const text = 'json' in reply ? `${JSON.stringify(reply.json)}\n` : reply.text;
  const type = 'json' in reply ? 'application/json' : reply.type;
  const policy = 'policy' in reply && reply.policy !== undefined ? { 'content-security-policy': reply.policy } : {};
  response.writeHead(status, { ...COMMON, ...policy, 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(request.method === 'HEAD' ? undefined : text);
  return status;
}

/** The sentence for an error, with its status. */
function statusFor(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof Unreadable)
    return new HttpError(/not a JPEG, PNG or WebP/.test(error.message) ? 415 : 422, `the picture cannot be used: ${error.message}`);
  if (error instanceof NotReady) return new HttpError(503, error.message, retryAfter(10));
  if (error instanceof InputError && error.code === 'S2A_DISK') return new HttpError(507, error.message, retryAfter(60));
  if (error instanceof InputError && error.code === 'S2A_FILE') return new HttpError(503, error.message, retryAfter(10));
  if (error instanceof InputError) return new HttpError(400, error.message);
  return new HttpError(500, `unexpected error: ${(error as Error)?.message ?? error}`);
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): number {
  const { status, message, headers } = statusFor(error);
  if (response.headersSent || response.destroyed) return status;
  const text = `${JSON.stringify({ error: message })}\n`;
  const isCut = status === 408 || !(Number(request.headers['content-length']) <= DRAINED_BYTES);
  // A body that nobody will read makes the connection useless for the next request; a small one is sooner read than that.
  const isUnread = request.method === 'POST' && !request.complete && isCut;
  if (!isUnread) request.resume();
  response.writeHead(status, {
    ...COMMON,
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(isUnread ? { connection: 'close' } : {}),
  });
  response.end(text, () => {
    if (isUnread) setTimeout(() => request.socket?.destroy(), LINGER_MS).unref?.();
  });
  return status;
}

async function predict(shared: Shared, request: IncomingMessage, url: URL): Promise<Reply> {
  const { answerer, bodies, metrics } = shared;
  const size = sizeIn(url);
  checkType(request, size !== undefined);
  const top = numberIn(url, 'top', 1, 10_000);
  if (!answerer.isReady()) {
    const why = shared.watch?.status().round ? 'the first round goes on' : 'pictures of two classes are needed';
    throw new NotReady(`nothing has been learnt yet; ${why}`);
  }
  const said = await bodies.read(request, (bytes) => answerer.answer({ bytes, ...(size ? { size } : {}) }));
  metrics.count('s2a_answers_total');
  metrics.count('s2a_answer_seconds_total', said.seconds);
  if (said.unknown) metrics.count('s2a_unknown_total');
  return { json: answerJson(said, top, shared.watch?.status()) };
}

function answerJson({ predictions, unknown, seconds }: Said, top: number | undefined, status: WatchStatus | undefined): object {
  const of = { unknown, seconds: Number(seconds.toFixed(4)), ...(status ? { adapter: status.adapter } : {}) };
  if (predictions[0]?.value !== undefined)
    return { ...of, values: Object.fromEntries(predictions.map(({ label, value }) => [label, value])) };
  const list = predictions
    .slice(0, top)
    .map(({ label, probability, answered }) => ({ label, probability, ...(answered === undefined ? {} : { answered }) }));
  return { ...of, classes: list };
}

async function addLabelled({ answerer, bodies, metrics, pictures }: Shared, request: IncomingMessage, url: URL): Promise<Reply> {
  if (pictures === undefined) throw new HttpError(404, 'pictures are not taken here; --pictures FOLDER or --watch FOLDER takes them');
  const label = checkLabel(url.searchParams.get('label'));
  checkType(request, false);
  const added = await bodies.read(request, async (bytes) => {
    await answerer.check(bytes);
    return addPicture(pictures, label, bytes);
  });
  if (!added.isKnown) metrics.count('s2a_pictures_added_total');
  const { path, isKnown, from } = added;
  return { status: isKnown ? 200 : 201, json: { label, path, isKnown, ...(from === undefined ? {} : { movedFrom: from }) } };
}

/** Pictures come as such, as bytes, or without a word; forms do not. */
function checkType({ headers }: IncomingMessage, isRaw: boolean): void {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type === undefined || type === 'application/octet-stream' || (type.startsWith('image/') && !isRaw)) return;
  // What curl says of --data-binary where nobody tells it otherwise.
  if (type === 'application/x-www-form-urlencoded') return;
  throw new HttpError(
    415,
    `the body is ${type.slice(0, 60)}; send ${isRaw ? 'pixels as application/octet-stream' : "a picture's bytes as they are, as image/jpeg or application/octet-stream"}`,
  );
}

function sizeIn(url: URL): { width: number; height: number } | undefined {
  const [width, height] = [numberIn(url, 'width', 1, 1 << 15), numberIn(url, 'height', 1, 1 << 15)];
  if ((width === undefined) !== (height === undefined)) throw new HttpError(400, 'raw pixels need both width and height');
  return width === undefined ? undefined : { width, height: height! };
}

function numberIn({ searchParams }: URL, name: string, least: number, most: number): number | undefined {
  const text = searchParams.get(name);
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
  throw new HttpError(400, `${name} is a whole number from ${least} to ${most}`);
}

function asked(watch: Shared['watch'], ask: (watch: NonNullable<Shared['watch']>) => void, answer: string): Reply {
  if (!watch) throw new HttpError(404, 'nothing is watched here; --watch FOLDER does');
  ask(watch);
  return { status: 202, json: { answer } };
}

function statusOf({ answerer, watch, pictures, bodies }: Shared): object {
  const why = answerer.whyNotUnknown();
  return {
    isReady: answerer.isReady(),
    classes: answerer.labels(),
    takesPictures: pictures !== undefined,
    waiting: bodies.waiting(),
    ...(why === undefined ? {} : { whyNothingIsUnknown: why }),
    watch: watch?.status() ?? null,
  };
}

function metricsOf({ answerer, watch, bodies, metrics }: Shared): string {
  metrics.set('s2a_waiting', bodies.waiting());
  metrics.set('s2a_resident_bytes', resident().now);
  metrics.set('s2a_linear_bytes', answerer.linearBytes());
  metrics.set('s2a_classes', answerer.labels().length);
  const status = watch?.status();
  if (status) {
    metrics.set('s2a_adapter', status.adapter ?? -1);
    metrics.set('s2a_new_pictures', status.fresh);
    metrics.set('s2a_learning', status.round ? 1 : 0);
    metrics.set('s2a_round_step', status.round?.step ?? 0);
    metrics.set('s2a_round_steps', status.round?.steps ?? 0);
    metrics.set('s2a_rounds_accepted_total', status.rounds.accepted);
    metrics.set('s2a_rounds_refused_total', status.rounds.refused);
    metrics.set('s2a_problem', status.problem === null ? 0 : 1);
  }
  return metrics.text();
}
