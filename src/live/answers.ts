/** Answers, one after the other, from the adapter in use; a change of adapters takes its turn among them, so none is lost. */
import { InputError } from '../base/error.ts';
import { turn } from '../base/pace.ts';
import { decodeLater } from '../input/decodelater.ts';
import { inputOf } from '../input/index.ts';
import type { Preprocess } from '../input/preprocess.ts';
import { Unreadable } from '../pictures/header.ts';
import type { Prediction } from '../task/index.ts';
import { type Classifier, type ClassifierOptions, loadClassifier } from '../use/classifier.ts';

/** A picture as it came: a file's bytes, or RGB or RGBA by the number of bytes. */
export interface Asked {
  bytes: Uint8Array;
  /** Of bytes that are pixels. */
  size?: { width: number; height: number };
}

export interface Said {
  predictions: Prediction[];
  /** Whether it is like nothing learnt; null where the adapter cannot tell. */
  unknown: boolean | null;
  /** What an answer was made by. */
  adapter: string | undefined;
  seconds: number;
}

export interface Answerer {
  /** Names of the classes; none before the first adapter. */
  labels(): readonly string[];
  /** Linear memory of the classifier; 0 before the first adapter. */
  linearBytes(): number;
  /** Why nothing is called unknown; undefined where unknown pictures are told. */
  whyNotUnknown(): string | undefined;
  adapter(): string | undefined;
  isReady(): boolean;
  /** Throws Unreadable for a picture that cannot be used, NotReady before the first adapter. */
  answer(asked: Asked): Promise<Said>;
  /** Throws Unreadable where it is no picture that could be learnt from. */
  check(bytes: Uint8Array): Promise<void>;
  /** From the next answer on another adapter; undefined: the model's own head. The one in use stays where the other is refused (InputError). */
  change(adapter: string | undefined): Promise<void>;
  close(): Promise<void>;
}

/** There is no adapter yet. */
export class NotReady extends Error {}

export interface AnswererOptions extends ClassifierOptions {
  /** Most bytes that decoding one picture may take. */
  decoderBytes: number;
}

export function createAnswerer({ decoderBytes, ...options }: AnswererOptions): Answerer {
  let classifier: Classifier | undefined;
  let inUse: string | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(action: () => T | Promise<T>): Promise<T> => {
    const mine = last.then(async () => {
      // Whatever has come in meanwhile is heard between two answers.
      await turn();
      return action();
    });
    last = mine.catch(() => {});
    return mine;
  };
  const change = async (adapter: string | undefined): Promise<void> => {
    if (classifier && adapter !== undefined && inUse !== undefined) {
      try {
        classifier.changeAdapter(adapter);
        inUse = adapter;
        return;
      } catch (error) {
        // One of other classes needs a network of its own.
        if (!(error instanceof InputError)) throw error;
      }
    }
    // It stays in its place until the next one is loaded: who asks meanwhile waits for a turn, and is not told that nothing has been learnt.
    const before = classifier;
    await before?.close();
    try {
      classifier = loadClassifier(adapter, options);
      inUse = adapter;
    } catch (error) {
      classifier = undefined;
      if (before) classifier = loadClassifier(inUse, options);
      throw error;
    }
  };
  return {
    labels: () => classifier?.labels ?? [],
    linearBytes: () => classifier?.linearBytes ?? 0,
    whyNotUnknown: () => (classifier && 'why' in classifier.unknown ? classifier.unknown.why : undefined),
    adapter: () => inUse,
    isReady: () => classifier !== undefined,
    answer: (asked) =>
      inTurn(async () => {
        if (!classifier) throw new NotReady('nothing has been learnt yet');
        const began = performance.now();
        const predictions = await answerOf(classifier, asked, decoderBytes);
        const { known } = predictions[0] ?? {};
        return { predictions, unknown: known === undefined ? null : !known, adapter: inUse, seconds: (performance.now() - began) / 1000 };
      }),
    check: (bytes) => inTurn(async () => void (await decodeLater(bytes, SMALL, decoderBytes))),
    change: (adapter) => inTurn(() => change(adapter)),
    close: () => inTurn(async () => classifier?.close()),
  };
}

/** A picture that is only tried is made small. */
const SMALL: Preprocess = {
  resize: { mode: 'exact', height: 8, width: 8 },
  crop: null,
  resample: 'bilinear',
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

async function answerOf(classifier: Classifier, { bytes, size }: Asked, limit: number): Promise<Prediction[]> {
  if (size) return classifier.predict(bytes, size.width, size.height);
  if (inputOf(classifier.preprocess).name !== 'picture') throw new Unreadable('the network takes arrays, not pictures');
  return classifier.predictPrepared(await decodeLater(bytes, classifier.preprocess as Preprocess, limit));
}
