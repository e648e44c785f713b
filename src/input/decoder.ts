/**
 * The decoder as seen from outside: the one place of src/data that starts a process or a thread. A process gives all its memory back when
 * it ends; of a thread's, 20 to 40 MiB stay with the allocator. Deno takes the thread: it may not run programs without being asked.
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { InputError } from '../base/error.ts';
import { ownFile } from '../base/ownfile.ts';
import type { Preparation } from './preparation.ts';
import type { Reply, Request } from './worker.ts';

/** What is to be prepared, how, and where in the file it belongs. */
export type Wish = Omit<Request, 'spec'> & { spec: Preparation };

export interface Decoder {
  decode(request: Wish): Promise<Decoded>;
  /** Ends the decoder; its memory is returned before this resolves. */
  close(): Promise<void>;
}

/** One running decoder. */
interface Running {
  send(request: Request): void;
  end(): Promise<unknown>;
}

/** What a decoder has to say of a picture. */
export type Decoded = Exclude<Reply, { full: true }>;

/** A heap that is collected as it grows, when the decoder itself asks for it too: garbage is memory like any other. */
const HEAP = ['--expose-gc', '--semi-space-growth-factor=1', '--optimize-for-size'];

interface Events {
  reply(reply: Reply): void;
  /** By a signal: not the picture's doing, or not for certain. */
  lost(what: string, signal?: boolean): void;
}

function startThread(file: URL, path: string, { reply, lost }: Events): Running {
  const worker = new Worker(file, { workerData: path });
  worker.on('message', reply);
  worker.on('error', (error) => lost(error.message));
  worker.on('exit', (code) => lost(`exit code ${code}`));
  return { send: (request) => worker.postMessage(request), end: () => worker.terminate() };
}

function startProcess(file: URL, fd: number, { reply, lost }: Events): Running {
  const child = fork(fileURLToPath(file), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc', fd], execArgv: HEAP });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.on('message', (message) => reply(message as Reply));
  child.on('error', (error) => lost(error.message));
  child.on('exit', (code, signal) => lost(signal ? `signal ${signal}` : `exit code ${code}`, signal !== null));
  return {
    send: (request) => void child.send(request),
    end: () => {
      child.kill('SIGKILL');
      return ended;
    },
  };
}

const ordinaryKind = process.versions.deno === undefined ? 'process' : 'thread';

/** What pixels are written to: open, and by its name. */
export interface DecoderFile {
  fd: number;
  path: string;
}

/**
 * Starts it on the first picture; it writes pixels into `target`. One that is full, or was ended from outside, is replaced and gets its picture
 * again; one that dies of a picture costs that picture.
 */
export function startDecoder(target: DecoderFile, kind: 'process' | 'thread' = ordinaryKind): Decoder {
  const file = ownFile('decoder.js');
  let running: Running | undefined;
  let waiting: ((reply: Reply | { ended: string }) => void) | undefined;

  const settle = (reply: Reply | { ended: string }) => {
    const resolve = waiting;
    waiting = undefined;
    resolve?.(reply);
  };
  const start = (): Running => {
    const events: Events = {
      reply: settle,
      lost(what, signal = false) {
        if (running !== started) return;
        running = undefined;
        settle(signal ? { ended: what } : { reason: `the decoder stopped: ${what}` });
      },
    };
    const started = kind === 'thread' ? startThread(file, target.path, events) : startProcess(file, target.fd, events);
    return started;
  };
  const ask = (request: Request): Promise<Reply | { ended: string }> => {
    running ??= start();
    const current = running;
    return new Promise((resolve) => {
      waiting = resolve;
      current.send(request);
    });
  };
  const end = async (): Promise<void> => {
    const current = running;
    running = undefined;
    await current?.end();
  };
  return {
    async decode(wish) {
      const request = wish as Request;
      let reply = await ask(request);
      if ('full' in reply || 'ended' in reply) {
        await end();
        reply = await ask(request);
      }
      // What is skipped must not depend on a moment's memory: the run ends, and the picture is named.
      if ('ended' in reply)
        throw new InputError({
          where: request.path,
          what: `the decoder was ended twice at this picture (${reply.ended})`,
          hint: 'is there too little memory? --process-budget limits what it takes',
        });
      return 'full' in reply ? { reason: 'the decoder has no room' } : reply;
    },
    async close() {
      await end();
      settle({ reason: 'the decoder was closed' });
    },
  };
}
