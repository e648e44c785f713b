/** What this machine has, as far as a training run cares: read from Linux's own files, and from the runtime. Nothing of it enters a plan. */
import { readdirSync } from 'node:fs';
import { availableParallelism, machine as kernelMachine } from 'node:os';
import { join } from 'node:path';
import { relaxedMadd } from './arithmetic.ts';
import { reserve } from './processmemory.ts';
import { readLimitedText } from './reading.ts';

export interface Machine {
  /** Bytes of memory in all, and what programs can have without swapping; undefined where the system does not say. */
  memory: { total: number | undefined; available: number | undefined };
  swap: { total: number; free: number } | undefined;
  /** The tightest limit on this process's control group, and what the group uses now. */
  group: { limit: number; used: number; path: string } | undefined;
  /** The process's own limits (ulimit -v, ulimit -d), where they are set. */
  limits: { addressSpace: number | undefined; data: number | undefined };
  /** Cores that this process may run on, and the share of them that its group may use. */
  cores: { visible: number; quota: number | undefined };
  /** Kernel's and program's word size: a 32-bit program on a 64-bit kernel is slower and reaches less memory. */
  system: { kernel: string; userland: string; bits: 32 | 64 };
  wasm: { simd: boolean; relaxedSimd: boolean; sharedMemory: boolean };
  runtime: { name: string; residentBytes: number };
}

/** Text of a file below `root`, or undefined. */
function text(root: string, path: string): string | undefined {
  try {
    return readLimitedText(join(root, path), 1 << 22, 'a table of the kernel');
  } catch {
    return undefined;
  }
}

/** A count in a file of one word; `max` and values beyond any machine mean that there is no limit. */
function limitIn(root: string, path: string): number | undefined {
  const word = text(root, path)?.trim();
  const value = word === undefined || word === 'max' || word === '' ? Number.NaN : Number(word);
  return Number.isFinite(value) && value < 2 ** 60 ? value : undefined;
}

/** Every control group above this process, innermost first, as [folder, version]. */
function groups(root: string): { folder: string; version: 1 | 2 }[] {
  const list: { folder: string; version: 1 | 2 }[] = [];
  for (const line of (text(root, 'proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const isMemory = controllers!.split(',').includes('memory');
    if (controllers !== '' && !isMemory) continue;
    const base = controllers === '' ? 'sys/fs/cgroup' : 'sys/fs/cgroup/memory';
    const parts = path.split('/').filter((part) => part !== '' && part !== '..');
    for (let n = parts.length; n >= 0; n--) list.push({ folder: join(base, ...parts.slice(0, n)), version: controllers === '' ? 2 : 1 });
  }
  return list;
}

const FILES = { 1: ['memory.limit_in_bytes', 'memory.usage_in_bytes'], 2: ['memory.max', 'memory.current'] } as const;

/** The group that leaves the least. File pages that the kernel can drop at once do not count as used. */
function tightestGroup(root: string): Machine['group'] {
  let tightest: Machine['group'];
  for (const { folder, version } of groups(root)) {
    const [most, now] = FILES[version];
    const limit = limitIn(root, join(folder, most));
    if (limit === undefined) continue;
    const cache = Number(/^(?:total_)?inactive_file (\d+)$/m.exec(text(root, join(folder, 'memory.stat')) ?? '')?.[1] ?? 0);
    const used = Math.max(0, (limitIn(root, join(folder, now)) ?? 0) - cache);
    if (tightest === undefined || limit - used < tightest.limit - tightest.used) tightest = { limit, used, path: `/${folder}` };
  }
  return tightest;
}

/** Processors' worth of time that the group may use; undefined where it is not limited. */
function quota(root: string): number | undefined {
  for (const { folder, version } of groups(root)) {
    if (version !== 2) continue;
    const [share, period] = (text(root, join(folder, 'cpu.max')) ?? '').trim().split(' ').map(Number);
    if (share! > 0 && period! > 0) return share! / period!;
  }
  const [share, period] = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => limitIn(root, join('sys/fs/cgroup/cpu', name)));
  return share !== undefined && period !== undefined && share > 0 ? share / period : undefined;
}

// The smallest modules that use each feature: (module (func (result v128) i32.const 0 i8x16.splat)) and the like.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];
const validates = (bytes: readonly number[]): boolean => WebAssembly.validate(new Uint8Array(bytes));

function sharesMemory(): boolean {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}

/** `root` is the file system's own root but in tests. */
export function readMachine(root = '/'): Machine {
  const meminfo = text(root, 'proc/meminfo') ?? '';
  const entry = (name: string): number | undefined => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  };
  const limit = (name: string): number | undefined => {
    const word = new RegExp(`^Max ${name}\\s+(\\S+)`, 'm').exec(text(root, 'proc/self/limits') ?? '')?.[1];
    return word === undefined || word === 'unlimited' ? undefined : Number(word);
  };
  const [swap, free] = [entry('SwapTotal'), entry('SwapFree')];
  const { deno } = process.versions as { deno?: string };
  return {
    memory: { total: entry('MemTotal'), available: entry('MemAvailable') },
    swap: swap === undefined || free === undefined ? undefined : { total: swap, free },
    group: tightestGroup(root),
    limits: { addressSpace: limit('address space'), data: limit('data size') },
    cores: { visible: availableParallelism(), quota: quota(root) },
    system: { kernel: kernelMachine(), userland: process.arch, bits: /^(arm|ia32|mips|mipsel|ppc|s390)$/.test(process.arch) ? 32 : 64 },
    wasm: { simd: validates(SIMD), relaxedSimd: relaxedMadd() !== 'none', sharedMemory: sharesMemory() },
    runtime: { name: deno === undefined ? `Node ${process.versions.node}` : `Deno ${deno}`, residentBytes: process.memoryUsage.rss() },
  };
}

