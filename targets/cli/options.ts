/** Flags: their types, and one sentence for each that is wrong. */

import { parseArgs } from 'node:util';
import { DEFAULTS } from '../../src/base/defaults.ts';
import { InputError, nearest } from '../../src/base/error.ts';
import { onnxPathOf } from '../../src/import/onnx/index.ts';
import { type Method, MOST_BLOCKS, methodOf, withBlocks } from '../../src/network/method.ts';
import type { Augmentation } from '../../src/pipeline/options.ts';
import {
  FORMER,
  flagOf,
  type Kind as KindOf,
  real as realKind,
  SETTINGS,
  type SettingName,
  type ValueOf,
  whole as wholeKind,
} from '../../src/training/settings.ts';

type Kind = 'text' | 'flag';
export type Flags = Readonly<Record<string, Kind>>;

export interface Parsed {
  positionals: string[];
  /** Of an option that is given several times the last value counts. */
  text(name: string): string | undefined;
  /** Every value that was given for it. */
  all(name: string): string[];
  flag(name: string): boolean;
}

/** What may be said of a model that its file does not say; every command that takes one has these. */
export const MODEL_FLAGS = { arch: 'text', features: 'text' } as const satisfies Flags;

/** Parses a command's arguments; an unknown flag is named with the nearest right one. */
export function parse(args: string[], own: Flags, positionals: { least: number; most: number; usage: string }): Parsed {
  // A fleet's command has its model behind --model.
  const isFirst = positionals.usage.includes('<model');
  const flags = isFirst ? { ...own, ...MODEL_FLAGS } : own;
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, kind]) => [name, { type: kind === 'flag' ? ('boolean' as const) : ('string' as const) }]),
  );
  for (const arg of args) {
    if (arg === '--') break;
    const name = /^--([^=]+)/.exec(arg)?.[1];
    if (name !== undefined && !Object.hasOwn(flags, name)) {
      const command = positionals.usage.split(' ').slice(0, 2).join(' ');
      throw new InputError({ where: `--${name}`, what: 'unknown option', hint: hintFor(name, flags) ?? `${command} --help lists them` });
    }
  }
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true, strict: true, tokens: true });
  } catch (error) {
    throw wrongArguments(args, options, (error as Error).message);
  }
  const n = parsed.positionals.length;
  if (n < positionals.least || n > positionals.most)
    throw new InputError({ where: 'arguments', what: 'wrong number of them', got: n, expected: positionals.usage });
  const [model, ...others] = parsed.positionals;
  if (positionals.usage.includes('folder…') && others.length > 0 && (parsed.values.arch ?? parsed.values.features) !== undefined)
    throw new InputError({
      where: parsed.values.arch === undefined ? '--features' : '--arch',
      what: 'is said of one model',
      got: n,
      hint: 'in a table write FILE#NAME for each',
    });
  return {
    positionals: isFirst && model !== undefined ? [modelOf(model, parsed.values), ...others] : parsed.positionals,
    text: (name) => parsed.values[name] as string | undefined,
    all: (name) => (parsed.tokens ?? []).flatMap((t) => (t.kind === 'option' && t.name === name && t.value !== undefined ? [t.value] : [])),
    flag: (name) => parsed.values[name] === true,
  };
}

/** What says now what `name` did in an earlier version; else the nearest name that there is. */
function hintFor(name: string, flags: Flags): string | undefined {
  const now = FORMER.get(name);
  if (now !== undefined && Object.hasOwn(flags, flagOf(now.name))) return `it is --${flagOf(now.name)} ${now.value} now`;
  const near = nearest(name, Object.keys(flags))[0];
  return near && `did you mean --${near}?`;
}

/** The model as the library takes it: what was said of it behind a `#`. */
export function modelOf(model: string, values: Readonly<Record<string, unknown>>): string {
  const said = Object.keys(MODEL_FLAGS).filter((name) => values[name] !== undefined);
  const [name] = said;
  if (name === undefined) return model;
  const isGraph = onnxPathOf(model) !== undefined;
  if (said.length > 1 || isGraph !== (name === 'features'))
    throw new InputError({
      where: `--${said.length > 1 || isGraph ? 'arch' : 'features'}`,
      what: isGraph
        ? 'is said of weights alone, and an ONNX file has its network in it'
        : 'is said of an ONNX file, which names the values in it',
      got: model,
    });
  return `${model}#${String(values[name])}`;
}

