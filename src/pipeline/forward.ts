/** The forward pass of a job in one phase, and what its program says of itself. */
import { Io } from '../../assembly/abi/program.ts';
import { Encoding } from '../../assembly/abi/weights.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { InputError } from '../base/error.ts';
import { ABSENT, type Graph, valueAt } from '../graph/graph.ts';
import { buildModel } from '../import/index.ts';
import { type Builder, createBuilder, startPhase } from '../network/builder.ts';
import { checkMethod } from '../network/check.ts';
import { everywhere } from '../network/drop.ts';
import { withSide } from '../network/entry.ts';
import { methodOf } from '../network/method.ts';
import { emit } from '../ops/index.ts';
import { keepOf } from '../passes/keeppolicy.ts';
import { recomputeName } from '../passes/recompute.ts';
import type { About } from '../program/program.ts';
import { CLASSIFY, taskOf } from '../task/index.ts';
import { type Inputs, mixed, pixels } from './inputs.ts';
import { type CompileOptions, checkArithmetic } from './options.ts';

/** A phase's logits [B, classes], losses [B] and choices [B]; in training the logits' gradient. */
export interface Forward {
  logits: number;
  losses: number;
  choices: number;
  /** How far each picture is from what was learnt [B]; ABSENT where nobody asks. */
  distances: number;
  gradient?: number;
}

/** Begins the network: how its method, head, weights and dropout are asked for. */
export function builderFor(graph: Graph, io: Inputs, options: CompileOptions): Builder {
  const { method = DEFAULTS.method, head = 'new', weights = DEFAULTS.weights, dropout = 0, dropPath = 0, arithmetic } = options;
  checkArithmetic(arithmetic, weights);
  const b = createBuilder(graph, methodOf(method), head, io.state, weights);
  b.isLossy = arithmetic === 'lossy';
  const rates = typeof dropout === 'number' ? everywhere(dropout) : dropout;
  if (dropPath > 0 || Object.values(rates).some((rate) => rate > 0)) b.drop = { rates, path: dropPath, samples: io.samples };
  return b;
}

/** pictures → logits → what the task makes of them, in one phase. */
export function forward(b: Builder, io: Inputs, phase: 'train' | 'eval', options: CompileOptions): Forward {
  const { model, classes, task = CLASSIFY } = options;
  const { graph } = b;
  startPhase(b, phase);
  const seen = pixels(graph, io, phase, options);
  const mix = phase === 'train' ? mixed(graph, io, seen, options) : undefined;
  const logits = withSide(b, buildModel(b, mix?.pictures ?? seen, model, classes), classes);
  checkMethod(b);
  const name = phase === 'eval' ? 'eval.loss' : 'loss';
  const weights = phase === 'train' ? io.weights : ABSENT;
  const inputs = { logits, targets: io.labels, mix, weights, constants: io.constants, state: io.state };
  const at = { phase, block: b.block.index };
  const [losses, choices, gradient] = taskOf(task.name).loss(graph, name, inputs, task, at) as [number, number, number?];
  for (const id of [losses, choices]) valueAt(graph, id).role = 'batch';
  const distances = phase === 'eval' && io.known !== ABSENT ? distancesOf(b, io.known, options) : ABSENT;
  return { logits, losses, choices, distances, ...(gradient === undefined ? {} : { gradient }) };
}

/** How far what the classifier reads is from what it was of the pictures that were learnt. */
function distancesOf({ graph, features }: Builder, table: number, { classes, known }: CompileOptions): number {
  if (features === ABSENT) throw new InputError({ where: 'known', what: 'the head is no linear layer, so there is nothing to compare' });
  const attributes = { classes, directions: known!.directions };
  const { outputs } = emit(graph, 'Distance', 'eval.distance', [features, table], attributes, { phase: 'eval' });
  valueAt(graph, outputs[0]!).role = 'batch';
  return outputs[0]!;
}

/** What the host writes and reads, by name. */
export function portsOf(io: Inputs, learnt: Forward | undefined, judged: Forward): Map<Io, number> {
  const ports = new Map<Io, number>([
    [Io.Pictures, io.pictures],
    [Io.Labels, io.labels],
    [Io.Samples, io.samples],
    [Io.State, io.state],
  ]);
  if (judged.distances !== ABSENT) ports.set(Io.Known, io.known).set(Io.Distances, judged.distances);
  if (io.constants !== ABSENT) ports.set(Io.Constants, io.constants);
  if (io.partner)
    ports.set(Io.Partner, io.partner.pictures).set(Io.PartnerLabel, io.partner.labels).set(Io.PartnerSample, io.partner.samples);
  if (io.weights !== ABSENT) ports.set(Io.ClassWeights, io.weights);
  if (learnt) ports.set(Io.Losses, learnt.losses).set(Io.Choices, learnt.choices);
  return ports.set(Io.EvalLosses, judged.losses).set(Io.EvalChoices, judged.choices).set(Io.Logits, judged.logits);
}

/** Refuses `lossy` where it would change nothing: all of a network's convolutions may be stored in 12 bits. */
export function checkLossy({ graph, isLossy }: Builder): void {
  if (!isLossy || graph.values.some(({ type }) => type.encoding === Encoding.Int8By7)) return;
  throw new InputError({
    where: '--arithmetic',
    what: 'no frozen weight of this network is in 8 bits, so lossy would change nothing',
    got: 'lossy',
    expected: 'plain',
  });
}

/** What a program says of itself. */
export function aboutOf(b: Builder, options: CompileOptions): About {
  const { model, classes, microBatch, keep = DEFAULTS.keep, optimizer = DEFAULTS.optimizer } = options;
  const { purpose = 'train', weights = DEFAULTS.weights, task = CLASSIFY } = options;
  return {
    model: model.type,
    image: model.image,
    classes,
    method: b.method.name,
    keep: keepOf(keep).name,
    weights,
    optimizer,
    microBatch,
    purpose,
    recompute: recomputeName(options.recompute),
    ...(task.name === CLASSIFY.name ? {} : { task: task.name, ...(task.loss ? { loss: task.loss } : {}) }),
    ...(options.arithmetic === 'fast' ? { arithmetic: 'relaxed' as const } : {}),
    ...(weights === 'f32' ? {} : { products: options.arithmetic === 'lossy' ? ('7 bits' as const) : ('14 bits' as const) }),
    ...(purpose === 'train' && options.rates === 'relative' ? { rates: 'relative' as const } : {}),
    ...(purpose === 'train' && options.classWeights ? { classWeights: options.classWeights } : {}),
  };
}
