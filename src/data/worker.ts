/** The decoder's thread: one picture at a time in, prepared pixels or a reason out. It ends before training, and its memory with it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { decodePicture } from './decode.ts';
import { Unreadable } from './header.ts';
import type { Preprocess } from './preprocess.ts';

export interface Request {
  path: string;
  spec: Preprocess;
  /** Bytes that decoding may take. */
  limit: number;
}

export type Reply = { pixels: Uint8Array<ArrayBuffer> } | { reason: string };

/** Grows to the largest file and is read into again: a new buffer each would wait for the collector, megabytes at a time. */
let buffer = new Uint8Array(1 << 20);

function readFile(path: string, limit: number): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size > limit) throw new Unreadable(`too large: ${(size / 2 ** 20).toFixed(0)} MiB of file`);
    if (size > buffer.length) buffer = new Uint8Array(size);
    let done = 0;
    for (let n = 1; n > 0 && done < size; done += n) n = readSync(file, buffer, done, size - done, done);
    return buffer.subarray(0, done);
  } finally {
    closeSync(file);
  }
}

parentPort?.on('message', async ({ path, spec, limit }: Request) => {
  let reply: Reply;
  try {
    reply = { pixels: (await decodePicture(readFile(path, limit), spec, limit)) as Uint8Array<ArrayBuffer> };
  } catch (error) {
    if (error instanceof Unreadable) reply = { reason: error.message };
    else {
      const { code, message } = error as NodeJS.ErrnoException;
      reply = { reason: code ? `cannot be read (${code})` : `the decoder stopped: ${message}` };
    }
  }
  parentPort?.postMessage(reply, 'pixels' in reply ? [reply.pixels.buffer] : []);
});
