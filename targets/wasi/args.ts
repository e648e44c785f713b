/** The command's words: positionals, and options `--name value` or `--name`. */
import { args_get, args_sizes_get } from 'bindings/wasi_snapshot_preview1';
import { isText, setPath } from './path';
import { finish, refuse } from './refuse';
import { say, select, STDERR, to } from './text';

const MOST_WORDS: u32 = 64;
const MOST_BYTES: u32 = 8192;
const sizes = memory.data(8);
const pointers = memory.data(256);
const buffer = memory.data(8192);
/** 1 for a word that an option or its value took. */
const taken = memory.data(64);

export let argCount: u32 = 0;

export function readArguments(): void {
  if (args_sizes_get(sizes, sizes + 4) != 0) return;
  const n = load<u32>(sizes);
  if (n > MOST_WORDS || load<u32>(sizes, 4) > MOST_BYTES) refuse(0, 'arguments: there are too many');
  if (args_get(pointers, buffer) == 0) argCount = n;
}

/** The i-th word: bytes ended by a zero. */
export function arg(i: u32): usize {
  return load<u32>(pointers + (i << 2));
}
export function bytesOf(string: usize): usize {
  let end = string;
  while (load<u8>(end) != 0) end++;
  return end - string;
}
export function isArg(i: u32, word: string): bool {
  return isText(arg(i), bytesOf(arg(i)), word);
}
/** The sentence about a word that stands in the command. */
export function refuseArg(i: u32, what: string, more: string = ''): void {
  select(arg(i), bytesOf(arg(i)));
  to(STDERR);
  say('s2a: &: ');
  say(what);
  say(more);
  finish();
}
/** The sentence about an option. */
export function refuseOption(name: string, what: string, hint: string = ''): void {
  to(STDERR);
  say('s2a: ');
  say(name);
  say(': ');
  say(what);
  finish(hint);
}

/** Whether an option without a value stands there. */
export function flag(name: string): bool {
  let found = false;
  for (let i: u32 = 2; i < argCount; i++)
    if (load<u8>(taken + i) == 0 && isArg(i, name)) {
      store<u8>(taken + i, 1);
      found = true;
    }
  return found;
}

/** The value of an option, as the index of its word; 0 where it is not given. */
export function option(name: string): u32 {
  let found: u32 = 0;
  for (let i: u32 = 2; i < argCount; i++) {
    if (load<u8>(taken + i) != 0 || !isArg(i, name)) continue;
    if (i + 1 == argCount || found != 0) refuseOption(name, found != 0 ? 'is given twice' : 'has no value');
    found = i + 1;
    store<u8>(taken + i, 1);
    store<u8>(taken + i + 1, 1);
    i++;
  }
  return found;
}

/** The value of an option as a path; false where it is not given. */
export function pathOption(name: string, path: usize): bool {
  const i = option(name);
  if (i == 0) return false;
  setPath(path, arg(i), bytesOf(arg(i)));
  return true;
}

/** The value of an option as a whole number of at least 1; `otherwise` where it is not given. */
export function wholeOption(name: string, otherwise: u32): u32 {
  const i = option(name);
  if (i == 0) return otherwise;
  let value: u64 = 0;
  for (let p = arg(i); load<u8>(p) != 0; p++) {
    const digit = <u32>load<u8>(p) - 0x30;
    if (digit > 9 || value > 0x7fffffff) {
      value = 0;
      break;
    }
    value = value * 10 + digit;
  }
  if (value == 0 || value > 0x7fffffff) refuseOption(name, 'wrong value', 'give a whole number of at least 1');
  return <u32>value;
}

/** The value of an option as a share, 0.8 or 80%, from 0 to `most`; `off`, where that may be said, is 0. `otherwise` where it is not given. */
export function shareOption(name: string, otherwise: f64, most: f64, mayBeOff: bool): f64 {
  const i = option(name);
  if (i == 0) return otherwise;
  if (mayBeOff && isArg(i, 'off')) return 0;
  let value: f64 = 0;
  let unit: f64 = 0;
  let digits = 0;
  let p = arg(i);
  for (; digits < 15; p++) {
    const byte = <u32>load<u8>(p);
    if (byte == 0x2e && unit == 0) unit = 1;
    else if (byte - 0x30 > 9) break;
    else {
      value = value * 10 + (byte - 0x30);
      unit *= 10;
      digits++;
    }
  }
  if (unit > 0) value /= unit;
  if (load<u8>(p) == 0x25) {
    value /= 100;
    p++;
  }
  const isShare = digits > 0 && load<u8>(p) == 0 && value <= most && !(mayBeOff && value == 0);
  if (!isShare)
    refuseOption(name, mayBeOff ? 'wrong value, expected off, or a share up to 50%: 5%' : 'wrong value, expected a share from 0 to 1: 0.8');
  return value;
}

/** The positional after those that were taken; 0 where there is none. */
export function positional(): u32 {
  for (let i: u32 = 2; i < argCount; i++)
    if (load<u8>(taken + i) == 0 && !(load<u8>(arg(i)) == 0x2d && load<u8>(arg(i), 1) == 0x2d)) {
      store<u8>(taken + i, 1);
      return i;
    }
  return 0;
}

/** Nothing is left over. */
export function noMore(usage: string): void {
  for (let i: u32 = 2; i < argCount; i++)
    if (load<u8>(taken + i) == 0) refuseArg(i, 'unknown option or one word too many, expected ', usage);
}
