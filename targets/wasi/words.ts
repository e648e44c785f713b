/** This program's own memory and files, as the sources that both hosts share read and write them. */
import { shaAdd, shaBegin, shaEnd } from '../../assembly/digest/sha256';
import { Files } from '../../assembly/formats/files';
import { Words } from '../../assembly/formats/words';
import { needBytes, readAt } from './files';
import { refuse } from './refuse';

export const words = changetype<Words>(memory.data(64));
words.u8 = (at: f64): f64 => load<u8>(<usize>at);
words.u32 = (at: f64): f64 => load<u32>(<usize>at);
words.f32 = (at: f64): f64 => load<f32>(<usize>at);
words.f64 = (at: f64): f64 => load<f64>(<usize>at);
words.setU8 = (at: f64, value: f64): void => store<u8>(<usize>at, <u32>value);
words.setU32 = (at: f64, value: f64): void => store<u32>(<usize>at, <u32>value);
words.setF32 = (at: f64, value: f64): void => store<f32>(<usize>at, <f32>value);
words.setF64 = (at: f64, value: f64): void => store<f64>(<usize>at, value);
words.clear = (at: f64, bytes: f64): void => memory.fill(<usize>at, 0, <usize>bytes);
if (offsetof<Words>() > 64) ERROR('it is larger than the memory that it is laid over');

/** Of a number that a file is known by: its descriptor, and the address of its path. */
const table = memory.data(64);
const contexts = memory.data(256);

export function know(number: u32, fd: u32, path: usize): void {
  store<u32>(table + (number << 3), fd);
  store<u32>(table + (number << 3), <u32>path, 4);
}
function fdOf(number: f64): u32 {
  return load<u32>(table + ((<usize>number) << 3));
}
export function pathOf(number: f64): usize {
  return load<u32>(table + ((<usize>number) << 3), 4);
}

export const files = changetype<Files>(memory.data(32));
files.read = (file: f64, offset: f64, at: f64, bytes: f64): void =>
  needBytes(fdOf(file), <u64>offset, <usize>at, <usize>bytes, pathOf(file));
files.tryRead = (file: f64, offset: f64, at: f64, bytes: f64): bool => readAt(fdOf(file), <u64>offset, <usize>at, <usize>bytes) == 0;
files.refuse = (file: f64, form: string, hint: string, a: f64, b: f64, c: f64): void => refuse(pathOf(file), form, hint, a, b, c);
files.beginDigest = (which: f64): void => shaBegin(contexts + ((<usize>which) << 7));
files.addDigest = (which: f64, at: f64, bytes: f64): void => shaAdd(contexts + ((<usize>which) << 7), <usize>at, <usize>bytes);
files.endDigest = (which: f64, at: f64): void => shaEnd(contexts + ((<usize>which) << 7), <usize>at);
if (offsetof<Files>() > 32) ERROR('it is larger than the memory that it is laid over');
