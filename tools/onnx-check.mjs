// Does onnxruntime answer for an exported file as this project does for base and adapter? Golden networks, learnt tensors moved at random:
//     node tools/onnx-check.mjs [--python PYTHON] [--only NAME] [--write]
//
// --write: the digests of the files that agree go into test/golden/onnxexport.json, by which npm test knows files that onnxruntime has seen.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { distance, python, TOLERANCE } from './parity/compare.mjs';
import { source } from './parity/source.mjs';

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
});
const { exportCases, exportOf, COUNT } = await source('onnx-check', `export * from './test/support/onnxcase.ts';`);
/** Over coded weights products here are of numbers rounded to 14 bits (docs/weights.md), there of f32. */
const CODED = 3e-3;
const RECORD = 'test/golden/onnxexport.json';

const work = mkdtempSync(join(tmpdir(), 's2a-onnx-'));
let failed = 0;
try {
  const jobs = [];
  for (const one of exportCases()) {
    if (!one.name.includes(values.only)) continue;
    const folder = join(work, String(jobs.length));
    mkdirSync(folder);
    const { file, logits, pictures } = exportOf(one, folder);
    const [given, out] = [join(folder, 'pictures'), join(folder, 'answers')];
    writeFileSync(given, new Uint8Array(pictures.buffer));
    jobs.push({ name: one.name, isCoded: one.weights !== undefined, file, pictures: given, out, logits });
  }
  writeFileSync(join(work, 'jobs'), JSON.stringify(jobs.map(({ file, pictures, out }) => ({ file, pictures, out }))));
  const said = python(values.python, 'onnxrun.py', join(work, 'jobs')).trim().split('\n');
  /** @type {Record<string, string>} */
  const seen = values.only && existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, 'utf8')) : {};
  jobs.forEach(({ name, isCoded, file, out, logits }, i) => {
    let text = String(said[i] ?? 'failed');
    if (text.startsWith('ok ')) {
      // What the last bit of the pictures changes is no disagreement; each of some hundred layers rounds again, at random: ten times that.
      const bound = Math.max(isCoded ? CODED : TOLERANCE, 10 * Number(text.slice(3)));
      const bytes = readFileSync(out);
      const { largest } = distance(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), logits);
      text = `${largest <= bound ? 'PASS' : 'FAIL'}  ${largest.toExponential(1)}${bound > TOLERANCE ? ` of at most ${bound.toExponential(1)}` : ''}`;
      if (text.startsWith('PASS')) seen[name] = createHash('sha256').update(readFileSync(file)).digest('hex');
    }
    if (!text.startsWith('PASS')) failed++;
    console.log(`${text}  ${name}`);
  });
  if (values.write) writeFileSync(RECORD, `${JSON.stringify(Object.fromEntries(Object.entries(seen).sort()), undefined, 1)}\n`);
  console.log(`${jobs.length - failed} agree, ${failed} do not (${COUNT} pictures each)`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = failed > 0 ? 1 : 0;
