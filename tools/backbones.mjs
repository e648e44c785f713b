// Which of a hundred backbones load, natively or from their ONNX file? Writes docs/results/backbones.md:
//     node tools/backbones.mjs [--python PYTHON]
// With PYTHON (torch, timm) those of timm that no reader takes are exported, with random weights at full size, and opened; without, the page says what it said of them.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { python } from './parity/compare.mjs';
import { HUNDRED } from './parity/hundred.mjs';
import { source } from './parity/source.mjs';

const PAGE = 'docs/results/backbones.md';
const { values } = parseArgs({ options: { python: { type: 'string' } } });
const { readerOf, openOnnxBase } = await source(
  'backbones',
  `export { readerOf } from './src/import/families.ts';
export { openOnnxBase } from './src/import/onnx/base.ts';`,
);

/** Of the page as it is, by name: what was found of an ONNX file. */
const before = new Map(
  (existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '').split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    return cells.length > 5 ? [[cells[3], cells[5]]] : [];
  }),
);

/** What becomes of a network's ONNX file. */
function fromOnnx({ library, name }) {
  if (library !== 'timm') return 'not tried';
  if (values.python === undefined) return before.get(`\`${name}\``) ?? 'not tried';
  const work = mkdtempSync(join(tmpdir(), 's2a-backbone-'));
  const file = join(work, 'model.onnx');
  try {
    python(values.python, 'hundred.py', name, file);
    openOnnxBase(file).weights.close();
    return 'read';
  } catch (error) {
    const sentence = String(error.message).replaceAll(work, '').split('\n')[0];
    console.error(`${name}: ${sentence}`);
    return 'refused';
  } finally {
    rmSync(work, { recursive: true });
  }
}

const rows = HUNDRED.map((one) => {
  const isRead = readerOf(/** @type {any} */ (one.library), one.name) !== undefined;
  return { ...one, isRead, onnx: isRead ? '–' : fromOnnx(one) };
});
const natively = rows.filter((one) => one.isRead);
const first = rows.filter(({ tier }) => tier === 1);
const byFile = rows.filter(({ onnx }) => onnx === 'read');
const lines = [
  '# A hundred backbones',
  '',
  'Written by `node tools/backbones.mjs`. A network counts as read where its configuration has a reader here, which its golden files hold to PyTorch; of the others',
  'those of timm that the last column says something of were exported to ONNX at full size with random weights, and opened.',
  '',
  `Natively: ${natively.length} of ${rows.length}, of the ${first.length} most used ${first.filter((one) => one.isRead).length}. Natively or from ONNX: ${natively.length + byFile.length}.`,
  '',
  '| tier | network | name | natively | from ONNX |',
  '|---|---|---|---|---|',
  ...rows.map(
    ({ tier, title, library, name, isRead, onnx }) =>
      `| ${tier} | ${title} (${library}) | \`${name}\` | ${isRead ? 'yes' : 'no'} | ${onnx} |`,
  ),
];
writeFileSync(PAGE, `${lines.join('\n')}\n`);
console.log(lines[5]);
