/** `s2a compare`: how alike two pictures are to a network. */
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { defaultDecoderBytes } from '../../src/input/decoderlimit.ts';
import { inputOf } from '../../src/input/index.ts';
import { loadEmbedder, similarity } from '../../src/use/embedder.ts';
import { adapterAmong, NETWORK_FLAGS } from './embed.ts';
import { parse, read } from './options.ts';
import type { Output } from './output.ts';

export async function compare(args: string[], out: Output): Promise<void> {
  const usage = 's2a compare <model folder> [adapter] <picture> <picture>';
  const p = parse(args, NETWORK_FLAGS, { least: 3, most: 4, usage });
  const { model, adapter, rest } = adapterAmong(p);
  if (rest.length !== 2) throw new InputError({ where: 'arguments', what: 'wrong number of pictures', got: rest.length, expected: usage });
  const embedder = loadEmbedder(adapter, {
    model,
    ...defined({ weights: read(p, 'weights'), stored: read(p, 'stored'), budget: read(p, 'budget'), threads: read(p, 'threads') }),
  });
  try {
    const { preprocess } = embedder;
    const features: Float32Array[] = [];
    for (const file of rest) features.push(embedder.embedPrepared(await inputOf(preprocess).read(file, preprocess, defaultDecoderBytes)));
    const score = similarity(features[0]!, features[1]!);
    if (p.flag('json')) out.json({ pictures: rest, score });
    else out.line(score.toFixed(4));
  } finally {
    await embedder.close();
  }
}