/** What Node's parser found, as one of our sentences. */
function wrongArguments(args: string[], options: Readonly<Record<string, { type: 'boolean' | 'string' }>>, message: string): InputError {
  const flag = /'(-[^ ',=]*)/.exec(message)?.[1];
  if (flag === undefined) return new InputError({ where: 'arguments', what: message.replace(/[.\n].*/s, '') });
  const type = options[flag.slice(2)]?.type;
  if (type === undefined)
    return new InputError({ where: flag, what: 'unknown option', hint: 'what begins with - and is none stands after --' });
  if (type === 'boolean') return new InputError({ where: flag, what: 'takes no value' });
  const next = args[args.indexOf(flag) + 1];
  return new InputError({
    where: flag,
    what: 'a value is missing',
    ...(next === undefined || Object.hasOwn(options, next.slice(2))
      ? {}
      : { got: next, hint: `a value that begins with - is written ${flag}=${next}` }),
  });
}

/** A setting by the library's table (src/training/settings.ts); undefined where it was not given. */
export function read<N extends SettingName>(p: Parsed, name: N): ValueOf<N> | undefined {
  const flag = flagOf(name);
  if (SETTINGS[name] === SETTINGS.resume) return (p.flag(flag) || undefined) as ValueOf<N> | undefined;
  const text = p.text(flag);
  const all = name === 'rate' ? p.all(flag) : [];
  if (new Set(all.map((one) => /x$/i.test(one))).size > 1)
    throw new InputError({
      where: `--${flag}`,
      what: 'is an absolute and a relative rate at once',
      got: all.join(' and '),
      expected: 'one of the two',
    });
  return text === undefined ? undefined : readText(name, text, `--${flag}`);
}

export function real(p: Parsed, name: string, least: number, most: number): number | undefined {
  const value = p.text(name);
  return value === undefined ? undefined : realKind(least, most).read(value, `--${name}`);
}

const readText = <N extends SettingName>(name: N, text: string, where: string): ValueOf<N> =>
  (SETTINGS[name] as unknown as KindOf<ValueOf<N>>).read(text, where);

export function whole(p: Parsed, name: string, least = 1, most = 0x7fffffff): number | undefined {
  const value = p.text(name);
  return value === undefined ? undefined : wholeKind(least, most).read(value, `--${name}`);
}

/** The method; `--last` and `--depth` are parts of it. */
export function method(p: Parsed): Method | undefined {
  const text = p.text('method');
  const isLimited = p.text('last') !== undefined || p.text('depth') !== undefined;
  return text === undefined && !isLimited ? undefined : limited(p, text ?? DEFAULTS.method);
}

/** A method with what `--last` and `--depth` say. */
export function limited(p: Parsed, text: string): Method {
  const limits = (['last', 'depth'] as const).map((limit) => [limit, whole(p, limit, 1, MOST_BLOCKS)] as const);
  return limits.reduce((all, [limit, n]) => (n === undefined ? all : withBlocks(all, limit, n)), methodOf(text));
}
/** What each word of --augment changes; a crop shifts by up to an eighth of the picture's shorter side. */
const PARTS: Readonly<Record<string, Partial<Augmentation>>> = {
  flip: { flip: true },
  turn: { turn: 15 },
  zoom: { scale: 0.2 },
  colour: { brightness: 0.2, contrast: 0.2, saturation: 0.2 },
  grey: { grey: 0.1 },
  blur: { blur: 0.2 },
  erase: { erase: 0.25 },
  mixup: { mixup: 1 },
  cutmix: { cutmix: 1 },
  crop: {},
};
const PRESETS: Readonly<Record<string, readonly string[]>> = {
  light: ['crop', 'flip', 'colour'],
  strong: ['crop', 'flip', 'turn', 'zoom', 'colour', 'grey', 'blur', 'erase'],
};

/** `none`, `light`, `strong`, or parts with commas between. */
export function augment(p: Parsed, [height, width]: readonly [number, number]): Augmentation | undefined {
  const value = p.text('augment');
  if (value === undefined || value === 'none') return undefined;
  const parts = value.split(',').flatMap((word) => PRESETS[word] ?? [word]);
  const wrong = parts.find((part) => !Object.hasOwn(PARTS, part));
  if (wrong !== undefined)
    throw new InputError({
      where: '--augment',
      what: 'unknown value',
      got: wrong,
      expected: `light, strong, none, or any of ${Object.keys(PARTS).join(', ')} with commas between`,
    });
  const shift = parts.includes('crop') ? Math.max(1, Math.floor(Math.min(height, width) / 8)) : 0;
  const both = parts.includes('mixup') && parts.includes('cutmix') ? { mixup: 0.5, cutmix: 0.5 } : {};
  return Object.assign({ shift, flip: false }, ...parts.map((part) => PARTS[part]), both);
}

/** The flags of everything that plans. */
export const PLAN_FLAGS = {
  method: 'text',
  last: 'text',
  depth: 'text',
  keep: 'text',
  weights: 'text',
  resident: 'text',
  optimizer: 'text',
  'batch-size': 'text',
  'micro-batch': 'text',
  recompute: 'text',
  budget: 'text',
  'max-threads': 'text',
  'image-size': 'text',
  lr: 'text',
  json: 'flag',
} as const satisfies Flags;
