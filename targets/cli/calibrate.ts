/** `s2a calibrate`: derivative tables fitted to what each layer sees. */

import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import { table } from '../../src/report/terminal.ts';
import { calibrateJob } from '../../src/training/calibrate/job.ts';
import { method, PLAN_FLAGS, parse, read } from './options.ts';
import type { Output } from './output.ts';

export async function calibrate(args: string[], out: Output): Promise<void> {
  const { optimizer: _no, resident: _neither, ...plan } = PLAN_FLAGS;
  const flags = {
    ...plan,
    labels: 'text',
    normalize: 'text',
    out: 'text',
    adapter: 'text',
    pictures: 'text',
    seed: 'text',
    cache: 'text',
  } as const;
  const p = parse(args, flags, { least: 2, most: 2, usage: 's2a calibrate <model folder> <pictures> --out <file>' });
  const [model, data] = p.positionals as [string, string];
  const file = p.text('out');
  if (file === undefined) throw new InputError({ where: '--out', what: 'is missing', expected: 'a file for the tables' });
  const found = await calibrateJob({
    model,
    data,
    out: file,
    onPrepare: (done, total) => out.live(`preparing ${done}/${total}`),
    warn: (sentence) => out.warn(sentence),
    ...defined({
      method: method(p),
      keep: read(p, 'keep'),
      weights: read(p, 'weightsOrAuto'),
      adapter: p.text('adapter'),
      labels: read(p, 'labels'),
      normalize: read(p, 'normalize'),
      pictures: read(p, 'pictures'),
      batchSize: read(p, 'batchSize'),
      microBatch: read(p, 'microBatch'),
      budget: read(p, 'budget'),
      imageSize: read(p, 'imageSize'),
      seed: read(p, 'seed'),
      cacheFolder: read(p, 'cacheFolder'),
    }),
  });
  if (p.flag('json')) {
    out.json(found);
    return;
  }
  const rows = found.layers.map(({ name, error, shippedError, largest }) => [
    name,
    largest.toFixed(1),
    shippedError.toExponential(1),
    error.toExponential(1),
    error < shippedError ? `${((100 * error) / shippedError).toFixed(0)} %` : 'as shipped',
  ]);
  out.line(table([['mean square error of the derivative', 'largest |x|', 'shipped', 'fitted', ''], ...rows]));
  out.line(`\n${visible(file)}: tables of ${counted(found.layers.length, 'layer')}, from ${counted(found.pictures, 'picture')}`);
  out.line(visible(`next: s2a train ${model} ${data} --tables ${file} --out <folder>`));
}
