/** Answers and learning in one process: what a server of one adapter, of a watch's, or of a watch of its own is made of. */
import { type Bytes, mebibytes, mebibytesUp, parseBytes } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import { BudgetError, InputError, type S2aError } from '../base/error.ts';
import type { Precision, WeightsWish } from '../base/precision.ts';
import { LEAST_DECODER_BYTES, reserve, THREAD_BYTES } from '../base/processmemory.ts';
import type { Threads } from '../engine/threads.ts';
import { defaultDecoderBytes } from '../input/decoderlimit.ts';
import { type Answerer, createAnswerer } from './answers.ts';
import { LOOK_MS } from './defaults.ts';
import { isLoopback, openToken } from './guard.ts';
import { runRoundInThread } from './inthread.ts';
import { rest, watchUntil } from './loop.ts';
import type { RunRound } from './round.ts';
import { type Listening, listen } from './server.ts';
import { adapterPath, currentOf, isWatchFolder, readState } from './state.ts';
import { openWatch, type Watch, type WatchOptions } from './watch.ts';

export interface ServeOptions {
  model: string;
  /** An adapter, or the folder of a watch, whose adapter in use is followed; absent: that of `watch`, or the model's own head. */
  adapter?: string | undefined;
  host: string;
  /** 0: any that is free. */
  port: number;
  /** A file with the token; made where it is not there. */
  token?: string | undefined;
  /** Where labelled pictures go; the folder that is watched where absent. */
  pictures?: string | undefined;
  /** Goes on learning. */
  watch?: WatchOptions | undefined;
  budget?: Bytes | undefined;
  /** Of the whole process. */
  processBudget?: Bytes | undefined;
  threads?: Threads | undefined;
  weights?: WeightsWish<Precision> | undefined;
  stored?: string | undefined;
  unknown?: number | string | undefined;
  /** Milliseconds between two looks at the folder; five seconds where absent. */
  everyMs?: number;
  /** It listens, and says where. */
  onListening?(where: { url: string; port: number; token?: string; isNewToken: boolean }): void;
  /** What a person should know. */
  warn(sentence: string): void;
}

/** Decoding a picture that is asked about, where the whole process has a budget: a JPEG of any size takes little more than its file. */
const DECODER_BYTES = 32 << 20;
const BODY_BYTES = 16 << 20;

/** Serves until `signal`. Throws InputError for what is wrong before it listens, BudgetError where it does not fit. */
export async function serve(options: ServeOptions, signal: AbortSignal): Promise<void> {
  const { port, token: file, everyMs = LOOK_MS, warn } = options;
  // An address of IPv6 as browsers write it.
  const host = options.host.replace(/^\[(.+)\]$/, '$1');
  if (file === undefined && !isLoopback(host))
    throw new InputError(
      {
        where: '--host',
        what: 'more than this machine could ask',
        got: host,
        expected: '--token FILE beside it',
        hint: 'the file is made with a token where it is not there',
      },
      'S2A_OPTION',
    );
  const token = file === undefined ? undefined : openToken(file);
  const answerer = createAnswerer({
    model: options.model,
    decoderBytes: options.processBudget === undefined ? defaultDecoderBytes : DECODER_BYTES,
    ...defined({
      budget: options.budget,
      threads: options.threads,
      weights: options.weights,
      stored: options.stored,
      unknown: options.unknown,
    }),
  });
  const watch = options.watch && openWatch({ ...options.watch, runRound: sharing(options, answerer) });
  let listening: Listening | undefined;
  try {
    const follow = followerOf(options, answerer, watch);
    // The model's own head answers where nobody names an adapter or learns one.
    if (options.adapter === undefined && !watch) await answerer.change(undefined);
    else await follow();
    checkShare(options, answerer);
    listening = await listen(
      {
        answerer,
        token: token?.token,
        pictures: options.pictures ?? options.watch?.job.data,
        watch,
        ...(options.processBudget === undefined ? {} : { limits: { bodyBytes: BODY_BYTES, heldBytes: BODY_BYTES } }),
      },
      port,
      host,
    );
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${listening.port}/`;
    options.onListening?.({ url, port: listening.port, isNewToken: token?.isNew ?? false, ...(token ? { token: token.token } : {}) });
    await goOn(watch, follow, everyMs, signal, warn);
  } finally {
    await listening?.close();
    await answerer.close();
    watch?.close();
  }
}

/** Until it is asked to stop. Whatever keeps it from learning, answers go on. */
async function goOn(
  watch: Watch | undefined,
  follow: () => Promise<void>,
  everyMs: number,
  signal: AbortSignal,
  warn: (sentence: string) => void,
): Promise<void> {
  const onFailure = (error: S2aError): void => warn(error.message);
  if (watch) return watchUntil(watch, { everyMs, signal, after: follow, onFailure });
  while (!signal.aborted) {
    await rest(everyMs, signal);
    await follow().catch((error: unknown) => {
      if (!(error instanceof InputError)) throw error;
      warn(error.message);
    });
  }
}

/** Takes the adapter that is in use now, where that is another than the one that answers. */
function followerOf({ adapter }: ServeOptions, answerer: Answerer, watch: Watch | undefined): () => Promise<void> {
  const follows = adapter !== undefined && isWatchFolder(adapter);
  const now = (): string | undefined => {
    if (watch) return watch.current();
    if (!follows) return adapter;
    const kept = currentOf(readState(adapter));
    return kept && adapterPath(adapter, kept);
  };
  return async () => {
    const wanted = now();
    if (wanted !== undefined && wanted !== answerer.adapter()) await answerer.change(wanted);
  };
}

/** What answering takes of the process's budget beside its linear memory: decoding, bodies, and a thread that learns. */
const BESIDE = DECODER_BYTES + BODY_BYTES;

function shareOf({ processBudget }: ServeOptions, answerer: Answerer): number | undefined {
  if (processBudget === undefined) return undefined;
  return parseBytes(processBudget, '--process-budget') - BESIDE - THREAD_BYTES - answerer.linearBytes();
}

/** BudgetError where the process's budget has no room for answers, or none for the least that learning takes beside them. */
function checkShare(options: ServeOptions, answerer: Answerer): void {
  const share = shareOf(options, answerer);
  const least = options.watch ? Math.max(reserve.training, reserve.preparing + LEAST_DECODER_BYTES) : reserve.training - THREAD_BYTES;
  if (share === undefined || share >= least) return;
  const budget = parseBytes(options.processBudget!, '--process-budget');
  const total = budget + least - share;
  throw new BudgetError(
    {
      where: '--process-budget',
      what: `answers need linear memory ${mebibytes(answerer.linearBytes())} + ${mebibytes(BESIDE + THREAD_BYTES)} for pictures, ${options.watch ? 'learning' : 'the runtime'} ${mebibytes(least)} or more`,
      got: mebibytes(budget),
      expected: `at least ${mebibytesUp(total)}`,
    },
    total,
  );
}

/** Rounds in a thread of their own, within what answers leave of the budget. */
const sharing =
  (options: ServeOptions, answerer: Answerer): RunRound =>
  (order, hooks) => {
    const processBudget = shareOf(options, answerer);
    return runRoundInThread(processBudget === undefined ? order : { ...order, job: { ...order.job, processBudget } }, hooks);
  };
