/** `s2a doctor`: what this machine has, and the largest budgets that are safe here. */

import { mebibytes } from '../../src/base/bytes.ts';
import { EngineError, InputError } from '../../src/base/error.ts';
import { type Machine, readMachine, type SafeBudgets, safeBudgets } from '../../src/base/machine.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { parse } from './options.ts';
import type { Output } from './output.ts';
import { pairs } from './show.ts';

const size = (bytes: number | undefined): string => (bytes === undefined ? 'unknown' : mebibytes(bytes));
const yes = (is: boolean): string => (is ? 'yes' : 'no');

/** Facts, one a line. */
export function machineLines({ memory, swap, group, limits, cores, system, wasm, runtime }: Machine): string {
  const rows: [string, string][] = [['memory', `${size(memory.available)} available of ${size(memory.total)}`]];
  if (group) rows.push(['group limit', `${size(group.limit)}, ${size(group.used)} used (${group.path})`]);
  if (limits.addressSpace !== undefined) rows.push(['address space', `${size(limits.addressSpace)} (ulimit -v)`]);
  if (limits.data !== undefined) rows.push(['data', `${size(limits.data)} (ulimit -d)`]);
  rows.push(['swap', swap === undefined ? 'unknown' : swap.total === 0 ? 'none' : `${size(swap.free)} free of ${size(swap.total)}`]);
  const share = cores.quota === undefined || cores.quota >= cores.visible ? '' : `, of which the group may use ${cores.quota.toFixed(1)}`;
  rows.push(['cores', `${cores.visible}${share}`]);
  rows.push(['system', `${system.userland}, ${system.bits}-bit programs on a ${system.kernel} kernel`]);
  rows.push(['wasm', `SIMD ${yes(wasm.simd)}, relaxed SIMD ${yes(wasm.relaxedSimd)}, shared memory ${yes(wasm.sharedMemory)}`]);
  rows.push(['runtime', `${runtime.name}, ${size(runtime.residentBytes)} resident before anything is loaded`]);
  return pairs(rows);
}

/** What to look out for, a sentence each. */
export function advice({ swap, system, cores, memory }: Machine, { linearBytes }: SafeBudgets): string[] {
  const list: string[] = [];
  if (swap && swap.total > 0)
    list.push('A run that swaps is slow and wears a memory card: stay inside the budget above, or run where swap is off.');
  if (system.bits === 32 && /64$|^armv8/.test(system.kernel))
    list.push('The kernel is 64-bit but this runtime is not: a 64-bit one is faster and reaches more memory.');
  if (cores.quota !== undefined && cores.quota < 1) list.push('The group may use less than one core: expect a multiple of the usual time.');
  if (memory.available === undefined)
    list.push('The system does not say how much memory is available (no /proc, or no permission to read it).');
  if (linearBytes !== undefined && linearBytes < 12 * 2 ** 20) list.push('Very little memory is left: stop other programs first.');
  return list;
}

const asFlag = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)}MiB`;

export function doctor(args: string[], out: Output): void {
  const p = parse(args, { json: 'flag' }, { least: 0, most: 0, usage: 's2a doctor' });
  const machine = readMachine();
  const safe = safeBudgets(machine);
  const engine = engineBytes();
  if (p.flag('json')) out.json({ ...machine, safe, engine: { bytes: engine.length, runs: machine.wasm.simd } });
  else {
    const { processBytes, linearBytes } = safe;
    const budgets =
      processBytes === undefined || linearBytes === undefined
        ? 'Safe budgets cannot be told here.'
        : `safe here    --budget ${asFlag(linearBytes)} (linear memory), or --process-budget ${asFlag(processBytes)} (the whole process)\n` +
          `             ${mebibytes(safe.reserveBytes)} are left to the rest of the system`;
    out.line([machineLines(machine), '', budgets, ...advice(machine, safe).flatMap((line) => ['', line])].join('\n'));
  }
  if (!machine.wasm.simd)
    throw new EngineError({
      where: 'engine.wasm',
      what: 'cannot run: this runtime has no WebAssembly SIMD',
      hint: 'use Node 20 or newer on a 64-bit system',
    });
  if (!WebAssembly.validate(engine)) throw new InputError({ where: 'engine.wasm', what: 'is damaged', hint: 'install s2a again' });
}
