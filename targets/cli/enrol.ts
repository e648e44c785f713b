/** `s2a enrol`: classes without training. */
import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import { formatBytes, formatDuration, formatPercent } from '../../src/report/terminal.ts';
import { type Enrolled, enrolJob } from '../../src/training/enrol.ts';
import { type Parsed, parse, read } from './options.ts';
import type { Output } from './output.ts';
import { pairs } from './show.ts';

const FLAGS = {
  out: 'text',
  from: 'text',
  task: 'text',
  labels: 'text',
  normalize: 'text',
  weights: 'text',
  stored: 'text',
  'image-size': 'text',
  'micro-batch': 'text',
  budget: 'text',
  threads: 'text',
  cache: 'text',
  json: 'flag',
} as const;

/** `classify`, or `normal`: one class, what is as usual. */
function taskOf(p: Parsed): 'classify' | 'normal' | undefined {
  const task = p.text('task');
  if (task === undefined || task === 'classify' || task === 'normal') return task;
  throw new InputError({ where: '--task', what: 'unknown value', got: task, expected: 'classify, normal' });
}

function tellNormal({ added, known, adapter, linearBytes, seconds }: Enrolled, model: string, out: Output): void {
  const judged = 'judged' in known ? known.judged : 0;
  out.line(
    pairs([
      ['as usual', visible(added[0]!)],
      ['from', `${counted(judged, 'picture')}, each of which judged the others' threshold`],
      ['linear memory', formatBytes(linearBytes)],
      ['time', formatDuration(seconds)],
      ['adapter', adapter],
    ]),
  );
  out.line(`\n${visible(`next: s2a predict ${model} ${adapter} <picture>`)}`);
}

export async function enrol(args: string[], out: Output): Promise<void> {
  const p = parse(args, FLAGS, { least: 2, most: 2, usage: 's2a enrol <model folder> <pictures> --out <folder>' });
  const [model, data] = p.positionals as [string, string];
  const folder = p.text('out');
  if (folder === undefined) throw new InputError({ where: '--out', what: 'is missing', expected: 'a folder for the adapter' });
  const found = await enrolJob({
    model,
    data,
    out: folder,
    onPrepare: ({ done, total }) => out.live(`preparing pictures ${done}/${total}`),
    warn: (sentence) => out.warn(sentence),
    ...defined({
      from: read(p, 'from'),
      task: taskOf(p),
      labels: read(p, 'labels'),
      normalize: read(p, 'normalize'),
      weights: read(p, 'weights'),
      stored: read(p, 'stored'),
      imageSize: read(p, 'imageSize'),
      microBatch: read(p, 'microBatch'),
      budget: read(p, 'budget'),
      threads: read(p, 'threads'),
      cacheFolder: read(p, 'cacheFolder'),
    }),
  });
  for (const { path, reason } of found.skipped) out.warn(`skipped ${path}: ${reason}`);
  if (p.flag('json')) {
    out.json(found);
    return;
  }
  const { head, added, classes } = found;
  if (head === null) {
    tellNormal(found, model, out);
    return;
  }
  const leftOut = head.leftOut
    ? `${formatPercent(head.leftOut.accuracy)} of ${counted(head.leftOut.count, 'picture')} left out one by one are named rightly`
    : 'too few pictures of each to leave one out';
  out.line(
    pairs([
      [
        'enrolled',
        `${visible(added.join(', '))}${added.length < classes.length ? `, beside ${classes.length - added.length} that stay as they are` : ''}`,
      ],
      ['from', `${counted(head.pictures, 'picture')}; ${leftOut}`],
      ['linear memory', formatBytes(found.linearBytes)],
      ['time', formatDuration(found.seconds)],
      ['adapter', found.adapter],
    ]),
  );
  out.line(`\n${visible(`next: s2a predict ${model} ${found.adapter} <picture>`)}`);
}
