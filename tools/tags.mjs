// How many of timm's pretrained tags are read here? By names and shapes alone, nothing is fetched:
//     node tools/tags.mjs [--python PYTHON] [--from FILE] [--all]
// FILE: what tools/parity/tags.py wrote. Prints the share that is read, how many tags of each first word are refused, and with --all why each of them is.
// Exit code 1 where a tag is taken for a network whose tensors it does not have, which its name alone should have said.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { python } from './parity/compare.mjs';
import { source } from './parity/source.mjs';

const { values } = parseArgs({
  options: { python: { type: 'string', default: 'python3' }, from: { type: 'string' }, all: { type: 'boolean', default: false } },
});
const { parseModel, checkWeights, readTimm } = await source(
  'tags',
  `export { parseModel } from './src/import/index.ts';
export { checkWeights } from './src/import/checkweights.ts';
export { readTimm } from './src/input/timm.ts';`,
);

const work = mkdtempSync(join(tmpdir(), 's2a-tags-'));
const file = values.from ?? join(work, 'tags');
if (values.from === undefined) python(values.python, 'tags.py', file);
const lines = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line));
rmSync(work, { recursive: true });
const tensorsOf = new Map(lines.map(({ name, tensors }) => [name, tensors]));

/** Why a tag is refused; undefined: it is read. `late`: its weights are not those of the network that its name means here. */
function refusal({ name, config, error, as }) {
  if (error !== undefined) return { why: `timm itself: ${error}` };
  const shapes = new Map(Object.entries(tensorsOf.get(as ?? name)));
  const tensors = new Map([...shapes].map(([tensor, shape]) => [tensor, { name: tensor, dtype: 'F32', shape, bytes: 0 }]));
  const found = { path: name, tensors, tensor: (wanted) => tensors.get(wanted) ?? missing(name, wanted) };
  let model;
  try {
    model = parseModel({ where: name, values: config, tensors: shapes });
    readTimm(config, name, undefined, model.channels);
  } catch (fault) {
    return { why: fault.message };
  }
  try {
    checkWeights(model, /** @type {any} */ (found));
    return undefined;
  } catch (fault) {
    return { why: fault.message, late: true };
  }
}

function missing(path, tensor) {
  throw new Error(`${path}: no tensor ${tensor}`);
}

const refused = lines.flatMap((line) => {
  const found = refusal(line);
  return found ? [{ name: line.name, architecture: line.name.replace(/\..*/, ''), ...found }] : [];
});
const all = new Set(lines.map(({ name }) => name.replace(/\..*/, '')));
const bad = new Set(refused.map(({ architecture }) => architecture));
const share = (n, of) => `${n} of ${of} (${((100 * n) / of).toFixed(1)} %)`;
console.log(
  `tags read: ${share(lines.length - refused.length, lines.length)}; architectures read whole: ${share(all.size - bad.size, all.size)}`,
);
const late = refused.filter((one) => one.late);
for (const { name, why, late: isLate } of values.all ? refused : late) console.log(`${isLate ? 'AT ITS WEIGHTS ' : ''}${name}: ${why}`);
const families = new Map();
for (const { architecture } of refused) {
  const family = architecture.replace(/[\d_].*/, '');
  families.set(family, (families.get(family) ?? 0) + 1);
}
const most = [...families].sort((a, b) => b[1] - a[1]).slice(0, 40);
console.log(`refused tags by first word: ${most.map(([family, n]) => `${family} ${n}`).join(', ')}`);
process.exitCode = late.length > 0 ? 1 : 0;
