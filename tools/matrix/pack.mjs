// Packs the cases of the matrix for the WASI program: <folder>/boards/<number> each, the models' weights in <folder>/models.
//
//     node tools/matrix/pack.mjs <folder> [--filter F]
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { packJob } from '../../dist/index.js';
import { CASES, isForBoards, MODELS } from './cases.mjs';

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { filter: { type: 'string', default: '' } },
  allowPositionals: true,
});
const [folder] = positionals;
for (const model of MODELS) cpSync(join('test/golden', model, 'model.safetensors'), join(folder, 'models', model, 'model.safetensors'));
for (const [i, { name, model, job }] of CASES.entries())
  if (name.includes(values.filter) && isForBoards({ job })) {
    const out = join(folder, 'boards', String(i));
    const labels = job.labels ? { labels: join(folder, job.labels) } : {};
    const folders = { model: join('test/golden', model), data: join(folder, 'pictures'), cacheFolder: join(folder, 'cache'), out };
    await packJob({ ...job, ...labels, ...folders });
  }
