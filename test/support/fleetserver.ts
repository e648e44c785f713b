/** A Flower server of the fleet protocol in small, for tests: one run, its script, and whatever may go wrong with servers and networks. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { digest } from '../../src/base/digest.ts';
import type { NumberArray } from '../../src/fleet/arrays.ts';
import { wireOf } from '../../src/fleet/bytes.ts';
import { announced, type Content, readContent, replyObject } from '../../src/fleet/message.ts';
import { objectsIn, parseObject, treeMessage } from '../../src/fleet/objects.ts';
import type { Value } from '../../src/fleet/records.ts';
import type { Field } from '../../src/formats/wire.ts';
import { bytes, inside, int, type Message, message, string, whole } from '../../src/formats/wirewriter.ts';

/** What the server asks of its node. */
export interface Question {
  type: 'query' | 'train' | 'evaluate';
  config: ReadonlyMap<string, Value>;
  arrays?: ReadonlyMap<string, NumberArray>;
  /** Of several nodes the one that is asked, by the order in which they came, from 1; absent: whoever comes. */
  to?: number;
}

/** What it was answered. */
export interface Told {
  question: Question;
  /** Undefined: an error, whose sentence is in `error`. */
  content: Content | undefined;
  error: string;
}

export interface ServerOptions {
  /** The next question, after these answers; undefined: the run is over. */
  script(told: readonly Told[]): Question | undefined;
  /** Fingerprints that are let in, where not every key is. */
  registered?: string[];
  /** What becomes of the n-th call, the first is 1: cut before it is done, or after, or answered by a status, which may have Flower's number and words. */
  fate?(call: string, n: number): 'well' | 'before' | 'after' | number | { status: number; code: number; detail: string };
  /** Changes an object's bytes on their way to the node. */
  tamper?(content: Uint8Array, id: string): Uint8Array;
  /** Seconds until which an answer is taken; a question whose time is over counts as one that was not answered. */
  ttl?: number;
  /** The server's clock, in ms. */
  now?(): number;
  tls?: { key: string; cert: string };
  port?: number;
}

/** Seconds that a signed moment may lie back, and ahead. */
const [TOLERANCE, DRIFT] = [300, 5];
const RUN = 2n ** 63n + 77n;
const SERVER = 1n;

interface Waiting {
  question: Question;
  id: string;
  created: number;
  isGiven: boolean;
}

/** A running server. `told`: answers that were taken, in order; `calls`: how often each call was made. */
export class FleetServer {
  readonly told: Told[] = [];
  readonly calls = new Map<string, number>();
  /** Answers that came for a question that was answered already, under another name: there must be none. */
  doubled = 0;
  bytesUp = 0;
  url = '';
  private readonly o: ServerOptions;
  private readonly server: http.Server;
  private readonly nodes = new Map<string, bigint>();
  private readonly online = new Set<bigint>();
  private readonly objects = new Map<string, Uint8Array>();
  private waiting: Waiting | undefined;
  private answer: { id: string; wanted: Set<string>; said: Uint8Array } | undefined;
  private isOver = false;

  constructor(options: ServerOptions) {
    this.o = options;
    const handle = (request: http.IncomingMessage, response: http.ServerResponse): void => void this.serve(request, response);
    this.server = options.tls ? https.createServer(options.tls, handle) : http.createServer(handle);
  }

