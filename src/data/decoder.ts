/**
 * The decoder as seen from outside: the one place of src/data that starts a process or a thread. A process gives all its memory back when
 * it ends; of a thread's, 20 to 40 MiB stay with the allocator. Deno takes the thread: it may not run programs without being asked.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { firstFile } from '../files.ts';
import type { Reply, Request } from './worker.ts';

export interface Decoder {
  decode(request: Request): Promise<Reply>;
  /** Ends the decoder; its memory is returned before this resolves. */
  close(): Promise<void>;
}

/** The bundled worker, beside this code in dist/ or, for code run elsewhere in a checkout, in the nearest dist/ above. */
function workerFile(): URL {
  const places = ['./decoder.js', './dist/decoder.js', '../dist/decoder.js', '../../dist/decoder.js', '../../../dist/decoder.js'];
  const url = firstFile(places, import.meta.url);
  if (url) return url;
  throw new Error('decoder.js is missing: run npm run build');
}

/** One running decoder. */
interface Running {
  send(request: Request): void;
  end(): Promise<unknown>;
}

interface Events {
  reply(reply: Reply): void;
  lost(what: string): void;
}

function startThread(file: URL, path: string, { reply, lost }: Events): Running {
  const worker = new Worker(file, { workerData: path });
  worker.on('message', reply);
  worker.on('error', (error) => lost(error.message));
  worker.on('exit', (code) => lost(`exit code ${code}`));
  return { send: (request) => worker.postMessage(request), end: () => worker.terminate() };
}

function startProcess(file: URL, fd: number, { reply, lost }: Events): Running {
  const child = fork(fileURLToPath(file), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc', fd], execArgv: [] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.on('message', (message) => reply(message as Reply));
  child.on('error', (error) => lost(error.message));
  child.on('exit', (code, signal) => lost(signal ? `signal ${signal}` : `exit code ${code}`));
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
 * Starts it on the first picture; it writes pixels into `target`. A decoder that dies (out of memory, say) costs its
 * picture, and a new one takes over.
 */
export function startDecoder(target: DecoderFile, kind: 'process' | 'thread' = ordinaryKind): Decoder {
  const file = workerFile();
  let running: Running | undefined;
  let waiting: ((reply: Reply) => void) | undefined;

  const settle = (reply: Reply) => {
    const resolve = waiting;
    waiting = undefined;
    resolve?.(reply);
  };
  const start = (): Running => {
    const events: Events = {
      reply: settle,
      lost(what) {
        if (running !== started) return;
        running = undefined;
        settle({ reason: `the decoder stopped: ${what}` });
      },
    };
    const started = kind === 'thread' ? startThread(file, target.path, events) : startProcess(file, target.fd, events);
    return started;
  };
  return {
    decode(request) {
      running ??= start();
      const current = running;
      return new Promise((resolve) => {
        waiting = resolve;
        current.send(request);
      });
    },
    async close() {
      const current = running;
      running = undefined;
      await current?.end();
      settle({ reason: 'the decoder was closed' });
    },
  };
}
