// Does PEFT over the base give the logits that this project gives base and adapter? Golden models, learnt tensors moved at random. Needs torch,
// transformers, timm and peft:
//     node tools/peft-check.mjs [--python PYTHON] [--filter NAME]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareLogits, TOLERANCE } from './parity/compare.mjs';
import { source } from './parity/source.mjs';

const { values } = parseArgs({
  options: { python: { type: 'string', default: 'python3' }, filter: { type: 'string', default: '' } },
});
const { exportPeft, movedAdapter } = await source(
  'peft-check',
  `export { exportPeft } from './src/use/merge/peft.ts'; export { movedAdapter } from './test/support/mergecase.ts';`,
);
const ALL = 'lora:rank=4,alpha=8,all=1';
/** Model, methods. */
/** @type {[string, string[]][]} */
const CASES = [
  ['vit-hf', ['bias', 'lora', ALL, `bias+${ALL}`, 'probe', 'lora+last:blocks=1', 'lora:targets=value/dense']],
  ['vit-hf-f16', ['lora']],
  ['deit-hf', ['bias', `bias+${ALL}`]],
  ['vit-timm', ['bias', 'lora', 'lora:targets=query/proj', ALL, `bias+${ALL}`]],
  ['deit-timm', ['lora']],
  ['mobilenetv2-hf', ['bias', 'probe']],
  ['resnet-hf', ['bias', 'probe']],
  ['swin-hf', ['lora', ALL, 'probe']],
  ['swin-timm', ['lora', ALL]],
  ['convnext-hf', ['probe']],
];

const work = mkdtempSync(join(tmpdir(), 's2a-peft-'));
let failed = 0;
try {
  let number = 0;
  for (const [name, methods] of CASES.filter(([name]) => name.includes(values.filter)))
    for (const method of methods) {
      const model = join('test/golden', name);
      const [adapter, peft] = [join(work, `adapter-${number}`), join(work, `peft-${number++}`)];
      movedAdapter(model, method, adapter);
      let text;
      try {
        exportPeft({ model, adapter, out: peft });
        const rows = await compareLogits(model, { interpreter: values.python, model, adapter, peft });
        const worst = Math.max(...rows.map((r) => r.largest));
        text = `${worst <= TOLERANCE ? 'PASS' : 'FAIL'}  ${worst.toExponential(1)}`;
      } catch (error) {
        text = `FAIL  ${error.message}`;
      }
      if (text.startsWith('FAIL')) failed++;
      console.log(`${text}  ${name}, ${method}`);
    }
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = failed > 0 ? 1 : 0;
