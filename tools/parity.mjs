// Is this model folder read as PyTorch reads it? Logits of its own head, by both, on seeded pictures and on yours:
//     node tools/parity.mjs <model folder…> [--python PYTHON] [--pictures FOLDER]
// Needs a Python with torch and transformers or timm. Exit code 0: every logit within 1e-4 of the largest; 1: not; 2: cannot be compared.
//     node tools/parity.mjs --full [name…] [--python PYTHON]
// One full-size configuration of every family with random weights: logits, gradients and ten losses (tools/parity/full.mjs).
//     node tools/parity.mjs --page [--python PYTHON]
// Writes docs/results/parity.md from what --full has recorded.
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', default: 'python3' },
    pictures: { type: 'string' },
    full: { type: 'boolean' },
    page: { type: 'boolean' },
  },
});
if (values.full) {
  const { full } = await import('./parity/full.mjs');
  process.exitCode = await full(positionals, values.python);
} else if (values.page) {
  const { writePage } = await import('./parity/page.mjs');
  process.exitCode = writePage(values.python);
} else if (positionals.length === 0) {
  console.error(
    'node tools/parity.mjs <model folder…> [--python PYTHON] [--pictures FOLDER]\nnode tools/parity.mjs --full [name…] [--python PYTHON]\nnode tools/parity.mjs --page [--python PYTHON]',
  );
  process.exitCode = 2;
} else {
  const { compareLogits, TOLERANCE } = await import('./parity/compare.mjs');
  process.exitCode = 0;
  for (const folder of positionals) {
    try {
      for (const { name, classes, largest, norm } of await compareLogits(folder, {
        interpreter: values.python,
        pictures: values.pictures,
      })) {
        const pass = largest <= TOLERANCE;
        if (!pass) process.exitCode = Math.max(process.exitCode, 1);
        console.log(
          `${pass ? 'PASS' : 'FAIL'}  ${folder}  ${name}: ${classes} logits, largest error ${largest.toExponential(1)}, by norm ${norm.toExponential(1)}`,
        );
      }
    } catch (error) {
      console.error(`${folder}: ${error.message.replace(`${folder}: `, '')}`);
      process.exitCode = 2;
    }
  }
}