/** What a board calls itself, `Raspberry Pi 5 Model B Rev 1.0`; undefined where the system does not say. */
export const boardName = (root = '/'): string | undefined => text(root, 'proc/device-tree/model')?.replaceAll('\0', '').trim() || undefined;

/** Linear memory reaches no further than 32-bit addresses; a 32-bit program has less room, in one piece, than that. */
const LINEAR_MOST = { 64: 4 * 2 ** 30, 32: 2 ** 30 } as const;

export interface SafeBudgets {
  /** For --process-budget and --budget; undefined where the system does not say what it has. */
  processBytes: number | undefined;
  linearBytes: number | undefined;
  /** What is left to the rest of the system. */
  reserveBytes: number;
}

/**
 * The largest budgets that leave the system room: of what is available now (to the machine, and to the process's group) a tenth, but at
 * least 32 MiB, stays free. This process's own pages come back when it ends, so they count as available.
 */
export function safeBudgets({ memory, group, limits, system, runtime }: Machine): SafeBudgets {
  const room = [memory.available, group === undefined ? undefined : group.limit - group.used, limits.data].filter((v) => v !== undefined);
  const available = room.length === 0 ? undefined : Math.min(...room) + runtime.residentBytes;
  const reserveBytes = Math.max(32 * 2 ** 20, Math.round((available ?? 0) / 10));
  if (available === undefined) return { processBytes: undefined, linearBytes: undefined, reserveBytes };
  const processBytes = Math.max(0, available - reserveBytes);
  const linear = Math.min(processBytes - reserve.training, LINEAR_MOST[system.bits]);
  return { processBytes, linearBytes: Math.max(0, Math.floor(linear / 65536) * 65536), reserveBytes };
}

/** Speed and heat of the processor now; empty where the system does not tell. */
export interface Clocks {
  /** MHz of each core. */
  mhz: number[];
  /** The highest of all sensors, in degrees Celsius. */
  celsius: number | undefined;
}

export function readClocks(root = '/'): Clocks {
  const list = (folder: string, name: RegExp): string[] => {
    try {
      return readdirSync(join(root, folder)).filter((entry) => name.test(entry));
    } catch {
      return [];
    }
  };
  const cpus = 'sys/devices/system/cpu';
  const mhz = list(cpus, /^cpu\d+$/).map((cpu) => limitIn(root, join(cpus, cpu, 'cpufreq/scaling_cur_freq')));
  const zones = 'sys/class/thermal';
  const heat = list(zones, /^thermal_zone\d+$/).map((zone) => limitIn(root, join(zones, zone, 'temp')));
  const degrees = heat.filter((t) => t !== undefined).map((t) => t / 1000);
  return {
    mhz: mhz.filter((khz) => khz !== undefined).map((khz) => khz / 1000),
    celsius: degrees.length === 0 ? undefined : Math.max(...degrees),
  };
}
