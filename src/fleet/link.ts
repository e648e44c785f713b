/**
 * Calls of a Flower server's fleet protocol: protocol buffers over HTTP, each with the node's public key and the signed moment of the call. What goes wrong is one of three things: the server is not there
 * just now (`Unreachable`, worth another try), it says no (`Denied`, with its own number for the reason), or nothing will ever come of it (InputError).
 */
import * as http from 'node:http';
import * as https from 'node:https';
import { InputError, shown } from '../base/error.ts';
import { type Message, whole } from '../formats/wirewriter.ts';
import type { NodeKey } from './key.ts';

/** flwr's version whose protocol this is; servers take equal minor versions. */
export const FLWR = '1.42.0';
/** Longest answer that is read, in bytes: an adapter of a whole network comes in pieces of 5 MiB. */
const MOST_ANSWER = 64 << 20;
const TIMEOUT_MS = 60_000;

/** The server is not there, or not yet. */
export class Unreachable extends Error {}

/** The server said no. */
export class Denied extends Error {
  readonly status: number;
  /** Flower's own number for the reason; 0 where there is none. */
  readonly code: number;
  /** The server's clock when it answered, in ms since 1970; NaN where it does not say. */
  readonly date: number;
  constructor(status: number, code: number, text: string, date: number) {
    super(text);
    this.status = status;
    this.code = code;
    this.date = date;
  }
}

export interface LinkOptions {
  server: URL;
  /** Certificates of authorities that the server's may be from; the system's where absent. */
  ca?: string;
  key: NodeKey;
  /** The clock, in ms since 1970. */
  now?: () => number;
  timeoutMs?: number;
}