  async open(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.url = `${this.o.tls ? 'https' : 'http'}://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  private now(): number {
    return (this.o.now ?? Date.now)() / 1000;
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const call = request.url!.replace('/v1/fleet/', '');
    const n = (this.calls.get(call) ?? 0) + 1;
    this.calls.set(call, n);
    const fate = this.o.fate?.(call, n) ?? 'well';
    if (fate === 'before') return void request.socket.destroy();
    const body = new Uint8Array(Buffer.concat(parts));
    this.bytesUp += body.length;
    const { status, answer } = fated(fate) ?? this.answerTo(call, request, body);
    if (fate === 'after') return void request.socket.destroy();
    response.writeHead(status, { date: new Date(this.now() * 1000).toUTCString(), 'content-type': 'application/protobuf' });
    response.end(answer);
  }

  private answerTo(call: string, request: http.IncomingMessage, body: Uint8Array): { status: number; answer: Uint8Array } {
    const no = (status: number, code: number, detail: string) => ({ status, answer: Buffer.from(JSON.stringify({ code, detail })) });
    const pem = Buffer.from(String(request.headers['flwr-public-key']), 'base64').toString();
    const moment = String(request.headers['flwr-timestamp']);
    const age = this.now() - Date.parse(moment) / 1000;
    const isSigned = verify(
      'sha256',
      Buffer.from(moment),
      createPublicKey(pem),
      Buffer.from(String(request.headers['flwr-signature']), 'base64'),
    );
    if (!isSigned || age > TOLERANCE + DRIFT || age < -DRIFT)
      return { status: 401, answer: Buffer.from('{"detail":"Invalid SuperNode authentication"}') };
    const yes = (...fields: (Message | undefined)[]) => ({ status: 200, answer: whole(message(...fields)) });
    const fields = fieldsIn(body);
    if (call === 'register-node') {
      if (this.o.registered) return no(412, 2001, 'SuperNode authentication is enabled.');
      if (!this.nodes.has(pem)) this.nodes.set(pem, BigInt(this.nodes.size + 1) + 2n ** 63n);
      return yes(int(1, this.nodes.get(pem)!));
    }
    if (call === 'activate-node') {
      if (this.o.registered?.includes(fingerprintOf(pem)) && !this.nodes.has(pem)) this.nodes.set(pem, 2n ** 63n + 9n);
      const id = this.nodes.get(pem);
      if (id === undefined || this.online.has(id)) return no(412, 2004, 'Failed to activate SuperNode.');
      this.online.add(id);
      return yes(int(1, id));
    }
    const id = this.nodes.get(pem);
    const claimed = call.endsWith('activate-node') || call === 'unregister-node' ? fields.big(1) : fields.inner(1).big(1);
    if (id === undefined || id !== claimed) return { status: 401, answer: Buffer.from('{"detail":"Invalid SuperNode authentication"}') };
    return this.known(call, id, fields, yes, no);
  }

  private known(
    call: string,
    id: bigint,
    fields: Fields,
    yes: (...fields: (Message | undefined)[]) => { status: number; answer: Uint8Array },
    no: (status: number, code: number, detail: string) => { status: number; answer: Uint8Array },
  ): { status: number; answer: Uint8Array } {
    const over = no(403, 2007, 'The current run status does not allow this Fleet API operation.');
    switch (call) {
      case 'send-node-heartbeat':
        this.online.add(id);
        return yes(int(1, 1));
      case 'deactivate-node':
        this.online.delete(id);
        return yes();
      case 'unregister-node':
        for (const [pem, one] of this.nodes) if (one === id) this.nodes.delete(pem);
        return yes();
      case 'get-run':
        return this.isOver ? over : yes(inside(1, int(1, RUN)));
      case 'pull-messages':
        return this.give(id, yes);
      case 'pull-object': {
        const name = fields.text(3);
        const content = this.objects.get(name);
        return content === undefined ? yes() : yes(int(1, 1), int(2, 1), bytes(3, this.o.tamper?.(content, name) ?? content));
      }
      case 'confirm-message-received':
        return this.isOver ? over : yes();
      case 'push-messages':
        return this.isOver ? over : this.announce(fields, yes);
      case 'push-object':
        return this.isOver ? over : yes(int(1, this.keep(fields.text(3), fields.bytes(4)) ? 1 : 0));
      default:
        return { status: 404, answer: new Uint8Array() };
    }
  }

  /** Each question is given but once. */
  private give(id: bigint, yes: (...fields: (Message | undefined)[]) => { status: number; answer: Uint8Array }) {
    if (this.waiting?.isGiven && this.o.ttl !== undefined && this.now() > this.waiting.created + this.o.ttl) {
      this.told.push({ question: this.waiting.question, content: undefined, error: 'nobody answered in time' });
      this.waiting = undefined;
    }
    if (this.waiting === undefined) {
      const question = this.o.script(this.told);
      if (question === undefined) this.isOver = true;
      else this.waiting = { question, id: '', created: this.now(), isGiven: false };
    }
    const { waiting } = this;
    const to = waiting?.question.to;
    if (waiting === undefined || waiting.isGiven || (to !== undefined && id !== BigInt(to) + 2n ** 63n)) return yes();
    waiting.isGiven = true;
    const asked = {
      ...{ run: RUN, id: '', from: id, to: SERVER, group: String(this.told.length), ttl: this.o.ttl ?? 3600, type: waiting.question.type },
      ...{ created: waiting.created, fromTask: undefined, toTask: 5n },
    };
    const object = replyObject(
      asked,
      { arrays: waiting.question.arrays, metrics: new Map(), config: waiting.question.config },
      waiting.created,
    );
    waiting.id = object.id;
    this.objects.clear();
    for (const [name, { content }] of objectsIn(object)) this.objects.set(name, content);
    return yes(inside(2, announced(asked, object.id, object, '', waiting.created)), inside(3, treeMessage(object)));
  }

  private announce(fields: Fields, yes: (...fields: (Message | undefined)[]) => { status: number; answer: Uint8Array }) {
    const said = fields.inner(2);
    const [name, question] = [said.inner(1).text(2), said.inner(1).text(5)];
    const names = new Set<string>();
    const walk = (tree: Fields): void => {
      names.add(tree.text(1));
      for (const child of tree.all(2)) walk(child);
    };
    walk(fields.inner(3));
    const { waiting } = this;
    // An answer that was taken already is the same one again, or a second one.
    if (waiting?.id !== question) {
      if (!this.taken.has(name)) this.doubled++;
      return yes();
    }
    if (this.answer?.id !== name) {
      if (this.answer) this.doubled++;
      this.answer = { id: name, wanted: names, said: fields.bytes(2) };
    }
    return yes(...[...this.answer.wanted].map((one) => string(3, one)), string(4, 'session'));
  }

  private readonly taken = new Set<string>();
  private readonly got = new Map<string, Uint8Array>();

  private keep(name: string, content: Uint8Array): boolean {
    if (digest(content) !== name || this.answer === undefined) return false;
    this.got.set(name, content);
    this.answer.wanted.delete(name);
    if (this.answer.wanted.size > 0) return true;
    const { id, said } = this.answer;
    const root = parseObject('answer', id, this.got.get(id)!);
    const error = fieldsIn(said).has(3) ? fieldsIn(said).inner(3).text(2) : '';
    const content_ =
      error === '' ? readContent('answer', root, (one) => parseObject('answer', one, this.got.get(one)!), { bytes: 1 << 26 }) : undefined;
    this.taken.add(id);
    this.told.push({ question: this.waiting!.question, content: content_, error });
    this.answer = undefined;
    this.waiting = undefined;
    return true;
  }
}

/** An answer that does not depend on what is asked. */
function fated(fate: ReturnType<NonNullable<ServerOptions['fate']>>): { status: number; answer: Uint8Array } | undefined {
  if (typeof fate === 'number') return { status: fate, answer: new Uint8Array() };
  if (typeof fate !== 'object') return undefined;
  const { status, code, detail } = fate;
  return { status, answer: Buffer.from(JSON.stringify({ code, detail })) };
}

const fingerprintOf = (pem: string): string =>
  createHash('sha256')
    .update(createPublicKey(pem).export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);

/** The fields of a message by their numbers. */
interface Fields {
  has(id: number): boolean;
  big(id: number): bigint;
  text(id: number): string;
  bytes(id: number): Uint8Array;
  inner(id: number): Fields;
  all(id: number): Fields[];
}

function fieldsIn(body: Uint8Array): Fields {
  const wire = wireOf('test', body);
  const found = [...wire.fields(0, body.length)];
  const one = (id: number): Field | undefined => found.find((field) => field.id === id);
  return {
    has: (id) => one(id) !== undefined,
    big: (id) => (one(id) ? wire.big(one(id)!) : 0n),
    text: (id) => (one(id) ? wire.text(one(id)!) : ''),
    bytes: (id) => (one(id) ? wire.bytes(one(id)!) : new Uint8Array()),
    inner: (id) => fieldsIn(one(id) ? wire.bytes(one(id)!) : new Uint8Array()),
    all: (id) => found.filter((field) => field.id === id).map((field) => fieldsIn(wire.bytes(field))),
  };
}
