/** What training as one call takes, tells on its way and gives back. */

import type { ArithmeticWish } from '../base/arithmetic.ts';
import type { Bytes } from '../base/bytes.ts';
import type { WeightsWish } from '../base/precision.ts';
import type { PlanReport } from '../budget/report.ts';
import type { PlanOptions } from '../budget/search.ts';
import type { Prepared, PrepareOptions } from '../data/prepare.ts';
import type { Threads } from '../engine/threads.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import type { ImageSize } from '../input/fields.ts';
import type { Normalize } from '../input/normalize.ts';
import type { MethodLike } from '../network/method.ts';
import type { KeepLike } from '../passes/keeppolicy.ts';
import type { RateWish } from '../passes/rates.ts';
import type { Optimizer } from '../passes/update.ts';
import type { Compiled } from '../pipeline/compiled.ts';
import type { Augmentation } from '../pipeline/options.ts';
import type { FeatureCache } from './featurecache.ts';
import type { HeadFound, HeadStart, NoHead } from './headstart.ts';
import type { MeasuredRates } from './measure.ts';
import type { Outcome } from './outcome.ts';
import type { ClassWeights, TaskWish } from './taskchoice.ts';
import type { EpochResult, TrainHooks, TrainOptions } from './train.ts';

/** What training takes: model, pictures, where the adapter goes. Everything else has a default, named at each. */
export interface TrainJob extends Partial<Omit<TrainOptions, 'rate'>>, Pick<TaskWish, 'task' | 'threshold' | 'loss'> {
  /**
   * Folder with config.json and model.safetensors or pytorch_model.bin; an ONNX file, `net.onnx#NODE` to end at a value; or weights alone and their network's
   * name, `resnet18.pth#resnet18`.
   */
  model: string;
  /** Folder of pictures: root/class/*, root/{train,val}/class/*, or with a table of labels (docs/data.md). */
  data: string;
  /** A table of labels, `file,label`, for pictures below `data`; where absent, the folder's own labels.csv or metadata.csv, else its class folders. */
  labels?: string;
  /** Folder that the adapter is written to; `run/` inside it holds cache, checkpoints and metrics. */
  out: string;
  /** What learns: as text or as `methodOf` reads it, `bias` where absent; see docs/methods.md. */
  method?: MethodLike;
  /** What is kept for backward: as text or as `keepOf` reads it, `s2a` where absent; see docs/keep.md. */
  keep?: KeepLike;
  /** Precision of frozen weights; the adapter remembers it. With `,stream` they stay in a file and pass through memory: the same bytes are learnt. */
  weights?: WeightsWish;
  /** Most bytes of frozen weights in memory, the rest being streamed. */
  resident?: Bytes;
  /** The file for weights that are streamed; absent: one in the run's folder, removed at the end of the run. */
  stored?: string;
  /** `adamw` where absent. */
  optimizer?: Optimizer;
  /** FedProx's μ: a pull back to what each learnable number was before the first step; none where absent. It takes their bytes once more. */
  prox?: number;
  /** Peak learning rate for everything, or as `'0.5x'` a factor on the rates that are measured before the first step; `'1x'` where absent. */
  rate?: RateWish;
  /** Pictures in one pass; chosen where absent. It divides `batchSize`. */
  microBatch?: number;
  /** See src/budget/search.ts. */
  recompute?: PlanOptions['recompute'];
  /** The most linear memory: bytes, or a text such as '48MiB'. Unlimited where absent. */
  budget?: Bytes;
  /** The most that the whole process may take: linear memory + the runtime's own + the picture decoder. */
  processBudget?: Bytes;
  /** How many threads share the work, `auto` where absent; no result depends on it. */
  threads?: Threads;
  /** Threads that the plan reserves scratch for, as many of them as the budget allows; 4 where absent. */
  maxThreads?: number;
  /**
   * How sums in f32 are computed (docs/design.md): `plain` (where absent), the same bits everywhere; `fast`, by fused multiply-add, on 64-bit ARM nearly twice as fast, whose
   * last bits are those of all machines that fuse; `auto`, the fastest that this machine proves. A run is resumed with the one it began with.
   */
  arithmetic?: ArithmeticWish;
  /** Of the pictures that the network sees: a square's side, or height and width; the model's own where absent. */
  imageSize?: ImageSize;
  /** How arrays are normalised, `measured` on what is learnt from where absent; not for pictures. */
  normalize?: Normalize;
  /** Share of each class held out where there is no val folder. */
  holdOut?: number;
  /** How pictures are changed at random while learning: docs/augment.md. */
  augment?: Augmentation;
  /** Pictures of smaller classes come as many times an epoch as makes all classes alike; for classes alone. */
  balance?: boolean;
  /**
   * What each class weighs in the loss: `balanced` (pictures / (classes · pictures of the class)), or by name, 1 where a class is not named. The loss of a batch is
   * the weighted mean, divided by the weights of its labels, as PyTorch's; what judges is never weighted. For classes alone.
   */
  classWeights?: ClassWeights;
  /** Share of elements left out in training, see CompileOptions; what the model's configuration says where absent. */
  dropout?: number;
  /** Share of pictures that the last block's branch is left out for, see CompileOptions; what the configuration says where absent. */
  dropPath?: number;
  /** Where prepared pictures are kept; `run/` of `out` where absent. */
  cacheFolder?: string;
  /** Most bytes on disk for what the part that never changes makes of the pictures (src/training/featurecache.ts); 512 MiB where absent, 0: none. */
  featureCache?: Bytes;
  /** A checkpoint every so many steps; at the end of an epoch where absent. */
  saveEvery?: number;
  /** Go on from the last checkpoint in `out`, to the byte; without one the run begins anew. */
  resume?: boolean;
  /** Throw away what an interrupted run has left in `out`; a finished one is replaced without. */
  overwrite?: boolean;
  /** An adapter of the same model to go on from: see src/training/fromadapter.ts. Its method is the run's; classes that it lacks are appended to its own. */
  from?: string;
  /**
   * Most bytes of pictures that the adapter remembers, so that later runs from it do not forget (docs/forgetting.md); 0: none. Where absent as many as the
   * adapter of `from` had, else none.
   */
  memory?: Bytes;
  /** Fit every layer's derivative table to its inputs on so many of the training pictures (src/training/calibrate); the tables go with the adapter. */
  calibrate?: number;
  /** Use the tables of this calibration.json. */
  tables?: string;
  /** Where rows of the head begin that no adapter has learnt: `ridge` regression from the features or `zero`; by method where absent (src/training/headstart.ts). */
  head?: HeadStart;
}

