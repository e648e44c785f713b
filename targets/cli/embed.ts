/** `s2a embed`: features of pictures, as an array for other programs. */
import { join } from 'node:path';
import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { fileExists } from '../../src/base/files.ts';
import { visible } from '../../src/base/visible.ts';
import { embedJob } from '../../src/use/embed.ts';
import { type Flags, type Parsed, parse, read } from './options.ts';
import type { Output } from './output.ts';

export const NETWORK_FLAGS = { weights: 'text', stored: 'text', budget: 'text', threads: 'text', json: 'flag' } as const satisfies Flags;

/** The adapter, where the second argument is one, and what follows. */
export function adapterAmong({ positionals }: Parsed): { model: string; adapter?: string; rest: string[] } {
  const [model, second, ...rest] = positionals as [string, string, ...string[]];
  const isAdapter = second.endsWith('.safetensors') || fileExists(join(second, 'adapter_model.safetensors'));
  return isAdapter ? { model, adapter: second, rest } : { model, rest: [second, ...rest] };
}

export async function embed(args: string[], out: Output): Promise<void> {
  const usage = 's2a embed <model folder> [adapter] <pictures…> --out <file.npy>';
  const p = parse(args, { ...NETWORK_FLAGS, out: 'text' }, { least: 2, most: Number.POSITIVE_INFINITY, usage });
  const { model, adapter, rest: pictures } = adapterAmong(p);
  const file = p.text('out');
  if (file === undefined) throw new InputError({ where: '--out', what: 'is missing', expected: 'a .npy file for the features' });
  if (pictures.length === 0) throw new InputError({ where: 'arguments', what: 'no picture is given', expected: usage });
  const found = await embedJob({
    model,
    pictures,
    out: file,
    onPicture: (done, total) => out.live(`features of pictures ${done}/${total}`),
    ...defined({
      adapter,
      weights: read(p, 'weights'),
      stored: read(p, 'stored'),
      budget: read(p, 'budget'),
      threads: read(p, 'threads') ?? 'auto',
    }),
  });
  for (const { file: path, reason } of found.skipped) out.warn(`skipped ${path}: ${reason}`);
  if (p.flag('json')) out.json(found);
  else
    out.line(
      visible(`${found.out}: ${counted(found.pictures, 'picture')}, ${found.features} numbers each; its rows are named in ${found.names}`),
    );
}
