/** `s2a export`: base and adapter as one file for other runtimes. */

import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import { formatBytes } from '../../src/report/terminal.ts';
import { exportOnnx } from '../../src/use/onnx/export.ts';
import { parse, read } from './options.ts';
import type { Output } from './output.ts';

export function exportModel(args: string[], out: Output): void {
  const flags = { out: 'text', onnx: 'flag', weights: 'text', json: 'flag' } as const;
  const p = parse(args, flags, { least: 1, most: 2, usage: 's2a export <model folder> [adapter] --onnx --out <folder>' });
  const [model, adapter] = p.positionals as [string, string | undefined];
  const folder = p.text('out');
  if (!p.flag('onnx'))
    throw new InputError({ where: '--onnx', what: 'is missing', hint: 'it is the one format there is; s2a merge writes model folders' });
  if (folder === undefined) throw new InputError({ where: '--out', what: 'is missing', expected: 'a folder for model.onnx' });
  const result = exportOnnx({ model, out: folder, ...defined({ adapter, weights: read(p, 'precision') }) });
  if (p.flag('json')) {
    out.json(result);
    return;
  }
  for (const note of result.notes) out.warn(note);
  out.line(
    `${visible(folder)}/model.onnx: ${counted(result.nodes, 'node')}, ${formatBytes(result.bytes)}; ${result.classes.length} classes`,
  );
}
