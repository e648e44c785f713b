/** This program's own memory, as the sources that both hosts share read and write it. */
import { Words } from '../../assembly/formats/words';

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
