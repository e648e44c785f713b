/** Watching and serving from JavaScript: options checked as the library's others are, and what does it loaded when it is asked for. */
import { type Bytes, parseBytes } from '../base/bytes.ts';
import { InputError } from '../base/error.ts';
import type { Precision, WeightsWish } from '../base/precision.ts';
import type { Threads } from '../engine/threads.ts';
import { real, SETTINGS as s, whole } from '../training/settings.ts';
import { anyFunction, check, later, needed, object, type Spec, TRAIN } from '../use/library.ts';
import { HOST, PORT } from './defaults.ts';
import { lookMs, watchOptions } from './joboptions.ts';
import { readDuration, readTimes } from './schedule.ts';
import type { WatchJob } from './watchtypes.ts';

/** What answers over HTTP, and where (docs/serve.md). */
export interface ServeJob {
  /** Folder of the model. */
  model: string;
  /** An adapter, or the folder of a watch, whose adapter in use is followed; absent: that of `watch`, beside which none is named, or the model's own head. */
  adapter?: string;
  /** What it listens on; '127.0.0.1' where absent. Addresses beyond this machine need `token`. */
  host?: string;
  /** The port's number; 8080 where absent, 0: any that is free. */
  port?: number;
  /** A file with the token that who asks must know; made where it is not there. */
  token?: string;
  /** The folder that labelled pictures go to; absent: the one that is watched. */
  pictures?: string;
  /** Goes on learning in the same process. */
  watch?: Omit<WatchJob, 'model'>;
  /** The most linear memory: bytes, or a text such as '48MiB'. */
  budget?: Bytes;
  /** The most that the whole process may take, answers and learning: bytes, or a text. */
  processBudget?: Bytes;
  /** How many threads share the work of an answer; absent: one. */
  threads?: Threads;
  /** Precision of frozen weights where it is not to be the adapter's. */
  weights?: WeightsWish<Precision>;
  /** The file for weights that are streamed. */
  stored?: string;
  /** Which share of pictures of known classes may be called unknown; 5 % where absent. */
  unknown?: number | string;
  /** It listens, and says where; the token where it was made now. */
  onListening?(where: { url: string; port: number; token?: string }): void;
  /** Something that a person should know and that stops nothing, as one sentence. */
  warn?(sentence: string): void;
}

const duration = { check: (value: unknown, where: string): void => void readDuration(String(value), where) };
const times = { check: (value: unknown, where: string): void => void readTimes(String(value), where) };
const { resume: _r, overwrite: _o, task: _t, threshold: _h, loss: _l, normalize: _n, cacheFolder: _c, calibrate: _k, ...RUN } = TRAIN;
const WATCH: Spec<WatchJob> = {
  ...RUN,
  ...{ after: whole(), every: duration, at: times, keepLast: whole(1, 1000), tolerance: real(0, 1), look: duration, onEvent: anyFunction },
};
const SERVE: Spec<ServeJob> = {
  ...{ model: needed(s.model), adapter: s.adapter, host: s.model, port: whole(0, 65535), token: s.model, pictures: s.data },
  ...{ watch: object('the options of a watch'), budget: s.budget, processBudget: s.processBudget, threads: s.threads, weights: s.weights },
  ...{ stored: s.stored, unknown: s.unknown, onListening: anyFunction, warn: anyFunction },
};

/**
 * Learns the pictures of a folder as they come, until `signal`: then a run that goes on is saved, and goes on at the next call. Throws InputError for a folder
 * that another program watches, a model or an adapter that cannot be used, BudgetError where a run does not fit.
 */
export const watchFolder = (job: WatchJob, signal: AbortSignal): Promise<void> =>
  later(async () => {
    const own = check('watchFolder', job, WATCH);
    const [{ openWatch }, { watchUntil }] = await Promise.all([import('./watch.ts'), import('./loop.ts')]);
    const watch = openWatch(watchOptions(own));
    try {
      await watchUntil(watch, { everyMs: lookMs(own.look), signal });
    } finally {
      watch.close();
    }
  });

/**
 * Answers over HTTP, and with `watch` goes on learning, until `signal`. Throws InputError for what is wrong before it listens, BudgetError, which names the
 * smallest budget that works.
 */
export const serve = (job: ServeJob, signal: AbortSignal): Promise<void> =>
  later(async () => {
    const { watch, host = HOST, port = PORT, warn = () => {}, onListening, processBudget, ...own } = check('serve', job, SERVE);
    const learning = watch && check('watch of serve', { ...watch, model: own.model }, WATCH);
    if (learning && own.adapter !== undefined)
      throw new InputError(
        { where: 'adapter', what: 'is not served beside watch', got: own.adapter, expected: 'from of watch, which it begins with' },
        'S2A_OPTION',
      );
    const { serve: serveUntil } = await import('./serve.ts');
    await serveUntil(
      {
        ...own,
        ...{ host, port, warn },
        ...(learning ? { watch: watchOptions(learning), everyMs: lookMs(learning.look) } : {}),
        ...(processBudget === undefined ? {} : { processBudget: parseBytes(processBudget, 'processBudget') }),
        ...(onListening
          ? {
              onListening: ({ url, port: at, token, isNewToken }) =>
                onListening({ url, port: at, ...(isNewToken ? { token: token! } : {}) }),
            }
          : {}),
      },
      signal,
    );
  });
