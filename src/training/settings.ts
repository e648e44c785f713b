/**
 * Every option that people give, once: its name in JavaScript, its flag on the command line, and what it may be. The library checks values by it
 * (library.ts), the command line reads text by it (targets/cli/options.ts).
 */
import { MOST_BACKS } from '../../assembly/abi/watch.ts';
import { ARITHMETICS, type ArithmeticWish } from '../base/arithmetic.ts';
import { parseBytes } from '../base/bytes.ts';
import { InputError, nearest, shownValue } from '../base/error.ts';
import { fileExists, readJson } from '../base/files.ts';
import { isRecord } from '../base/json.ts';
import { PRECISIONS, type Precision, wishesFor } from '../base/precision.ts';
import type { Threads } from '../engine/threads.ts';
import { type ImageSize, imageSizeOf } from '../input/fields.ts';
import { checkNormalize, type Normalize, readNormalize } from '../input/normalize.ts';
import { type Method, type MethodLike, methodOf } from '../network/method.ts';
import { type KeepLike, type KeepPolicy, keepOf } from '../passes/keeppolicy.ts';
import { type RateWish, readRate } from '../passes/rates.ts';
import { type RecomputeChoice, recomputeOf } from '../passes/recompute.ts';
import { OPTIMIZERS } from '../passes/update.ts';
import type { Augmentation } from '../pipeline/options.ts';
import { TASK_NAMES } from '../task/index.ts';
import { HEAD_STARTS } from './headstart.ts';
import type { ClassWeights, Thresholds } from './taskchoice.ts';

/** What an option may be. `where` is its name as the caller wrote it. */
export interface Kind<T> {
  /** Refuses any other value. */
  check(value: unknown, where: string): void;
  /** The value that a command line's text means. */
  read(text: string, where: string): T;
  /** What a value that was checked travels as, where that is not itself. */
  as?(value: unknown): T;
}

const wrong = (where: string, value: unknown, expected: string): InputError =>
  new InputError({ where, what: 'wrong value', got: got(value), expected }, 'S2A_OPTION');
/** The same of a command line's word. */
const wrongText = (where: string, text: string, expected: string): InputError =>
  new InputError({ where, what: 'wrong value', got: text, expected }, 'S2A_OPTION');
/** A value as a sentence shows it; NaN is no JSON. */
const got = (value: unknown): string =>
  typeof value === 'number' || typeof value === 'bigint'
    ? String(value)
    : typeof value === 'function'
      ? 'a function'
      : ArrayBuffer.isView(value)
        ? value.constructor.name
        : shownValue(value);

