/** What a report shows. Plain data: a run's JSON has the same fields, so a page can be made again from it. */

import type { Measured, Metric } from '../task/index.ts';
import type { ClassFigures } from '../task/judging.ts';
import type { Fidelity } from '../use/fidelity/measure.ts';

/** Bytes of linear memory by part, in the order they are shown; the same names as in the plan's JSON. */
export interface MemoryParts {
  frozen: number;
  trainable: number;
  kept: number;
  temporaries: number;
  batch: number;
  program: number;
  scratch: number;
  /** Of weights that stay in a file: what of them is in memory at the peak; absent where there are none. */
  window?: number;
}

export const PARTS: readonly { key: keyof MemoryParts; label: string }[] = [
  { key: 'frozen', label: 'frozen weights' },
  { key: 'window', label: 'weights passing through' },
  { key: 'trainable', label: 'trainable + optimizer' },
  { key: 'kept', label: 'kept for backward' },
  { key: 'temporaries', label: 'temporaries' },
  { key: 'batch', label: 'batch' },
  { key: 'program', label: 'program' },
  { key: 'scratch', label: 'scratch' },
];

/** A plan as one column or one bar. */
export interface PlanColumn {
  label: string;
  parts: MemoryParts;
  /** All of it: the parts and the padding between them. */
  linearBytes: number;
}

/** The bytes no part owns: alignment between areas, and the rest of the last page. */
export function paddingBytes(plan: PlanColumn): number {
  return plan.linearBytes - PARTS.reduce((sum, { key }) => sum + (plan.parts[key] ?? 0), 0);
}

/** The parts that one of these plans has. */
export const partsOf = (plans: readonly PlanColumn[]): typeof PARTS =>
  PARTS.filter(({ key }) => plans.some(({ parts }) => parts[key] !== undefined));

/** One moment: a node, and the bytes of temporaries alive while it runs, of which `kept` wait for backward. */
export interface Moment {
  node: string;
  op: string;
  live: number;
  kept: number;
}

/** A stretch of moments [first, first + count). */
export interface Stretch {
  name: 'init' | 'forward' | 'backward' | 'update' | 'eval' | 'rates';
  first: number;
  count: number;
}

export interface Timeline {
  title: string;
  moments: Moment[];
  stretches: Stretch[];
  /** Bytes that stay where they are through the whole run. */
  residents: Pick<MemoryParts, 'frozen' | 'trainable' | 'batch' | 'program' | 'scratch'>;
  /** Index of the moment at which most is alive. */
  peak: number;
  /** The whole linear memory, and what was allowed. */
  linearBytes: number;
  budgetBytes: number | undefined;
}

export interface EpochPoint {
  /** 1 is the first. */
  epoch: number;
  trainLoss: number;
  trainAccuracy?: number;
  valLoss: number;
  valAccuracy: number;
  /** What the epoch was judged by, where the task is another than classification. */
  valScore?: number;
}

/** One picture with what it is and what the model says. */
export interface Prediction {
  /** A whole PNG file. */
  png: Uint8Array;
  truth: string;
  predicted: string;
  /** Probability of the predicted class, 0 … 1; absent where the task is another than classification. */
  confidence?: number;
  /** Absent: by the words; where the answer is numbers there is no right and wrong. */
  isRight?: boolean | undefined;
  /** Where the picture came from. */
  file?: string;
}

/** The worst mistakes of some pictures. */
export interface Worst {
  /** Pictures that were judged, and how many of them are wrong; of numbers there is no right and wrong. */
  count: number;
  wrong: number | null;
  pictures: Prediction[];
}

export interface ReportData {
  /** What was trained, in a few words: the page's heading. */
  title: string;
  /** One or two sentences: what was done. */
  summary: string;
  classes: string[];
  /** Fractions of `predictions` pictures that the model did not train on; absent where there were none. */
  accuracy?: {
    chance: number;
    /** With the classifier alone trained, where that was measured. */
    head?: number;
    after: number;
    predictions: number;
    /** Which pictures: `of val`, `held out`, `of test`. */
    part: string;
    /** Further figures, as the terminal names them. */
    more?: readonly string[];
  };
  /** What is known of each class from the same pictures, and the worst mistakes among them. */
  figures?: ClassFigures;
  worst?: Worst;
  /** Of another task: its name for outputs, its loss, its score and the figures of the kept epoch. */
  task?: {
    outputs: string;
    loss: string;
    score: Pick<Metric, 'name' | 'isShare'>;
    /** Whether pictures are right or wrong. */
    isNumbers: boolean;
    judged?: Measured & { pictures: string };
  };
  /** Why the result is worth nothing. */
  warning?: string;
  /** Training loss after each step. */
  losses: { step: number; loss: number }[];
  epochs: EpochPoint[];
  /** The epoch whose weights were kept. */
  bestEpoch: number;
  plan: PlanColumn;
  /** The same job planned in other ways, to compare. */
  others: PlanColumn[];
  budgetBytes?: number;
  /** Memory over one step of the job's own plan. */
  timeline?: Timeline;
  measured: {
    linearBytes: number;
    /** The process's resident peak. */
    residentBytes?: number;
    seconds: number;
    imagesPerSecond: number;
  };
  /** How true the kept codes' gradients are, where that was measured. */
  fidelity?: Fidelity;
  pictures: Prediction[];
  skipped: { file: string; reason: string }[];
  configuration: { name: string; value: string | number | boolean }[];
  /** The command that does it again. */
  command: string;
  /** The adapter's folder. */
  adapter: string;
}