/** Reads a server's address; without a scheme it is https. */
export function addressOf(text: string): URL {
  const fail = (what: string, hint?: string): never => {
    throw new InputError({
      where: 'server',
      what,
      got: shown(text.replace(/\/\/[^/@]*@/, '//')),
      expected: 'https://host:port',
      ...(hint ? { hint } : {}),
    });
  };
  let url: URL;
  try {
    url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`);
  } catch {
    return fail('is no address');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') fail('is no address of HTTP');
  if (url.username !== '' || url.password !== '') fail('holds a name or a password', 'a node is known by its key alone');
  if (url.search !== '' || url.hash !== '') fail('holds more than an address');
  return url;
}

/** One server, spoken to with one key over connections that are kept. */
export class Link {
  /** Bytes of bodies sent and received. */
  up = 0;
  down = 0;
  private readonly options: LinkOptions;
  private readonly agent: http.Agent;
  private readonly open = new Set<http.ClientRequest>();

  constructor(options: LinkOptions) {
    this.options = options;
    this.agent =
      options.server.protocol === 'https:'
        ? new https.Agent({ keepAlive: true, ...(options.ca === undefined ? {} : { ca: options.ca }) })
        : new http.Agent({ keepAlive: true });
  }

  /** Sends `body` to a call of the fleet protocol; the answer's bytes. */
  async call(name: string, body: Message): Promise<Uint8Array> {
    const { server } = this.options;
    const bytes = whole(body);
    const { status, headers, answer } = await this.post(`${server.pathname.replace(/\/$/, '')}/v1/fleet/${name}`, bytes);
    this.up += bytes.length;
    this.down += answer.length;
    if (status === 200) return answer;
    throw refusal(server, name, status, answer, Date.parse(String(headers.date ?? '')));
  }

  /** Ends what is being waited for, and the connections. */
  close(): void {
    for (const request of this.open) request.destroy(new Unreachable('closed'));
    this.agent.destroy();
  }

  private headers(bytes: Uint8Array): Record<string, string | number> {
    const { key, now = Date.now } = this.options;
    const moment = new Date(now()).toISOString().replace('Z', '+00:00');
    return {
      'content-type': 'application/protobuf',
      accept: 'application/protobuf',
      'content-length': bytes.length,
      'flwr-public-key': Buffer.from(key.publicPem).toString('base64'),
      'flwr-timestamp': moment,
      'flwr-signature': key.sign(moment),
      'flwr-package-name': 'flwr',
      'flwr-package-version': FLWR,
      'flwr-component-name': 'SuperNode',
    };
  }

  private post(path: string, bytes: Uint8Array): Promise<{ status: number; headers: http.IncomingHttpHeaders; answer: Uint8Array }> {
    const { server, timeoutMs = TIMEOUT_MS } = this.options;
    return new Promise((resolve, reject) => {
      const { request: begin } = server.protocol === 'https:' ? https : http;
      const request = begin(
        {
          agent: this.agent,
          host: server.hostname.replace(/^\[|\]$/g, ''),
          port: server.port || undefined,
          path,
          method: 'POST',
          headers: this.headers(bytes),
        },
        (response) => {
          const parts: Buffer[] = [];
          let length = 0;
          response.on('data', (part: Buffer) => {
            length += part.length;
            if (length > MOST_ANSWER) request.destroy(tooLong(server));
            else parts.push(part);
          });
          response.on('error', (error) => reject(faultOf(server, error)));
          response.on('aborted', () => reject(new Unreachable('the connection was cut in the middle of an answer')));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, answer: Buffer.concat(parts) }));
        },
      );
      this.open.add(request);
      request.setTimeout(timeoutMs, () => request.destroy(new Unreachable(`no answer within ${timeoutMs / 1000} s`)));
      request.on('close', () => this.open.delete(request));
      request.on('error', (error) => reject(faultOf(server, error)));
      request.end(bytes);
    });
  }
}

const tooLong = (server: URL): InputError =>
  new InputError({ where: server.host, what: 'an answer that has no end', expected: `at most ${MOST_ANSWER >> 20} MiB` });

/** What an error of the system means: a certificate that is not believed is refused for good, everything else may pass. */
function faultOf(server: URL, error: Error): Error {
  if (error instanceof InputError || error instanceof Unreachable) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  const text = `${code} ${message}`;
  if (/wrong version number|EPROTO|InvalidContentType|corrupt message/i.test(text))
    return new InputError({ where: server.host, what: 'does not speak TLS', hint: 'http:// says that nothing is to be encrypted' });
  if (/cert|self.signed|issuer|altname/i.test(text))
    return new InputError({
      where: server.host,
      what: `its certificate is not believed: ${shown(message)}`,
      hint: '--ca names the file of the authority that it is from',
    });
  return new Unreachable(code === '' ? shown(message) : (MEANINGS[code] ?? code));
}

const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be looked up just now',
  ETIMEDOUT: 'no connection within the time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
};

/** Flower's number for a version that is not the server's. */
const INCOMPATIBLE = 1001;

/** What an answer other than 200 means. */
function refusal(server: URL, name: string, status: number, answer: Uint8Array, date: number): Error {
  const { code, text } = saidIn(answer);
  if ([500, 502, 503, 504].includes(status)) return new Unreachable(`the server answers ${status}`);
  if (code === INCOMPATIBLE)
    return new InputError({
      where: server.host,
      what: `the server is of another version: ${text}`,
      expected: `flwr ${FLWR.replace(/\d+$/, 'x')}`,
    });
  if (status === 404 || status === 405)
    return new InputError({
      where: server.host,
      what: `has no fleet protocol over HTTP (${name}: ${status})`,
      expected: `a Flower SuperLink of version ${FLWR.replace(/\d+$/, 'x')}`,
      hint: 'the port is that of its fleet API',
    });
  return new Denied(status, code, text === '' ? `status ${status}` : text, date);
}

/** Number and words of an error as flwr writes it; FastAPI's own have words alone. */
function saidIn(answer: Uint8Array): { code: number; text: string } {
  try {
    const { code, detail, extra } = JSON.parse(new TextDecoder().decode(answer.subarray(0, 4096))) as Record<string, unknown>;
    const text = [detail, extra].filter((one): one is string => typeof one === 'string').map(shown);
    return { code: typeof code === 'number' ? code : 0, text: text.join(' ') };
  } catch {
    return { code: 0, text: '' };
  }
}