const MOST = 0x7fffffff;
export const whole = (least = 1, most = MOST): Kind<number> => {
  const isFine = (n: number): boolean => Number.isInteger(n) && n >= least && n <= most;
  const expected = (n: number): string => (n > most ? `a whole number from ${least} to ${most}` : `a whole number of at least ${least}`);
  return {
    check(value, where) {
      if (typeof value !== 'number' || !isFine(value)) throw wrong(where, value, expected(Number(value)));
    },
    read(text, where) {
      if (!/^\d+$/.test(text) || !isFine(Number(text))) throw wrongText(where, text, expected(Number(text)));
      return Number(text);
    },
  };
};
export const real = (least: number, most: number): Kind<number> => {
  const expected = `a number from ${least} to ${most}`;
  return {
    check(value, where) {
      if (typeof value !== 'number' || !(value >= least && value <= most)) throw wrong(where, value, expected);
    },
    read(text, where) {
      const n = Number(text);
      if (text.trim() === '' || !(n >= least && n <= most)) throw wrongText(where, text, expected);
      return n;
    },
  };
};
/** Words of a list. */
export const oneOf = <T extends string>(...words: readonly T[]): Kind<T> => {
  const check = (value: unknown, where: string): void => {
    if (words.includes(value as T)) return;
    const near = typeof value === 'string' ? nearest(value, words)[0] : undefined;
    throw new InputError(
      {
        where,
        what: 'unknown value',
        got: typeof value === 'string' ? value : got(value),
        expected: words.join(', '),
        ...(near ? { hint: `did you mean ${near}?` } : {}),
      },
      'S2A_OPTION',
    );
  };
  return {
    check,
    read(text, where) {
      check(text, where);
      return text as T;
    },
  };
};
/** A name of a file or folder. */
export const path: Kind<string> = {
  check(value, where) {
    if (typeof value !== 'string' || value === '' || value.includes('\0')) throw wrong(where, value, 'the name of a file or folder');
  },
  read(text, where) {
    path.check(text, where);
    return text;
  },
};
export const toggle: Kind<boolean> = {
  check(value, where) {
    if (typeof value !== 'boolean') throw wrong(where, value, 'true or false');
  },
  read: () => true,
};
/** What a function of ours parses, and refuses by `where`. */
const parsed = <T>(
  parse: (text: string, where: string) => T,
  expected: string,
  also: (value: unknown) => boolean = () => false,
): Kind<T> => ({
  check(value, where) {
    if (also(value)) return;
    if (typeof value !== 'string') throw wrong(where, value, expected);
    parse(value, where);
  },
  read: parse,
});
/** What `methodOf` or `keepOf` has read already. */
const isRead = (value: unknown): boolean => isRecord(value) && typeof value.name === 'string';
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1;
const bytes: Kind<number> = parsed(parseBytes, "bytes, or a text such as '48MiB'", isWhole);
const bytesOrNone: Kind<number> = {
  check: (value, where) => (value === 0 || value === '0' ? undefined : bytes.check(value, where)),
  read: (text, where) => (text === '0' ? 0 : bytes.read(text, where)),
};
const threads: Kind<Threads> = {
  check: (value, where) => (value === 'auto' ? undefined : whole(1, 64).check(value, where)),
  read: (text, where) => (text === 'auto' ? text : whole(1, 64).read(text, where)),
};
const rate: Kind<RateWish> = {
  check(value, where) {
    if (typeof value !== 'number' && typeof value !== 'string') throw wrong(where, value, "a number above 0, or a factor such as '0.5x'");
    readRate(value as RateWish, where);
  },
  read(text, where) {
    const wish = (/x$/i.test(text) || text.trim() === '' ? text : Number(text)) as RateWish;
    readRate(Number.isNaN(wish) ? (text as RateWish) : wish, where);
    return wish;
  },
};
const recompute: Kind<RecomputeChoice> = {
  check(value, where) {
    if (value instanceof Map) return;
    if (typeof value === 'string' || typeof value === 'number') recomputeOf(String(value), where);
    else throw wrong(where, value, 'none, all, auto, a number of blocks, or a map from blocks to bits');
  },
  read: recomputeOf,
};
const imageSize: Kind<ImageSize> = {
  check(value, where) {
    if (typeof value !== 'number' && !Array.isArray(value)) throw wrong(where, value, 'a number, or [height, width]');
    imageSizeOf(value as ImageSize, where);
  },
  read(text, where) {
    const sides = /^(\d{1,5})(?:[x×](\d{1,5}))?$/i.exec(text);
    if (!sides) throw wrongText(where, text, '224, or HEIGHTxWIDTH: 160x224');
    const [height, width] = [Number(sides[1]), Number(sides[2] ?? sides[1])];
    const { height: h, width: w } = imageSizeOf([height, width], where);
    return h === w ? h : [h, w];
  },
};
/** The parts of an augmentation that are numbers, and their largest. */
const AMOUNTS = {
  mixup: 1,
  cutmix: 1,
  turn: 180,
  scale: 0.5,
  brightness: 1,
  contrast: 1,
  saturation: 1,
  grey: 1,
  blur: 1,
  erase: 1,
} as const;
/** How pictures are changed while learning: what the command line calls `crop,flip` depends on their size. */
const augment: Kind<Augmentation> = {
  check(value, where) {
    const isKnown = (key: string): boolean => key === 'shift' || key === 'flip' || Object.hasOwn(AMOUNTS, key);
    if (!isRecord(value) || !Object.keys(value).every(isKnown))
      throw wrong(where, value, `{ shift: pixels, flip: true or false } and any of ${Object.keys(AMOUNTS).join(', ')}`);
    for (const [key, most] of Object.entries(AMOUNTS)) if (value[key] !== undefined) real(0, most).check(value[key], `${where}.${key}`);
    real(0, 1).check(((value.mixup as number) ?? 0) + ((value.cutmix as number) ?? 0), `${where}.mixup and ${where}.cutmix together`);
    whole(0, 4096).check(value.shift, `${where}.shift`);
    toggle.check(value.flip, `${where}.flip`);
  },
  read(text, where) {
    throw wrongText(where, text, 'light, strong, none, or parts: crop,flip,turn');
  },
};

