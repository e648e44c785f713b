// What the matrix trains: each case is a tiny real model, a method, a policy and a weight precision; 20 optimizer steps each, but for `steps`.
export const MODELS = ['vit-hf', 'swin-hf', 'resnet-hf', 'mobilenetv2-hf'];
const METHODS = ['bias', 'bias+prompt:rank=2+side:ratio=4'];
const POLICIES = ['exact', 's2a'];
const WEIGHTS = ['f32', 'int8'];

/** Ten pictures in steps of two, each in two passes, four times over, whatever comes of it. */
const RUN = {
  retries: 0,
  batchSize: 2,
  microBatch: 1,
  epochs: 4,
  seed: 3,
  rate: 0.01,
  augment: { shift: 2, flip: true },
  dropout: 0,
  dropPath: 0,
};
export const STEPS = 20;

const each = MODELS.flatMap((model) =>
  METHODS.flatMap((method) =>
    POLICIES.flatMap((keep) =>
      WEIGHTS.map((weights) => ({
        name: `${model} ${method.replace(/:[^+]*/g, '')} ${keep} ${weights}`,
        model,
        job: { ...RUN, method, keep, weights },
      })),
    ),
  ),
);
/** A network that ends early. */
const short = { model: 'mobilenetv2-hf', job: { ...RUN, method: 'bias+depth:blocks=9', keep: 's2a', weights: 'f32' } };

/** The head alone, from ridge regression; pictures that stay as they are, so that their features are kept. */
const probe = (model) => ({
  name: `${model} probe f32`,
  model,
  job: { ...RUN, method: 'probe', weights: 'f32', augment: undefined },
});

/** A run that a rate destroys: after four epochs it goes back to its start, after four more once again. */
const astray = { model: 'vit-hf', job: { ...RUN, method: 'bias', keep: 's2a', weights: 'f32', rate: 3, retries: 2 }, steps: 60 };

/** Rates that are measured before the first step. */
const relative = (model, method, more) => ({
  name: `${model} ${method.replace(/:[^+]*/g, '')} s2a, relative rates${more.optimizer ? `, ${more.optimizer}` : ''}`,
  model,
  job: { ...RUN, method, keep: 's2a', weights: 'f32', rate: undefined, ...more },
});

/** Sums by fused multiply-add: one digest for all that fuse, another than that of plain sums. What is packed for WASI computes plainly. */
const fused = (model, keep) => ({
  name: `${model} bias ${keep} f32, fast`,
  model,
  job: { ...RUN, method: 'bias', keep, weights: 'f32', arithmetic: 'fast' },
});

/** Products over weights in 8 bits by numbers of 7: one digest for all, whether by words or by bytes. What is packed for WASI computes in 14. */
const lossy = (model) => ({
  name: `${model} bias s2a int8, lossy`,
  model,
  job: { ...RUN, method: 'bias', keep: 's2a', weights: 'int8', arithmetic: 'lossy' },
});

/** Another task, by a table that names the same pictures (pictures.mjs). */
const task = (model, name, labels, method, weights) => ({
  name: `${model} ${method.replace(/:[^+]*/g, '')} s2a ${weights}, task ${name}`,
  model,
  job: { ...RUN, method, keep: 's2a', weights, labels },
});

/** Name, and the job without its folders; a table is a file beside them. */
export const CASES = [
  ...each,
  { name: 'mobilenetv2-hf bias+depth s2a f32', ...short },
  { name: 'vit-hf bias s2a f32, goes back', ...astray },
  probe('vit-hf'),
  probe('mobilenetv2-hf'),
  relative('vit-hf', METHODS[1], { weights: 'int8' }),
  relative('mobilenetv2-hf', 'full', {}),
  relative('swin-hf', 'lora:all=1,rank=2', { rate: '0.5x' }),
  relative('resnet-hf', 'bias', { optimizer: 'sgd' }),
  task('vit-hf', 'multilabel', 'labels.csv', METHODS[0], 'f32'),
  task('mobilenetv2-hf', 'regress', 'numbers.csv', METHODS[1], 'int8'),
  fused('vit-hf', 's2a'),
  fused('mobilenetv2-hf', 'exact'),
  lossy('vit-hf'),
];

/** Whether what s2a.wasm is can run a case. */
export const isForBoards = ({ job }) => job.arithmetic === undefined;