/**
 * What makes a run one round of a fleet (src/fleet): the last epoch is kept, since the mean over nodes decides, so nothing is judged, and nothing is made
 * to go beside the adapter, which is none yet.
 */
export interface Round {
  /** Names the fleet's run where the optimizer, and its rates, go on from this board's last round of the same run and program. */
  keptBy?: string;
  /** Of the hold-out: the same pictures are held out in every round, whatever its seed. */
  splitSeed: number;
}

/** The pictures are prepared, and the first step is next. */
export interface StartEvent {
  /** Pictures to learn from. */
  train: number;
  /** Pictures to judge by. */
  val: number;
  /** Steps of the whole run. */
  totalSteps: number;
  /** The step that it goes on from; undefined: from the start. */
  resumedAt: number | undefined;
  /** Epochs that an earlier call has finished. */
  epochsDone: number;
  /** How often the run has gone back. */
  backs: number;
  /** The measured rates; undefined where one holds for everything. */
  rates: MeasuredRates | undefined;
}

/** How far preparing the pictures is. */
export type PrepareEvent = Parameters<NonNullable<PrepareOptions['onProgress']>>[0];

/** What a run tells while it goes. */
export interface JobHooks extends Pick<TrainHooks, 'onStep' | 'onEpoch' | 'onBack' | 'stopping'> {
  /** The plan is made; nothing has been read of the pictures yet. */
  onPlan?(plan: PlanReport, compiled: Compiled): void;
  /** A picture more has been prepared. */
  onPrepare?(event: PrepareEvent): void;
  /** All of them have been: classes, pictures, what was skipped and why. */
  onPrepared?(prepared: Prepared): void;
  /** Learning begins, or goes on. */
  onStart?(event: StartEvent): void;
  /** What the head starts from, unless at zero or from an adapter alone. */
  onHead?(head: HeadFound | NoHead): void;
  /** Later epochs begin after `node`, from a file of so many bytes. */
  onFeatures?(features: Pick<FeatureCache, 'node' | 'bytes'>): void;
  /** Something that a person should know and that stops nothing, as one sentence. */
  warn?(sentence: string): void;
  /** Aborting it ends the run as SIGTERM does: it is saved, and `trainJob` throws Interrupted. */
  signal?: AbortSignal;
}

