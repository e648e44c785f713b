/** `s2a fidelity`: a policy's gradients against f32, block by block. */

import { defined } from '../../src/base/defined.ts';
import { writeText } from '../../src/base/files.ts';
import { visible } from '../../src/base/visible.ts';
import { escapeText } from '../../src/report/chart.ts';
import { FIDELITY_COLUMNS, fidelityRows, fidelitySection, fidelityText } from '../../src/report/fidelity.ts';
import { FOOTER, page } from '../../src/report/page.ts';
import { table } from '../../src/report/terminal.ts';
import { fidelity as measure } from '../../src/use/fidelity/fidelity.ts';
import { method, PLAN_FLAGS, parse, read } from './options.ts';
import type { Output } from './output.ts';

export async function fidelity(args: string[], out: Output): Promise<void> {
  // Gradients are compared over f32 weights, all in memory.
  const { budget: _, weights: __, resident: ___, recompute: ____, 'max-threads': _____, ...plan } = PLAN_FLAGS;
  const flags = {
    ...plan,
    labels: 'text',
    normalize: 'text',
    calibrate: 'text',
    tables: 'text',
    adapter: 'text',
    steps: 'text',
    batches: 'text',
    seed: 'text',
    cache: 'text',
    report: 'text',
  } as const;
  const p = parse(args, flags, { least: 2, most: 2, usage: 's2a fidelity <model folder> <pictures>' });
  const [model, data] = p.positionals as [string, string];
  const found = await measure({
    model,
    data,
    onPrepare: (done, total) => out.live(`preparing ${done}/${total}`),
    warn: (sentence) => out.warn(sentence),
    onStep: (done, total) => out.live(`step ${done}/${total}`),
    ...defined({
      method: method(p),
      keep: read(p, 'keep'),
      optimizer: read(p, 'optimizer'),
      adapter: p.text('adapter'),
      labels: read(p, 'labels'),
      normalize: read(p, 'normalize'),
      calibrate: read(p, 'calibrate'),
      tables: read(p, 'tables'),
      batchSize: read(p, 'batchSize'),
      microBatch: read(p, 'microBatch'),
      imageSize: read(p, 'imageSize'),
      steps: read(p, 'steps'),
      batches: read(p, 'batches'),
      rate: read(p, 'rate'),
      seed: read(p, 'seed'),
      cacheFolder: read(p, 'cacheFolder'),
    }),
  });
  const report = p.text('report');
  if (report !== undefined) {
    const title = `${found.model}: fidelity of ${found.keep}`;
    const command = `<section><h2>Again</h2><pre>${escapeText(`s2a fidelity ${args.join(' ')}`)}</pre></section>`;
    writeText(report, page(title, [`<header><h1>${escapeText(title)}</h1></header>`, fidelitySection(found), command, FOOTER]));
  }
  if (p.flag('json')) out.json(found);
  else out.line(`${visible(fidelityText(found))}\n\n${table([FIDELITY_COLUMNS, ...fidelityRows(found)])}`);
}
