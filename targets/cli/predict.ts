/** `s2a predict`: what is on these pictures. A picture that cannot be read costs its line, not the others': they are answered, and the exit code says that one was not. */

import { defined } from '../../src/base/defined.ts';
import { InputError, S2aError, withoutPlace } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import { isPicture } from '../../src/data/kinds.ts';
import { openModelFolder } from '../../src/import/modelfolder.ts';
import { defaultDecoderBytes } from '../../src/input/decode.ts';
import { isArray, placeOf } from '../../src/input/example.ts';
import { inputOf } from '../../src/input/index.ts';
import { formatPercent } from '../../src/report/terminal.ts';
import type { Prediction } from '../../src/task/index.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { sayAssumed } from './assumed.ts';
import { parse, read, whole } from './options.ts';
import type { Output } from './output.ts';

/** Numbers are all told; of labels those that are answered, of classes the first, unless it is said how many. */
function chosen(said: readonly Prediction[], top: number | undefined): readonly Prediction[] {
  if (said[0]?.value !== undefined) return said.slice(0, top);
  const isLabels = said[0]?.answered !== undefined;
  return isLabels && top === undefined ? said.filter(({ answered }) => answered) : said.slice(0, top ?? 1);
}

function textOf(said: readonly Prediction[], top: number | undefined): string[] {
  if (said[0]?.known === false && top === undefined) return ['unknown'];
  const words = chosen(said, top).map(({ label, probability, value }) =>
    value === undefined ? `${label} ${formatPercent(probability)}` : `${label} ${Number(value.toPrecision(6))}`,
  );
  if (said[0]?.known === false) words.unshift('unknown');
  return words.length > 0 ? words : ['none'];
}

function jsonOf(said: readonly Prediction[], top: number | undefined): object {
  if (said[0]?.value !== undefined) return { values: Object.fromEntries(said.map(({ label, value }) => [label, value])) };
  const list = chosen(said, top);
  if (said[0]?.answered !== undefined)
    return { labels: list.map(({ label, probability, answered }) => ({ label, probability, answered })) };
  const { known } = said[0] ?? {};
  return { ...(known === undefined ? {} : { known }), classes: list.map(({ label, probability }) => ({ label, probability })) };
}

export async function predict(args: string[], out: Output): Promise<void> {
  const flags = { top: 'text', unknown: 'text', weights: 'text', stored: 'text', budget: 'text', threads: 'text', json: 'flag' } as const;
  const p = parse(args, flags, { least: 2, most: Number.POSITIVE_INFINITY, usage: 's2a predict <model folder> [adapter] <picture…>' });
  const [model, second, ...rest] = p.positionals as [string, string, ...string[]];
  const noAdapter = rest.length === 0 || isPicture(second) || isArray(placeOf(second).file);
  const adapter = noAdapter ? undefined : second;
  const files = noAdapter ? [second, ...rest] : rest;
  const top = whole(p, 'top');
  const classifier = loadClassifier(adapter, {
    model,
    ...defined({ budget: read(p, 'budget'), weights: read(p, 'weights'), stored: read(p, 'stored') }),
    ...defined({ threads: read(p, 'threads'), unknown: read(p, 'unknown') }),
  });
  if (adapter !== undefined && 'why' in classifier.unknown && p.text('unknown') !== 'off' && classifier.task === 'classify')
    out.warn(`nothing is called unknown: of ${adapter} ${classifier.unknown.why}`);
  if (adapter === undefined) sayAssumed(openModelFolder(model), out);
  const skipped: { file: string; reason: string }[] = [];
  for (const file of files) {
    if (out.isLost) return;
    let pixels: Uint8Array;
    try {
      pixels = await inputOf(classifier.preprocess).read(file, classifier.preprocess, defaultDecoderBytes);
    } catch (error) {
      const reason = error instanceof S2aError ? withoutPlace(error) : (error as Error).message;
      skipped.push({ file, reason });
      if (files.length > 1) out.warn(`skipped ${file}: ${reason}`);
      continue;
    }
    const said = classifier.predictPrepared(pixels);
    if (p.flag('json')) out.json({ file, ...jsonOf(said, top) });
    else out.line(visible([file, ...textOf(said, top)].join('  ')));
  }
  const [first] = skipped;
  if (first === undefined) return;
  throw new InputError({
    where: first.file,
    what:
      files.length === 1
        ? first.reason
        : skipped.length === files.length
          ? 'none of the pictures can be used, not even this one'
          : `cannot be used${skipped.length === 1 ? '' : `, nor can ${skipped.length - 1} more`}`,
    ...(skipped.length < files.length ? { hint: 'all others are answered' } : {}),
  });
}
