/** The decoder's worker as seen from outside: the one place of src/data that starts a thread. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Preprocess } from './preprocess.ts';
import type { Reply, Request } from './worker.ts';

export interface Decoder {
  decode(request: { path: string; spec: Preprocess; limit: number }): Promise<Reply>;
  /** Ends the thread; its memory is returned before this resolves. */
  close(): Promise<void>;
}

/** The bundled worker, beside this code in dist/ or, for code run elsewhere in a checkout, in the nearest dist/ above. */
function workerFile(): URL {
  for (const place of ['./decoder.js', './dist/decoder.js', '../dist/decoder.js', '../../dist/decoder.js', '../../../dist/decoder.js']) {
    const url = new URL(place, import.meta.url);
    if (existsSync(url)) return url;
  }
  throw new Error('decoder.js is missing: run npm run build');
}

/** Starts the thread. One that dies (out of memory, say) costs its picture, and a new one takes over. */
export function startDecoder(file: URL = workerFile()): Decoder {
  let worker: Worker | undefined;
  let waiting: ((reply: Reply) => void) | undefined;

  const settle = (reply: Reply) => {
    const resolve = waiting;
    waiting = undefined;
    resolve?.(reply);
  };
  const start = () => {
    const started = new Worker(file);
    const lost = (what: string) => {
      if (worker !== started) return;
      worker = undefined;
      settle({ reason: `the decoder stopped: ${what}` });
    };
    started.on('message', settle);
    started.on('error', (error) => lost(error.message));
    started.on('exit', (code) => lost(`exit code ${code}`));
    return started;
  };
  return {
    decode(request) {
      worker ??= start();
      const current = worker;
      return new Promise((resolve) => {
        waiting = resolve;
        current.postMessage(request satisfies Request);
      });
    },
    async close() {
      const current = worker;
      worker = undefined;
      await current?.terminate();
      settle({ reason: 'the decoder was closed' });
    },
  };
}
