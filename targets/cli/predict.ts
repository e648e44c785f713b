/** `s2a predict`: what is on these pictures. A picture that cannot be read costs its line, not the run. */

import { InputError, S2aError, withoutPlace } from '../../src/base/error.ts';
import { readLimited } from '../../src/base/reading.ts';
import { visible } from '../../src/base/visible.ts';
import { isPicture } from '../../src/data/kinds.ts';
import { openModelFolder } from '../../src/import/modelfolder.ts';
import { decodePicture, defaultDecoderBytes } from '../../src/input/decode.ts';
import { formatPercent } from '../../src/report/terminal.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { sayAssumed } from './assumed.ts';
import { defined, parse, read, whole } from './options.ts';
import type { Output } from './output.ts';

export async function predict(args: string[], out: Output): Promise<void> {
  const flags = { top: 'text', weights: 'text', budget: 'text', threads: 'text', json: 'flag' } as const;
  const p = parse(args, flags, { least: 2, most: Number.POSITIVE_INFINITY, usage: 's2a predict <model folder> [adapter] <picture…>' });
  const [model, second, ...rest] = p.positionals as [string, string, ...string[]];
  const noAdapter = rest.length === 0 || isPicture(second);
  const adapter = noAdapter ? undefined : second;
  const files = noAdapter ? [second, ...rest] : rest;
  const top = whole(p, 'top') ?? 1;
  const classifier = loadClassifier(adapter, {
    model,
    ...defined({ budget: read(p, 'budget'), weights: read(p, 'weights'), threads: read(p, 'threads') }),
  });
  if (adapter === undefined) sayAssumed(openModelFolder(model), out);
  const skipped: { file: string; reason: string }[] = [];
  for (const file of files) {
    if (out.isLost) return;
    let pixels: Uint8Array;
    try {
      pixels = await decodePicture(readLimited(file, defaultDecoderBytes, 'a picture'), classifier.preprocess);
    } catch (error) {
      const reason = error instanceof S2aError ? withoutPlace(error) : (error as Error).message;
      skipped.push({ file, reason });
      if (files.length > 1) out.warn(`skipped ${file}: ${reason}`);
      continue;
    }
    const classes = classifier.predictPrepared(pixels).slice(0, top);
    if (p.flag('json')) out.json({ file, classes: classes.map(({ label, probability }) => ({ label, probability })) });
    else out.line(visible([file, ...classes.map(({ label, probability }) => `${label} ${formatPercent(probability)}`)].join('  ')));
  }
  if (skipped.length < files.length) return;
  const [first] = skipped;
  throw new InputError({
    where: first!.file,
    what: files.length === 1 ? first!.reason : 'none of the pictures can be used, not even this one',
  });
}
