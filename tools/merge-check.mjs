// Does PyTorch give a merged folder the logits that this project gives base and adapter? Golden models, learnt tensors moved at random:
//     node tools/merge-check.mjs [--python PYTHON]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareLogits, TOLERANCE } from './parity/compare.mjs';
import { source } from './parity/source.mjs';

const { values } = parseArgs({ options: { python: { type: 'string', default: 'python3' } } });
const { mergeAdapter, movedAdapter, published, publishedFolder, foldedFolder } = await source(
  'merge-check',
  `export { mergeAdapter } from './src/use/merge/merge.ts'; export { movedAdapter } from './test/support/mergecase.ts';
  export { published, publishedFolder, foldedFolder } from './test/support/publishedcase.ts';`,
);
const LORA = 'lora:rank=4,alpha=8,all=1';
/** Of the other tasks the folder holds more than the adapter's numbers: units and thresholds go into it. */
const MULTILABEL = { name: 'multilabel', constants: { threshold: [0.5, 0.4, 0.5, 0.6, 0.5] } };
const REGRESS = { name: 'regress', constants: { mean: [20, -3, 0, 100, 0.5], std: [4, 1, 0.2, 30, 2] } };
/** Model, picture size where it is not the model's own, methods, the task where it is not to classify. */
/** @type {[string, number | [number, number] | undefined, string[], { name: string, constants: Record<string, number[]> }?][]} */
const CASES = [
  ['vit-hf', undefined, ['bias', LORA, `bias+${LORA}`, 'probe', 'full']],
  ['vit-hf', 48, ['bias']],
  ['vit-hf-rect', 24, ['bias']],
  ['vit-hf-f16', undefined, ['bias', 'full']],
  ['deit-hf', undefined, ['bias', LORA, 'full']],
  ['vit-timm', undefined, ['bias', LORA, 'full']],
  ['deit3-timm', undefined, ['bias', LORA, 'full']],
  ['deit-timm', undefined, ['bias']],
  ['mobilenetv2-hf', undefined, ['bias', LORA, 'full', 'probe']],
  ['resnet-hf', 40, ['bias', 'full']],
  ['resnet50-timm', 48, ['bias', LORA, 'full']],
  ['swin-hf', undefined, ['bias', `bias+${LORA}`, 'full']],
  ['swin-hf-pad', 36, ['bias']],
  ['swin-timm', undefined, ['bias', LORA, 'full']],
  ['convnext-hf', undefined, ['bias', LORA, 'full']],
  ['convnext-timm', 64, ['bias', LORA, 'full']],
  // As they are published, without preprocessor_config.json: merging writes one.
  ['published/vit-bare', undefined, ['bias', 'full']],
  ['published/vit-bare', [40, 24], ['bias']],
  ['published/deit-bare', undefined, ['bias']],
  ['published/deit-teacher', undefined, ['bias']],
  ['published/swin-bare', undefined, ['bias']],
  ['published/swin-wide', undefined, ['bias']],
  ['published/resnet-bare', 64, ['bias', 'full']],
  ['published/convnext-bare', 64, ['bias', 'full']],
  ['published/mobilenetv2-bare', 64, ['bias', 'full']],
  ['published/vit-no-bias', undefined, ['probe', 'bias']],
  ['published/vit-wide', undefined, ['bias', 'full']],
  ['published/vit-timm-miil', undefined, ['probe', 'bias']],
  ['published/vit-timm-wide', undefined, ['bias']],
  ['published/swin-timm-old', undefined, ['bias', 'full']],
  ['published/swin-timm-wide', undefined, ['bias', 'full']],
  ['published/folded', undefined, ['bias', LORA, 'full', 'probe']],
  ['vit-hf', undefined, ['bias', 'full'], MULTILABEL],
  ['vit-hf', undefined, ['bias', 'full'], REGRESS],
  ['resnet-hf', 40, ['probe'], REGRESS],
  ['convnext-timm', 64, ['bias'], REGRESS],
  ['mobilenetv2-hf', undefined, ['bias'], MULTILABEL],
];

function folderOf(name) {
  const [, made] = /^published\/(.*)$/.exec(name) ?? [];
  if (made === undefined) return join('test/golden', name);
  return made === 'folded' ? foldedFolder() : publishedFolder(published[made]);
}

const work = mkdtempSync(join(tmpdir(), 's2a-merge-'));
let failed = 0;
try {
  let number = 0;
  for (const [name, size, methods, task] of CASES)
    for (const method of methods) {
      const model = folderOf(name);
      const [adapter, out] = [join(work, `adapter-${number}`), join(work, `merged-${number++}`)];
      movedAdapter(model, method, adapter, { imageSize: size, task });
      mergeAdapter({ model, adapter, out });
      let text;
      try {
        // A regression's own outputs are deviations from the mean: what its merged folder says is compared with what PyTorch says of that folder.
        const rows = await compareLogits(out, { interpreter: values.python, ...(task ? {} : { model, adapter }) });
        const worst = Math.max(...rows.map((r) => r.largest));
        text = `${worst <= TOLERANCE ? 'PASS' : 'FAIL'}  ${worst.toExponential(1)}`;
      } catch (error) {
        text = `FAIL  ${error.message}`;
      }
      if (text.startsWith('FAIL')) failed++;
      console.log(`${text}  ${name}${size ? ` at ${size}` : ''}, ${method}${task ? `, ${task.name}` : ''}`);
    }
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = failed > 0 ? 1 : 0;
