/** The decoder's thread: one picture at a time in, prepared pixels or a reason out. It ends before training, and its memory with it. */
import { readFileSync } from 'node:fs';
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

parentPort?.on('message', async ({ path, spec, limit }: Request) => {
  let reply: Reply;
  try {
    reply = { pixels: (await decodePicture(readFileSync(path), spec, limit)) as Uint8Array<ArrayBuffer> };
  } catch (error) {
    if (error instanceof Unreadable) reply = { reason: error.message };
    else {
      const { code, message } = error as NodeJS.ErrnoException;
      reply = { reason: code ? `cannot be read (${code})` : `the decoder stopped: ${message}` };
    }
  }
  parentPort?.postMessage(reply, 'pixels' in reply ? [reply.pixels.buffer] : []);
});
