/** Bodies of requests: only as many at once, and of as many bytes, as there is room for; read within a time. What is refused is never read. */
import type { IncomingMessage } from 'node:http';
import { mebibytes } from '../base/bytes.ts';
import { HttpError, retryAfter } from './httperror.ts';

export interface Limits {
  /** Requests with a body that are read or wait for their answer at once. */
  waiting: number;
  /** Bytes of one body. */
  bodyBytes: number;
  /** Bytes of all that are held at once. */
  heldBytes: number;
  /** Milliseconds for a whole body. */
  bodyMs: number;
}

export const LIMITS: Limits = { waiting: 32, bodyBytes: 32 << 20, heldBytes: 64 << 20, bodyMs: 30e3 };
/** Seconds until there may be room again. */
const RETRY_SECONDS = 1;

export interface Bodies {
  /** Reads the body and gives it to `use`; its room is free again once that has ended. */
  read<T>(request: IncomingMessage, use: (bytes: Uint8Array) => Promise<T>): Promise<T>;
  /** Refuses (HttpError) what `read` would refuse before its first byte. */
  admit(request: IncomingMessage): number;
  /** How many are being read or answered. */
  waiting(): number;
}

export function createBodies({ waiting: most, bodyBytes, heldBytes, bodyMs }: Limits): Bodies {
  let [waiting, held] = [0, 0];
  const admit = (request: IncomingMessage): number => {
    const length = lengthOf(request);
    if (length > bodyBytes) throw new HttpError(413, `the body has ${mebibytes(length)}, the most is ${mebibytes(bodyBytes)}`);
    if (length === 0) throw new HttpError(400, 'the body is empty; send the bytes of a picture');
    if (waiting >= most || held + length > heldBytes)
      throw new HttpError(503, `${waiting} requests are waiting already; try again`, retryAfter(RETRY_SECONDS));
    return length;
  };
  return {
    admit,
    waiting: () => waiting,
    async read(request, use) {
      const length = admit(request);
      waiting++;
      held += length;
      try {
        return await use(await bytesOf(request, length, bodyMs));
      } finally {
        waiting--;
        held -= length;
      }
    },
  };
}

/** A body says its length before it comes: what is too long is then refused unread. */
function lengthOf({ headers }: IncomingMessage): number {
  const text = headers['content-length'];
  if (text === undefined) throw new HttpError(411, 'the request does not say how long its body is (Content-Length)');
  if (!/^\d{1,15}$/.test(text)) throw new HttpError(400, 'Content-Length is no number of bytes');
  return Number(text);
}

function bytesOf(request: IncomingMessage, length: number, ms: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const bytes = new Uint8Array(length);
    let at = 0;
    const timer = setTimeout(() => end(new HttpError(408, `the body did not come within ${ms / 1000} seconds`)), ms);
    const end = (error?: Error): void => {
      clearTimeout(timer);
      request.removeAllListeners('data');
      if (error) request.pause();
      if (error) reject(error);
      else resolve(bytes);
    };
    request.on('data', (piece: Uint8Array) => {
      if (at + piece.length > length) end(new HttpError(400, 'the body is longer than Content-Length says'));
      else {
        bytes.set(piece, at);
        at += piece.length;
      }
    });
    request.on('end', () => end(at === length ? undefined : new HttpError(400, 'the body is shorter than Content-Length says')));
    request.on('error', () => end(new HttpError(400, 'the connection broke off before the body had come')));
    request.on('aborted', () => end(new HttpError(400, 'the connection broke off before the body had come')));
  });
}
