/** The decoder: one picture at a time in; its pixels go straight into the cache file, a digest or a reason comes back. It ends before training, and its memory with it. */
import { createHash } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { InputError, withoutPlace } from '../base/error.ts';
import { collectGarbage, reserve, resident } from '../base/processmemory.ts';
import { readLimited } from '../base/reading.ts';
import { decodeBytes, readHeader, Unreadable } from '../pictures/header.ts';
import { decodePicture } from './decode.ts';
import type { Preprocess } from './preprocess.ts';

export interface Request {
  path: string;
  spec: Preprocess;
  /** Bytes that decoding may take. */
  limit: number;
  /** Where in the file the pixels belong. */
  offset: number;
}

/**
 * `digest`: SHA-256 of the pixels written. `reason`: the picture cannot be used. `failed`: the file cannot be written. `full`: earlier pictures
 * have left so much that this one would go past the limit, or have not for certain left room for it; a new process has.
 */
export type Reply = ({ digest: string } | { reason: string } | { failed: string } | { full: true }) & {
  /** SHA-256 of the picture's file, where it could be read. */
  content?: string;
  /** The most this process has had resident; absent from a thread. */
  peakBytes?: number;
};

/** A child knows its parent's file by this number: the first after its own channel. A thread opens the file for itself: Deno's have numbers of their own. */
const CHILD_FD = 4;

/** Grows to the largest file and is read into again: a new buffer each would wait for the collector, megabytes at a time. */
let buffer = new Uint8Array(1 << 20);

function room(bytes: number): Uint8Array {
  if (bytes > buffer.length) buffer = new Uint8Array(bytes);
  return buffer;
}

/** Whether this process has read a picture. */
let isUsed = false;

/** Whether what this process holds and this picture together go past its share of the budget. Only who may be replaced asks. */
function isFull(file: Uint8Array, limit: number): boolean {
  if (parentPort || reserve.decoder === undefined || !isUsed) return false;
  const most = reserve.decoder + limit;
  const needed = Math.min(limit, decodeBytes(readHeader(file), file.length));
  if (resident().now + needed <= most) return false;
  collectGarbage();
  return resident().now + needed > most;
}

async function answer({ path, spec, limit, offset }: Request, fd: number): Promise<Reply> {
  let pixels: Uint8Array;
  let content: { content?: string } = {};
  try {
    const file = readLimited(path, limit, 'a picture', room);
    content = { content: sha256(file) };
    if (isFull(file, limit)) return { full: true };
    isUsed = true;
    pixels = await decodePicture(file, spec, limit);
  } catch (error) {
    if (error instanceof Unreadable) return { reason: error.message, ...content };
    if (error instanceof InputError) return { reason: withoutPlace(error) };
    const { code, message } = error as NodeJS.ErrnoException;
    return { reason: code ? `cannot be read (${code})` : `the decoder stopped: ${message}`, ...content };
  }
  try {
    for (let done = 0; done < pixels.length; ) done += writeSync(fd, pixels, done, pixels.length - done, offset + done);
  } catch (error) {
    return { failed: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
  return { digest: sha256(pixels), ...content };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

// A thread answers its port, a process its parent; a parent that is gone ends it.
if (parentPort) {
  const port = parentPort;
  const file = openSync(workerData as string, 'r+');
  port.on('message', async (request: Request) => {
    port.postMessage(await answer(request, file));
  });
} else if (process.send) {
  process.on('message', async (request: Request) => {
    const reply = await answer(request, CHILD_FD);
    process.send?.({ ...reply, peakBytes: resident().peak });
  });
  process.on('disconnect', () => process.exit());
  // Lets a codec's memory go at once where another needs the room.
  setFlagsFromString('--expose-gc');
  (globalThis as { gc?: unknown }).gc ??= runInNewContext('gc');
  // Ctrl-C, a lost terminal and a service's stop reach the whole group: the parent decides when the decoder ends.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
}
