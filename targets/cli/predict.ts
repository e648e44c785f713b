/**
 * `s2a predict`: what is on these pictures, on these frames. A picture that cannot be read costs its line, not the others': they are answered, and the exit
 * code says that one was not. Of a stream nothing is kept but what smoothing looks back at.
 */

import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import { openModelFolder } from '../../src/import/modelfolder.ts';
import { formatPercent } from '../../src/report/terminal.ts';
import type { Prediction } from '../../src/task/index.ts';
import { type Classifier, loadClassifier } from '../../src/use/classifier.ts';
import { createSmoothing } from '../../src/use/smoothing.ts';
import { sayAssumed } from './assumed.ts';
import { inUse } from './inuse.ts';
import { type Parsed, parse, read, real, whole } from './options.ts';
import type { Output } from './output.ts';
import { filesOf, fromFile, fromStream, isPictures, type Raw, rawOf, reasonOf, type Source, STDIN } from './sources.ts';

const FLAGS = {
  top: 'text',
  unknown: 'text',
  threshold: 'text',
  smooth: 'text',
  raw: 'text',
  flips: 'flag',
  weights: 'text',
  stored: 'text',
  budget: 'text',
  threads: 'text',
  json: 'flag',
} as const;

/** How answers are told. */
interface Telling {
  top: number | undefined;
  /** The least probability of an answer. */
  threshold: number | undefined;
  isJson: boolean;
}

/** Numbers are all told; of labels those that are answered, of classes the first, unless it is said how many. */
function chosen(said: readonly Prediction[], top: number | undefined): readonly Prediction[] {
  if (said[0]?.value !== undefined) return said.slice(0, top);
  const isLabels = said[0]?.answered !== undefined;
  return isLabels && top === undefined ? said.filter(({ answered }) => answered) : said.slice(0, top ?? 1);
}

/** Whether the first class is as probable as was asked for; undefined where nobody asked, or of another task. */
function isSure([first]: readonly Prediction[], { threshold }: Telling): boolean | undefined {
  const isClass = first !== undefined && first.value === undefined && first.answered === undefined;
  return isClass && threshold !== undefined ? first.probability >= threshold : undefined;
}

/** Why no class is named, in a word: the picture is like nothing learnt, or its class is less probable than was asked for. */
function refusal(said: readonly Prediction[], how: Telling): 'unknown' | 'unsure' | undefined {
  if (said[0]?.known === false) return 'unknown';
  return isSure(said, how) === false ? 'unsure' : undefined;
}

/** One class is no choice: what is said is whether the picture is as usual, and how far from it. */
const isNormal = (said: readonly Prediction[]): boolean => said.length === 1 && said[0]!.distance !== undefined;

function textOf(said: readonly Prediction[], how: Telling): string[] {
  if (isNormal(said)) return [`${said[0]!.known ? 'normal' : 'not normal'} ${said[0]!.distance!.toFixed(2)}`];
  const refused = refusal(said, how);
  if (refused !== undefined && how.top === undefined) return [refused];
  const words = chosen(said, how.top).map(({ label, probability, value }) =>
    value === undefined ? `${label} ${formatPercent(probability)}` : `${label} ${Number(value.toPrecision(6))}`,
  );
  if (refused !== undefined) words.unshift(refused);
  return words.length > 0 ? words : ['none'];
}

function jsonOf(said: readonly Prediction[], how: Telling): object {
  const { value, answered: isLabel, known, distance } = said[0] ?? {};
  if (value !== undefined) return { values: Object.fromEntries(said.map(({ label, value }) => [label, value])) };
  if (isNormal(said)) return { normal: known, distance };
  const list = chosen(said, how.top);
  if (isLabel !== undefined) return { labels: list.map(({ label, probability, answered }) => ({ label, probability, answered })) };
  const classes = list.map(({ label, probability }) => ({ label, probability }));
  return { ...defined({ known, distance, sure: isSure(said, how) }), classes };
}

/** Labels are answered from the probability that was asked for. */
const answeredFrom = (said: Prediction[], threshold: number | undefined): Prediction[] =>
  threshold === undefined || said[0]?.answered === undefined
    ? said
    : said.map((one) => ({ ...one, answered: one.probability >= threshold }));

/** What could not be used: the first, and how many; a stream has no end. */
interface Skipped {
  first?: { file: string; reason: string };
  count: number;
  of: number;
}

