/**
 * What a network is asked. A task says what the host writes for a picture, which loss teaches it, how answers are counted and which of two epochs
 * is better, and what an answer means. The loop, checkpoints, reports and the WASI program read this; the registry is index.ts, a new task a
 * file beside these (docs/recipes/task.md).
 */
import type { Answer, Better } from '../../assembly/abi/task.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import type { Graph } from '../graph/graph.ts';

export type { TaskSettings } from '../formats/tasksettings.ts';

/** Values that a loss reads; `constants` only where the task has such. */
export interface LossInputs {
  logits: number;
  targets: number;
  /** Where two pictures are mixed: how much of a picture each still is [B], and the other's label [B]. */
  mix: { shares: number; others: number } | undefined;
  /** What each class weighs [N]; ABSENT where all weigh the same. */
  weights: number;
  constants: number;
  state: number;
}

/** What was said of the judged pictures, picture by picture. */
export interface Said {
  count: number;
  outputs: number;
  /** [count, outputs] each, a class's targets and answers [count]. */
  targets: ArrayLike<number>;
  answers: ArrayLike<number>;
  /** [count, outputs]; empty where pictures have a class. */
  logits: Float32Array;
}

/** A figure by its name; `isShare`: from 0 to 1, said in per cent. */
export interface Metric {
  name: string;
  value: number;
  isShare: boolean;
}

/** What judged pictures say, in all and by output. */
export interface Measured {
  /** The first decides. */
  all: Metric[];
  outputs: { label: string; metrics: Metric[] }[];
}

/** One output of an answer. */
export interface Prediction {
  /** The class's, label's or number's name. */
  label: string;
  /** Index of the label. */
  index: number;
  /** Softmax or, of labels, sigmoid probability, 0 … 1; NaN where the task answers numbers. */
  probability: number;
  /** Of labels: whether the probability reaches its threshold. */
  answered?: boolean;
  /** Of a picture's classes: whether it is like what was learnt; false: the answer is `unknown`. Absent where the adapter cannot tell. */
  known?: boolean;
  /** With `known`: how far the picture is from what was learnt; 1 is the farthest that is still known. */
  distance?: number;
  /** Of numbers: the answer in its own units. */
  value?: number;
}

export interface Task {
  name: string;
  /** What Hugging Face's configurations call it (`problem_type`). */
  problemType: string;
  /** What its outputs are, in sentences. */
  noun: { one: string; many: string };
  answer: Answer;
  better: Better;
  /** What the runner's score is called: counted while judging, one number for each epoch. */
  score: Pick<Metric, 'name' | 'isShare'>;
  /** How its loss is called where a chart shows it. */
  lossName(settings: TaskSettings): string;
  /** Names of the constants, in the order in which its loss reads them. */
  constants: readonly string[];
  /** Its losses, the first where nothing is said; empty: it has one. */
  losses: readonly string[];
  /** Huber's delta, where its loss is of numbers (abi/task.ts). */
  delta(settings: TaskSettings): number;
  /** Appends the loss of a phase; returns losses [B], answers and, where it trains, the gradient of the logits. */
  loss(graph: Graph, name: string, inputs: LossInputs, settings: TaskSettings, how: LossHow): number[];
  /** All that can be said once judging is over. */
  measure(said: Said, labels: readonly string[]): Measured;
  /** What logits and answers of one picture mean, the likeliest first. */
  decode(logits: Float32Array, answers: ArrayLike<number>, labels: readonly string[]): Prediction[];
}

export interface LossHow {
  phase: 'train' | 'eval';
  block: number;
}
