/** Functions of preview1 about the process: arguments, clocks, random numbers, its end. */
import { randomFillSync } from 'node:crypto';
import process from 'node:process';
import { fault } from '../sandbox.ts';
import type { Functions, World } from './world.ts';

/** Thrown through the program's frames by proc_exit. */
export class Exit extends Error {
  status: number;
  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

export function processFunctions({ args, bytesAt, setWord, setLong }: World): Functions {
  const strings = (list: readonly Uint8Array[], pointers: number, buffer: number): void => {
    for (const [i, string] of list.entries()) {
      setWord(pointers + 4 * i, buffer);
      bytesAt(buffer, string.length).set(string);
      buffer += string.length;
    }
  };
  return {
    args_sizes_get(count, bytes) {
      setWord(count, args.length);
      setWord(
        bytes,
        args.reduce((n, arg) => n + arg.length, 0),
      );
    },
    args_get: (pointers, buffer) => strings(args, pointers, buffer),
    environ_sizes_get(count, bytes) {
      setWord(count, 0);
      setWord(bytes, 0);
    },
    environ_get: () => {},
    clock_time_get(clock, _precision, time) {
      if (clock > 1) fault('EINVAL');
      setLong(time, clock === 0 ? BigInt(Date.now()) * 1_000_000n : process.hrtime.bigint());
    },
    random_get: (p, n) => void randomFillSync(bytesAt(p, n)),
    proc_exit(status) {
      throw new Exit(status);
    },
  };
}
