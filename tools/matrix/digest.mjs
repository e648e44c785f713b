// Trains cases of the matrix with the library in dist/, on whatever JavaScript runtime this is, and prints a line for each: digest, name.
//
//     node tools/matrix/digest.mjs <folder> [--threads N] [--filter F]... [--cache NAME]
//
// Pictures are in <folder>/pictures, as tools/matrix.mjs makes them; prepared ones are kept in <folder>/<cache>.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { trainJob } from '../../dist/index.js';
import { CASES, STEPS } from './cases.mjs';

// Node 20 and 21 have relaxed SIMD behind a flag, which is read whenever a module is compiled.
if (/^2[01]\./.test(process.versions.node) && process.versions.deno === undefined) setFlagsFromString('--experimental-wasm-relaxed-simd');

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: {
    threads: { type: 'string' },
    filter: { type: 'string', multiple: true, default: [] },
    cache: { type: 'string', default: 'cache' },
  },
  allowPositionals: true,
});
const [folder] = positionals;
const root = fileURLToPath(new URL('../..', import.meta.url));
const out = join(folder, `out-${process.pid}`);
mkdirSync(out, { recursive: true });
try {
  for (const { name, model, job, steps: wanted = STEPS } of CASES.filter((c) => values.filter.every((part) => c.name.includes(part)))) {
    let steps = 0;
    // A folder that holds an adapter of other classes is refused.
    rmSync(out, { recursive: true, force: true });
    await trainJob(
      {
        ...job,
        model: join(root, 'test/golden', model),
        data: join(folder, 'pictures'),
        ...(job.labels ? { labels: join(folder, job.labels) } : {}),
        cacheFolder: join(folder, values.cache),
        out,
        ...(values.threads ? { threads: Number(values.threads) } : {}),
      },
      { onStep: () => steps++ },
    );
    if (steps !== wanted) throw new Error(`${name}: ${steps} steps, not ${wanted}`);
    console.log(
      createHash('sha256')
        .update(readFileSync(join(out, 'adapter_model.safetensors')))
        .digest('hex'),
      name,
    );
  }
} finally {
  rmSync(out, { recursive: true, force: true });
}
