/** A job, settled and compiled: what training, packing and measuring all begin with. */
import { type Arithmetic, settleArithmetic } from '../base/arithmetic.ts';
import { parseBytes } from '../base/bytes.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { defined } from '../base/defined.ts';
import { InputError } from '../base/error.ts';
import type { Precision } from '../base/precision.ts';
import { VERSION } from '../base/version.ts';
import { cutsOf } from '../budget/featurecut.ts';
import type { Planned } from '../budget/search.ts';
import { planForBudget } from '../compile.ts';
import type { AdapterInfo } from '../formats/adapterfile.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import type { ModelFolder } from '../import/modelfolder.ts';
import { type Preparation, portOf } from '../input/index.ts';
import { chosenDrop } from '../network/drop.ts';
import { methodOf } from '../network/method.ts';
import { readRate } from '../passes/rates.ts';
import type { CompileOptions } from '../pipeline/options.ts';
import { arithmeticOf, type Program } from '../program/program.ts';
import { CLASSIFY } from '../task/index.ts';
import { headNames } from './adapter.ts';
import { type HeadStart, usualHead } from './headstart.ts';
import type { TrainJob } from './jobtypes.ts';
import { TRAIN_DEFAULTS, type TrainOptions } from './train.ts';
import { checkWatch } from './watch.ts';

/** Options with every default in place; part of what a checkpoint belongs to. */
export function settle(job: TrainJob): TrainOptions {
  const { rate: _, ...given } = defined(job);
  // A head that begins somewhere is worth having as it is.
  if (job.rate === 0 && job.from === undefined && (job.head ?? usualHead(job.method)) === 'zero')
    throw new InputError({ where: '--lr', what: 'with a rate of 0 nothing is learnt', expected: 'a number above 0' });
  checkWatch({ ...TRAIN_DEFAULTS, ...given });
  const pick = <K extends keyof typeof TRAIN_DEFAULTS>(key: K): number => given[key] ?? TRAIN_DEFAULTS[key];
  return {
    epochs: pick('epochs'),
    batchSize: pick('batchSize'),
    rate: readRate(job.rate).rate,
    seed: pick('seed'),
    weightDecay: pick('weightDecay'),
    warmup: pick('warmup'),
    finalFraction: pick('finalFraction'),
    clipNorm: pick('clipNorm'),
    smoothing: pick('smoothing'),
    momentum: pick('momentum'),
    patience: pick('patience'),
    retries: pick('retries'),
  };
}

interface Sources {
  base: ModelFolder;
  options: TrainOptions;
  preprocess: Preparation;
  classes: number;
  task?: TaskSettings | undefined;
}

/**
 * The job's program and plan; BudgetError where it does not fit. Under `auto` the arithmetic is plain where features of what never changes are kept (featurecache.ts), which
 * saves more than fusing does and which it alone allows.
 */
export function compileJob(
  job: TrainJob,
  {
    base,
    options,
    preprocess,
    classes,
    task,
    pixels,
    ownTables,
    classWeights,
  }: Pick<CompileOptions, 'pixels' | 'classWeights'> & {
    ownTables?: boolean;
  } & Sources,
): Planned {
  const arithmetic = settleArithmetic(job.arithmetic);
  const planned = (one: Arithmetic): Planned =>
    planForBudget({
      arithmetic: one,
      model: base.model,
      classes,
      batchSize: options.batchSize,
      normalize: preprocess,
      mayStream: true,
      ...defined({
        method: job.method,
        keep: job.keep,
        weights: job.weights,
        optimizer: job.optimizer,
        prox: job.prox,
        rates: readRate(job.rate).rates,
        microBatch: job.microBatch,
        recompute: job.recompute,
        residentBytes: job.resident === undefined ? undefined : parseBytes(job.resident, '--resident'),
        budgetBytes: job.budget === undefined ? undefined : parseBytes(job.budget, '--budget'),
        augment: job.augment,
        ...chosenDrop(base.model.drop, job),
        maxThreads: job.maxThreads,
        pixels: pixels ?? (portOf(preprocess).element === 'f32' ? 'f32' : undefined),
        ownTables,
        task,
        classWeights,
      }),
    });
  if (arithmetic === 'plain' || job.arithmetic !== 'auto' || job.featureCache === 0) return planned(arithmetic);
  const plain = planned('plain');
  return cutsOf(plain) ? plain : planned(arithmetic);
}

/** Where the head begins: ridge regression is of classes alone. */
export const headOf = (job: Pick<TrainJob, 'head' | 'method'>, task: TaskSettings): HeadStart =>
  task.name === CLASSIFY.name ? (job.head ?? usualHead(job.method)) : 'zero';

/** An adapter's word for it; none for what is plain. */
const recordOf = (arithmetic: Arithmetic): Pick<AdapterInfo, 'arithmetic'> =>
  arithmetic === 'plain' ? {} : { arithmetic: arithmetic === 'fast' ? 'relaxed' : arithmetic };

/** What an adapter of this job will say about itself. */
export const adapterInfo = (
  job: TrainJob,
  about: {
    who: AdapterInfo['base'];
    program: Program;
    labels: readonly string[];
    preprocess: Preparation;
    task?: TaskSettings | undefined;
  },
): AdapterInfo => ({
  method: methodOf(job.method ?? DEFAULTS.method).name,
  base: about.who,
  precision: about.program.about.weights as Precision,
  ...recordOf(arithmeticOf(about.program.about)),
  ...(about.task ? { task: about.task } : {}),
  ...weightsByName(about.program.about.classWeights, about.labels),
  head: headNames(about.program),
  labels: about.labels,
  preprocessing: about.preprocess as unknown as Record<string, unknown>,
  createdBy: `s2a ${VERSION}`,
});

const weightsByName = (weights: readonly number[] | undefined, labels: readonly string[]): Pick<AdapterInfo, 'classWeights'> =>
  weights ? { classWeights: Object.fromEntries(labels.map((label, i) => [label, weights[i]!])) } : {};
