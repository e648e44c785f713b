/** `s2a merge`: base + adapter as one model folder, or the adapter as PEFT loads it. */

import { counted } from '../../src/base/counted.ts';
import { InputError } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import { formatBytes } from '../../src/report/terminal.ts';
import { mergeAdapter } from '../../src/use/merge/merge.ts';
import { exportPeft } from '../../src/use/merge/peft.ts';
import { parse } from './options.ts';
import type { Output } from './output.ts';

export function merge(args: string[], out: Output): void {
  const p = parse(
    args,
    { out: 'text', peft: 'flag', json: 'flag' },
    { least: 2, most: 2, usage: 's2a merge <model folder> <adapter> --out <folder>' },
  );
  const [model, adapter] = p.positionals as [string, string];
  const folder = p.text('out');
  if (folder === undefined) throw new InputError({ where: '--out', what: 'is missing', expected: 'a folder for the merged model' });
  if (p.flag('peft')) {
    const result = exportPeft({ model, adapter, out: folder });
    if (p.flag('json')) out.json(result);
    else {
      const learnt = [
        ...(result.layers > 0 ? [`${counted(result.layers, 'layer')} with a low-rank product`] : []),
        ...(result.biases > 0 ? [counted(result.biases, 'bias')] : []),
      ];
      out.line(`${visible(folder)}: ${[...learnt, `a head of ${result.classes.length} classes`].join(', ')}`);
    }
    return;
  }
  const result = mergeAdapter({ model, adapter, out: folder });
  if (p.flag('json')) {
    out.json(result);
    return;
  }
  const { tensors, changed, added, bytes, classes } = result;
  out.line(
    `${visible(folder)}: ${counted(tensors, 'tensor')}, ${formatBytes(bytes)}; ${changed} changed, ${added} new; ${classes.length} classes`,
  );
  out.line(visible(`next: s2a predict ${folder} <picture>`));
}
