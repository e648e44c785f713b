/** `s2a predict`: what is on these pictures. A picture that cannot be read costs its line, not the run. */
import { readFileSync } from 'node:fs';
import { loadClassifier } from '../../src/classifier.ts';
import { decodePicture } from '../../src/data/decode.ts';
import { InputError } from '../../src/error.ts';
import { formatPercent } from '../../src/report/terminal.ts';
import { bytes, defined, parse, whole } from './options.ts';
import type { Output } from './output.ts';

export async function predict(args: string[], out: Output): Promise<void> {
  const flags = { top: 'text', budget: 'text', json: 'flag' } as const;
  const p = parse(args, flags, { least: 3, most: Number.POSITIVE_INFINITY, usage: 's2a predict <model folder> <adapter> <picture…>' });
  const [model, adapter, ...files] = p.positionals as [string, string, ...string[]];
  const top = whole(p, 'top') ?? 1;
  const classifier = loadClassifier(adapter, { model, ...defined({ budget: bytes(p, 'budget') }) });
  let unreadable = 0;
  for (const file of files) {
    let pixels: Uint8Array;
    try {
      pixels = await decodePicture(readFileSync(file), classifier.preprocess);
    } catch (error) {
      unreadable++;
      out.note(out.style.yellow(`s2a: ${file}: ${(error as Error).message}`));
      continue;
    }
    const classes = classifier.predictPrepared(pixels).slice(0, top);
    if (p.flag('json')) out.json({ file, classes: classes.map(({ label, probability }) => ({ label, probability })) });
    else out.line(`${file}  ${classes.map(({ label, probability }) => `${label} ${formatPercent(probability)}`).join('  ')}`);
  }
  if (unreadable === files.length)
    throw new InputError({ where: files[0]!, what: files.length === 1 ? 'cannot be read as a picture' : 'no picture could be read' });
}
