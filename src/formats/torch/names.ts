/** The names that a state dict's pickle may hold, and what is made where one is called. Every other name is refused before anything else is read. */
import { type InputError, shown } from '../../base/error.ts';
import { type Lines, TRUST } from './lines.ts';
import { Dict, Name, STORAGES, Storage, TensorPlace, type Value } from './values.ts';

const ORDERED = 'collections.OrderedDict';
const TENSOR = 'torch._utils._rebuild_tensor_v2';
const PARAMETER = 'torch._utils._rebuild_parameter';
const SIZE = 'torch.Size';

/** Types of numbers, which a checkpoint may mention. */
const DTYPES = 'float32 float float64 double float16 half bfloat16 uint8 int8 int16 int32 int64 bool'.split(' ');
const KNOWN: ReadonlySet<string> = new Set([
  ...[ORDERED, TENSOR, PARAMETER, SIZE],
  ...[...Object.keys(STORAGES), ...DTYPES].map((name) => `torch.${name}`),
]);

/** Names of whole networks' packages: who pickled one has no state dict. */
const NETWORKS = /^(torchvision\.models|timm\.|transformers\.|torch\.nn\.|__main__\.|models?\.)/;
/** What runs programs. */
const PROGRAMS =
  /^(os|nt|posix|subprocess|sys|builtins|__builtin__|runpy|importlib|shutil|socket|ctypes|pty|code|codecs|webbrowser|pickle)\./;

/** What the reader says of a fault. */
export type Refuse = (what: string, got?: string, hint?: (line: Lines) => string) => InputError;

/** A name of the pickle; an InputError for any that no state dict has. */
export function named(text: string, refuse: Refuse): Name {
  if (KNOWN.has(text)) return new Name(text);
  const got = shown(text.replace(/^__builtin__/, 'builtins'));
  if (PROGRAMS.test(text)) throw refuse('calls what can run a program, as no state dict does', got, () => 'do not load this file anywhere');
  if (NETWORKS.test(text))
    throw refuse('is a whole pickled module, not its state dict', got, ({ module }) => `save that with: ${module} ${TRUST}`);
  throw refuse('holds another object than tensors', got, ({ state }) => `save the tensors alone with: ${state} ${TRUST}`);
}

/** What a call makes. */
export function made(callee: Value, values: Value, refuse: Refuse): Value {
  const name = callee instanceof Name ? callee.text : undefined;
  const list = Array.isArray(values) ? values : [];
  if (name === ORDERED && list.length <= 1) return dictOf(list[0] ?? [], refuse);
  if (name === SIZE && list.length === 1 && Array.isArray(list[0])) return list[0];
  if (name === PARAMETER && list[0] instanceof TensorPlace) return list[0];
  if (name === TENSOR && list[0] instanceof Storage && list.length >= 6) {
    const [storage, from, shape, strides] = list as [Storage, Value, Value, Value];
    return new TensorPlace(storage, from, shape, strides);
  }
  throw refuse('calls what it should not', name === undefined ? 'no function' : shown(name));
}

/** Python 2 gives the pairs to the call. */
function dictOf(pairs: Value, refuse: Refuse): Dict {
  const dict = new Dict();
  for (const pair of Array.isArray(pairs) ? pairs : [undefined]) {
    const [key, value] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    if (typeof key !== 'string' || value === undefined || dict.entries.has(key)) throw refuse('makes a dictionary of what are no pairs');
    dict.entries.set(key, value);
  }
  return dict;
}