/** How a run ended. */
export interface JobResult {
  /** The folder that the adapter was written to. */
  adapter: string;
  /** What could not be written although the adapter was: the last checkpoint, on a disk that is full. */
  failures: string[];
  /** The plan that it ran by. */
  plan: PlanReport;
  /** Names of the classes, labels or numbers, in the order of the logits. */
  classes: string[];
  /** What it was taught, with its thresholds, or its means and deviations. */
  task: TaskSettings;
  /** What each class weighed in the loss of training, in the order of the logits; null: all the same. */
  classWeights: readonly number[] | null;
  /** What the head started from; null: from zero or from an adapter alone, or the run was resumed. */
  head: HeadFound | NoHead | null;
  /** What unknown pictures are told by: how many judged ones there were; or why they are not told. */
  known: { judged: number } | { why: string };
  /** What the adapter remembers now; null: nothing. */
  remembered: { pictures: number; bytes: number } | null;
  /** Remembered pictures that were learnt from, as often as they came in an epoch, and that judged. */
  rehearsed: { train: number; val: number };
  /** Whether everything but rows of new classes was held, since old classes had no pictures. */
  isHeld: boolean;
  /** Classes that no picture judged. */
  unjudged: string[];
  /** Every epoch, the first one first. */
  epochs: EpochResult[];
  /** The epoch that is kept: the best one, or the last where there was nothing to judge by. */
  bestEpoch: number;
  /** Of the judged pictures; null where there were none. */
  accuracy: number | null;
  /** Which pictures these were, and what else they say. */
  judged: Outcome;
  /** Why the result is worth nothing, in words; null where it is. */
  warning: string | null;
  /** How often the run went back and took a smaller step. */
  wentBack: number;
  /** Its peak rate in the end. */
  finalRate: number;
  /** Files that were not used, and why. */
  skipped: Prepared['skipped'];
  /** Pictures to learn from and to judge by, bytes of their cache, and what decoded them. */
  pictures: { train: number; val: number; cacheBytes: number; cacheBytesWritten: number; decoder: string };
  /** In bytes: what was planned, and what the process held. */
  memory: {
    linearBytes: number;
    plannedBytes: number;
    residentPeakBytes: number;
    /** The peak is of training alone; false where the system tells only that of the whole process. */
    peakOfTrainingAlone: boolean;
    residentPeakPreparingBytes: number;
    /** Of the decoder's own process, which ends before training. */
    decoderPeakBytes: number;
    residentBeforeBytes: number;
  };
  /** How many shared the work. */
  threads: number;
  /** Bytes written to disk, all files together. */
  bytesWritten: number;
  /** At the pace of training, so without the picture cache, which is written once: what wears an SD card. */
  bytesWrittenPerHour: number;
  /** Wall time from the call to the result. */
  seconds: number;
  /** The peak rate, or where rates are measured the factor on them. */
  rate: number;
  /** The measured ones; absent where one holds for everything. */
  rates?: MeasuredRates;
}