/** Answers pictures as they come. */
async function answer(
  sources: AsyncIterable<Source> | Iterable<Source>,
  classifier: Classifier,
  { how, smooth, isOne, out }: { how: Telling; smooth: (said: Prediction[]) => Prediction[]; isOne: boolean; out: Output },
): Promise<Skipped> {
  const skipped: Skipped = { count: 0, of: 0 };
  for await (const { file, frame, prepared } of sources) {
    if (out.isLost) break;
    skipped.of++;
    let pixels: Uint8Array;
    try {
      pixels = await prepared();
    } catch (error) {
      const reason = reasonOf(error);
      skipped.first ??= { file, reason };
      skipped.count++;
      if (!isOne) out.warn(`skipped ${frame === undefined ? file : `frame ${frame}`}: ${reason}`);
      continue;
    }
    const said = answeredFrom(smooth(classifier.predictPrepared(pixels)), how.threshold);
    if (how.isJson) out.json({ file, ...defined({ frame }), ...jsonOf(said, how) });
    else out.line(visible([frame === undefined ? file : `frame ${frame}`, ...textOf(said, how)].join('  ')));
  }
  return skipped;
}

/** Files are told of by the exit code; a stream loses a frame now and then. */
function tellSkipped({ first, count, of }: Skipped, isStream: boolean, out: Output): void {
  if (first === undefined) return;
  if (isStream && count < of) {
    out.warn(`${counted(count, 'frame')} of ${of} could not be used`);
    return;
  }
  throw new InputError({
    where: isStream ? 'standard input' : first.file,
    what:
      of === 1
        ? first.reason
        : count === of
          ? `none of the ${isStream ? 'frames' : 'pictures'} can be used, ${isStream ? `not even the first: ${first.reason}` : 'not even this one'}`
          : `cannot be used${count === 1 ? '' : `, nor can ${count - 1} more`}`,
    ...(count < of ? { hint: 'all others are answered' } : {}),
  });
}

/** Which adapter, and pictures. */
function named(p: Parsed): { model: string; adapter?: string; names: string[]; raw?: Raw } {
  const [model, second, ...rest] = p.positionals as [string, string, ...string[]];
  const isAlone = rest.length === 0 || isPictures(second);
  const names = isAlone ? [second, ...rest] : rest;
  const raw = rawOf(p.text('raw'));
  if (names.length > 1 && names.includes(STDIN))
    throw new InputError({ where: STDIN, what: 'standard input and files at once', expected: 'one of the two' });
  if (raw !== undefined && !names.includes(STDIN))
    throw new InputError({ where: '--raw', what: 'is of standard input', got: names[0]!, expected: '- in the place of pictures' });
  return { model, names, ...defined({ adapter: isAlone ? undefined : second, raw }) };
}

/** An adapter of one class has nothing to say but how far a picture is from it. */
function needNormal({ unknown }: Classifier, where: string, { threshold }: Telling): void {
  if ('why' in unknown)
    throw new InputError({ where, what: `has one class, so it is asked whether pictures are as usual, and cannot tell: ${unknown.why}` });
  if (threshold !== undefined)
    throw new InputError({
      where: '--threshold',
      what: 'is a probability, and this adapter has one class',
      hint: '--unknown 5% is its threshold',
    });
}

export async function predict(args: string[], out: Output): Promise<void> {
  const usage = 's2a predict <model folder> [adapter] <picture, folder or ->…';
  const p = parse(args, FLAGS, { least: 2, most: Number.POSITIVE_INFINITY, usage });
  const { model, names, raw, ...rest } = named(p);
  const adapter = rest.adapter === undefined ? undefined : inUse(rest.adapter);
  const how: Telling = { top: whole(p, 'top'), threshold: real(p, 'threshold', 0, 1), isJson: p.flag('json') };
  const frames = whole(p, 'smooth', 1, 10_000);
  const isStream = names[0] === STDIN;
  const files = isStream ? [] : filesOf(names);
  const classifier = loadClassifier(adapter, {
    model,
    ...defined({ budget: read(p, 'budget'), weights: read(p, 'weights'), stored: read(p, 'stored') }),
    ...defined({ threads: read(p, 'threads'), unknown: read(p, 'unknown') }),
    flips: p.flag('flips'),
  });
  try {
    if (how.threshold !== undefined && classifier.task === 'regress')
      throw new InputError({ where: '--threshold', what: 'is a probability, and this adapter answers numbers' });
    if (classifier.task === 'classify' && classifier.labels.length === 1) needNormal(classifier, adapter ?? model, how);
    if (adapter !== undefined && 'why' in classifier.unknown && p.text('unknown') !== 'off' && classifier.task === 'classify')
      out.warn(`nothing is called unknown: of ${adapter} ${classifier.unknown.why}`);
    if (adapter === undefined) sayAssumed(openModelFolder(model), out);
    const { preprocess } = classifier;
    const sources = isStream ? fromStream(preprocess, raw) : files.map((file) => fromFile(file, preprocess));
    const smooth = frames === undefined ? (said: Prediction[]) => said : createSmoothing(frames);
    const isOne = !isStream && files.length === 1;
    tellSkipped(await answer(sources, classifier, { how, smooth, isOne, out }), isStream, out);
  } finally {
    await classifier.close();
  }
}
