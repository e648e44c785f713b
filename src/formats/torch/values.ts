/** What a state dict's pickle is made of: plain values, and tensors by where their numbers lie. */
import type { Dtype } from '../../base/tensor.ts';

/** A dictionary; its keys in the order in which they were put in. */
export class Dict {
  readonly entries = new Map<string | number, Value>();
}

/** A run of numbers of one type, which tensors lie in. */
export class Storage {
  constructor(
    readonly key: string,
    readonly dtype: Dtype,
    /** Numbers. */
    readonly count: number,
  ) {}
}

/** Which numbers of a storage a tensor has. Nothing of it is checked here. */
export class TensorPlace {
  constructor(
    readonly storage: Storage,
    readonly from: Value,
    readonly shape: Value,
    readonly strides: Value,
  ) {}
}

/** A name that a pickle may call or mention. */
export class Name {
  constructor(readonly text: string) {}
}

export type Value = null | boolean | number | bigint | string | Dict | Storage | TensorPlace | Name | Value[];

/** Storages by the names of their classes. */
export const STORAGES: Readonly<Record<string, Dtype>> = {
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  DoubleStorage: 'F64',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};