const EXPECTED = 'a probability between 0 and 1, or one for each label: sun=0.3,rain=0.6';
const isProbability = (value: unknown): boolean => typeof value === 'number' && value > 0 && value < 1;
/** From which probability a label is answered. */
const thresholds: Kind<Thresholds> = {
  check(value, where) {
    if (!isProbability(value) && !(isRecord(value) && Object.values(value).every(isProbability))) throw wrong(where, value, EXPECTED);
  },
  read(text, where) {
    if (!text.includes('=')) {
      if (text.trim() === '' || !isProbability(Number(text))) throw wrongText(where, text, EXPECTED);
      return Number(text);
    }
    return pairs(text, where, EXPECTED, isProbability);
  },
};

/** NAME=NUMBER with commas between. */
function pairs(text: string, where: string, expected: string, isGood: (value: number) => boolean): Record<string, number> {
  const list = text.split(',').map((pair): [string, number] => {
    const at = pair.lastIndexOf('=');
    const [label, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    if (at < 1 || value === '' || !isGood(Number(value))) throw wrongText(where, pair, expected);
    return [label, Number(value)];
  });
  const twice = list.find(([label], i) => list.findIndex(([other]) => other === label) < i);
  if (twice) throw new InputError({ where, what: `the name ${twice[0]} stands twice` }, 'S2A_OPTION');
  return Object.fromEntries(list);
}

const WEIGHTS = 'balanced, a JSON file, or a number from 1e-6 to 1e6 by class: cat=2,dog=1';
const isWeight = (value: unknown): boolean => typeof value === 'number' && value >= 1e-6 && value <= 1e6;
/** What each class weighs in the loss; the command line takes a file's name too. */
const classWeights: Kind<ClassWeights> = {
  check(value, where) {
    if (value === 'balanced') return;
    if (!isRecord(value)) throw wrong(where, value, WEIGHTS);
    const bad = Object.entries(value).find(([, weight]) => !isWeight(weight));
    if (bad) throw wrong(`${where}, ${bad[0]}`, bad[1], WEIGHTS);
  },
  read(text, where) {
    if (text === 'balanced') return text;
    if (text.includes('=')) return pairs(text, where, WEIGHTS, isWeight);
    if (!fileExists(text)) throw wrongText(where, text, WEIGHTS);
    const found = readJson(text);
    classWeights.check(found, `${where}, ${text}`);
    return found as Record<string, number>;
  },
};

/** Which share of known pictures may be called unknown; 0: nothing is called so. */
const unknown: Kind<number> = {
  check(value, where) {
    if (typeof value === 'string') unknown.read(value, where);
    else if (typeof value !== 'number' || !(value >= 0 && value <= 0.5)) throw wrong(where, value, "a share such as 0.05 or '5%', or off");
  },
  read(text, where) {
    if (text === 'off') return 0;
    const share = /^(\d{1,2}(?:\.\d+)?)\s*%$/.exec(text);
    const value = share ? Number(share[1]) / 100 : Number.NaN;
    if (!(value > 0 && value <= 0.5)) throw wrongText(where, text, 'off, or a share of known pictures up to 50%: 5%');
    return value;
  },
};

/** A setting: what it may be, and its flag where that is not its name in kebab-case. */
const as = <T>(kind: Kind<T>, flag: string): Kind<T> & { flag: string } => ({ ...kind, flag });

export const SETTINGS = {
  model: path,
  data: path,
  out: path,
  labels: path,
  normalize: { check: checkNormalize, read: readNormalize } as Kind<Normalize>,
  adapter: path,
  from: path,
  tables: path,
  cacheFolder: as(path, 'cache'),
  method: {
    ...parsed<Method>(methodOf, 'a method such as bias+prompt:rank=8', isRead),
    as: (value: unknown) => methodOf(value as MethodLike),
  },
  keep: { ...parsed<KeepPolicy>(keepOf, 'what is kept, such as s2a,qkv=4', isRead), as: (value: unknown) => keepOf(value as KeepLike) },
  weights: oneOf(...wishesFor(PRECISIONS)),
  weightsOrAuto: as(oneOf(...wishesFor<Precision | 'auto'>([...PRECISIONS, 'auto'])), 'weights'),
  precision: as(oneOf(...PRECISIONS), 'weights'),
  resident: bytes,
  stored: path,
  optimizer: oneOf(...OPTIMIZERS),
  prox: real(0, 1e6),
  rate: as(rate, 'lr'),
  epochs: whole(),
  batchSize: whole(),
  microBatch: whole(),
  recompute,
  budget: bytes,
  processBudget: bytes,
  featureCache: bytesOrNone,
  memory: bytesOrNone,
  threads,
  maxThreads: whole(1, 64),
  arithmetic: oneOf<ArithmeticWish>(...ARITHMETICS, 'auto'),
  imageSize,
  holdOut: real(0, 0.9),
  augment,
  balance: toggle,
  classWeights,
  dropout: real(0, 0.9),
  dropPath: real(0, 0.9),
  saveEvery: whole(),
  resume: toggle,
  overwrite: toggle,
  calibrate: whole(),
  head: oneOf(...HEAD_STARTS),
  task: oneOf(...TASK_NAMES),
  threshold: thresholds,
  loss: oneOf('huber', 'squares'),
  unknown: { ...unknown, as: (value: unknown) => (typeof value === 'string' ? unknown.read(value, 'unknown') : (value as number)) },
  seed: whole(0),
  weightDecay: real(0, 1e3),
  warmup: real(0, 1),
  finalFraction: real(0, 1),
  clipNorm: as(real(0, 1e9), 'clip'),
  smoothing: as(real(0, 0.999), 'label-smoothing'),
  momentum: real(0, 0.999999),
  // In JavaScript 0 says never; a command line does so by leaving it out.
  patience: { ...whole(0), read: whole(1).read },
  retries: whole(0, MOST_BACKS),
  classes: whole(2),
  pixels: oneOf('u8', 'f32'),
  pictures: whole(),
  steps: whole(0),
  batches: whole(),
} as const satisfies Readonly<Record<string, Kind<unknown> & { flag?: string }>>;

export type SettingName = keyof typeof SETTINGS;

/** Names that settings had in an earlier version, and what says the same now. */
export const FORMER: ReadonlyMap<string, { name: SettingName; value: string }> = new Map([['fast', { name: 'arithmetic', value: 'fast' }]]);
export type ValueOf<N extends SettingName> = (typeof SETTINGS)[N] extends Kind<infer T> ? T : never;

/** A setting's flag, without the dashes. */
export const flagOf = (name: SettingName): string =>
  (SETTINGS[name] as { flag?: string }).flag ?? name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
