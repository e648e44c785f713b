/** `s2a merge`: base + adapter as one model folder. */
import { InputError } from '../../src/error.ts';
import { mergeAdapter } from '../../src/merge/index.ts';
import { formatBytes } from '../../src/report/terminal.ts';
import { parse } from './options.ts';
import type { Output } from './output.ts';

export function merge(args: string[], out: Output): void {
  const p = parse(args, { out: 'text', json: 'flag' }, { least: 2, most: 2, usage: 's2a merge <model folder> <adapter> --out <folder>' });
  const [model, adapter] = p.positionals as [string, string];
  const folder = p.text('out');
  if (folder === undefined) throw new InputError({ where: '--out', what: 'is missing', expected: 'a folder for the merged model' });
  const result = mergeAdapter({ model, adapter, out: folder });
  if (p.flag('json')) {
    out.json(result);
    return;
  }
  const { tensors, changed, added, bytes, classes } = result;
  out.line(`${folder}: ${tensors} tensors, ${formatBytes(bytes)}; ${changed} changed, ${added} new; ${classes.length} classes`);
  out.line(`next: s2a predict ${folder} <picture>`);
}
