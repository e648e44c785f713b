/** Learnt tensors between the arena and an adapter on disk, each in the checkpoint's own layout. */
import { Rates } from '../../assembly/abi/rates.ts';
import { InputError } from '../base/error.ts';
import { sameShape, shapeText } from '../base/tensor.ts';
import { type Engine, readParameter, writeParameter } from '../engine/engine.ts';
import type { AdapterFile } from '../formats/adapterfile.ts';
import type { TensorData } from '../formats/safetensors.ts';
import type { ParameterRecord, Program } from '../program/program.ts';
import { hasRelativeRates, rateRanges } from './measure.ts';

/** In an adapter trained with relative rates: the smallest and largest peak rate of each group (src/passes/rates.ts), for people; nothing reads it. */
const RATES = 's2a.rates';

/** Does an adapter have them? */
export const tellsRates = ({ weights }: AdapterFile): boolean => weights.tensors.has(RATES);

/** What an adapter of this program holds, without the numbers: its parameters, and behind them the rates where it has some. */
export const adapterRecords = (program: Program, tellsRates = hasRelativeRates(program)): Omit<TensorData, 'data'>[] => [
  ...program.parameters.map(({ name, shape }) => ({ name, shape, dtype: 'F32' as const })),
  ...(tellsRates ? [{ name: RATES, shape: [Rates.Groups, 2], dtype: 'F32' as const }] : []),
];

/** The same as tensors to write, one at a time; keys are the checkpoint's names. */
export function adapterTensors(engine: Engine): TensorData[] {
  const { program, state } = engine;
  return adapterRecords(program).map((tensor, i) => ({
    ...tensor,
    data: () => new Uint8Array((i < program.parameters.length ? readParameter(engine, program.parameters[i]!) : rateRanges(state)).buffer),
  }));
}

/** What checkpoints call their classifiers, and the side branch its part. */
const HEAD = /(^|\.)(classifier(\.\d+)?|cls_classifier|distillation_classifier|head|head_dist|heads\.head|fc)\.(weight|bias)$/;

/** Whether a checkpoint's tensor is of its classifier, by its name. */
export const isHeadTensor = (name: string): boolean => HEAD.test(name);

/** Names of the classifier's tensors among the parameters, for the adapter's `head`. */
export function headNames({ about, parameters }: Program): string[] {
  const { classes } = about;
  const found = parameters.filter((r) => HEAD.test(r.name) && r.shape[0] === classes).map((r) => r.name);
  // torchvision numbers the layers of `classifier`, of which the last is the classifier; whatever else is a head (the side branch's) stays.
  const place = (name: string): number | undefined => {
    const number = /(?:^|\.)classifier\.(\d+)\./.exec(name)?.[1];
    return number === undefined ? undefined : Number(number);
  };
  const last = Math.max(...found.map((name) => place(name) ?? 0));
  return found.filter((name) => (place(name) ?? last) === last);
}

/** Puts an adapter's tensors in place. Every parameter must be there, with its shape, and nothing else; all are checked before the first is written. */
export function applyAdapter(engine: Engine, adapter: AdapterFile): void {
  for (const { record, values } of checkTensors(engine, adapter)) writeParameter(engine, record, values);
}

/**
 * An adapter's tensors beside the parameters that they belong to, in each checkpoint's layout. With `fewerRows` those of the head may have
 * fewer rows than the parameter.
 */
export function checkTensors(
  engine: Pick<Engine, 'program'>,
  adapter: AdapterFile,
  fewerRows = false,
): { record: ParameterRecord; values: Float32Array<ArrayBuffer> }[] {
  const expected = new Set(engine.program.parameters.map((r) => r.name));
  for (const name of adapter.weights.tensors.keys())
    if (!expected.has(name) && name !== RATES)
      throw new InputError({
        where: adapter.path,
        what: `tensor ${name} has no place in method ${engine.program.about.method} of ${engine.program.about.model}`,
      });
  return engine.program.parameters.map((record) => {
    const tensor = adapter.weights.tensor(record.name);
    const where = `${adapter.path}: ${record.name}`;
    if (tensor.dtype !== 'F32') throw new InputError({ where, what: 'unsupported element type', got: tensor.dtype, expected: 'F32' });
    const shape = fewerRows && adapter.head.includes(record.name) ? [adapter.labels.length, ...record.shape.slice(1)] : record.shape;
    if (!sameShape(tensor.shape, shape))
      throw new InputError({ where, what: 'wrong shape', got: shapeText(tensor.shape), expected: shapeText(shape) });
    const values = new Float32Array(tensor.bytes / 4);
    adapter.weights.read(tensor, new Uint8Array(values.buffer));
    if (!values.every(Number.isFinite)) throw new InputError({ where, what: 'holds numbers that are NaN or infinite' });
    return { record, values };
  });
}
