/** `s2a pack`: what a board without JavaScript trains from. */
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { formatBytes } from '../../src/report/terminal.ts';
import { packJob } from '../../src/use/pack.ts';
import { packInference } from '../../src/use/packinfer.ts';
import { type Flags, parse, read } from './options.ts';
import type { Output } from './output.ts';
import { preparingLine } from './progress.ts';
import { pairs, planText } from './show.ts';
import { jobOf, TRAIN_FLAGS } from './train.ts';

/** Options of `train` that the board decides, or that have no meaning there. */
const NOT_HERE = [
  'save-every',
  'resume',
  'overwrite',
  'process-budget',
  'report',
  'log',
  'from',
  'feature-cache',
  'stored',
  'arithmetic',
] as const;
const FLAGS: Flags = {
  ...Object.fromEntries(Object.entries(TRAIN_FLAGS).filter(([name]) => !(NOT_HERE as readonly string[]).includes(name))),
  pixels: 'text',
};

const INFERENCE: Flags = { adapter: 'text', out: 'text', 'micro-batch': 'text', budget: 'text', weights: 'text', json: 'flag' };

/** Weights that were written beside the program, from a model of another kind of file. */
const weightsHere = (elsewhere: readonly string[]): string => (elsewhere.length > 0 ? '' : ', model.safetensors');

/** With --adapter: a program that only predicts. */
function packAdapter(args: string[], out: Output): void {
  const p = parse(args, INFERENCE, { least: 1, most: 1, usage: 's2a pack <model folder> --adapter <adapter> --out <folder>' });
  const [folder, model] = [p.text('out'), p.positionals[0]!];
  if (folder === undefined) throw new InputError({ where: '--out', what: 'is missing', expected: 'a folder for the board' });
  const sizes = defined({ microBatch: read(p, 'microBatch'), budget: read(p, 'budget'), weights: read(p, 'weights') });
  const packed = packInference({ model, adapter: p.text('adapter')!, out: folder, ...sizes });
  if (p.flag('json')) {
    out.json(packed);
    return;
  }
  const { planBytes, totalBytes } = packed.memory;
  out.line(
    pairs([
      ['packed', `${packed.out}: s2a.wasm, program.s2a${weightsHere(packed.weights)}, for ${packed.classes.length} classes`],
      ['needs too', `${packed.weights.length > 0 ? `${packed.weights.join(', ')} of ${model}, and ` : ''}the adapter`],
      ['memory', `${totalBytes} bytes in all: linear memory ${formatBytes(planBytes)}, its own ${formatBytes(totalBytes - planBytes)}`],
    ]),
  );
  const next =
    packed.frames === null
      ? 's2a.wasm predict program.s2a new.npy'
      : `${packed.frames.replace('FILE', 'new.jpg')} | s2a.wasm predict program.s2a`;
  out.line(
    `\nnext, on the board: ${next} --model ${packed.weights.length > 0 ? 'M' : '.'} --adapter A${packed.storedBytes > 0 ? ' --stored weights.s2aw' : ''}`,
  );
}

export async function pack(args: string[], out: Output): Promise<void> {
  if (args.some((arg) => arg === '--adapter' || arg.startsWith('--adapter='))) return packAdapter(args, out);
  const here = NOT_HERE.find((name) => args.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`)));
  if (here !== undefined)
    throw new InputError({
      where: `--${here}`,
      what: 'is not an option of pack',
      ...(['from', 'feature-cache', 'overwrite', 'arithmetic'].includes(here) ? {} : { hint: 'give it to s2a.wasm train' }),
    });
  const p = parse(args, FLAGS, { least: 2, most: 2, usage: 's2a pack <model folder> <pictures> --out <folder>' });
  const job = { ...jobOf(p), ...defined({ pixels: read(p, 'pixels') }) };
  const packed = await packJob(job, {
    warn: (sentence) => out.warn(sentence),
    onPlan: (plan) => out.note(planText(plan)),
    onPrepare: (done) => out.live(preparingLine(done)),
  });
  if (p.flag('json')) return out.json(packed);
  for (const { path, reason } of packed.skipped) out.warn(`skipped ${path}: ${reason}`);
  const { planBytes, totalBytes } = packed.memory;
  out.line(
    pairs([
      ['packed', `${packed.out}: s2a.wasm, program.s2a${weightsHere(packed.weights)}, {train,val}-{images,labels}.npy`],
      [packed.frames === null ? 'arrays' : 'pictures', `${packed.pictures.train} to learn from, ${packed.pictures.val} to judge by`],
      ...(packed.weights.length > 0 ? [['needs too', `${packed.weights.join(', ')} of ${job.model}`] as [string, string]] : []),
      ['memory', `${totalBytes} bytes in all: linear memory ${formatBytes(planBytes)}, its own ${formatBytes(totalBytes - planBytes)}`],
      ['written', formatBytes(packed.bytesWritten)],
    ]),
  );
  out.line(
    `${packed.frames === null ? '' : `\nframes to predict on: ${packed.frames.replace('FILE', 'new.jpg')} | s2a.wasm predict …`}\nnext, on the board: s2a.wasm train program.s2a --model ${packed.weights.length > 0 ? 'M' : '.'} --data . --out my-adapter`,
  );
}
