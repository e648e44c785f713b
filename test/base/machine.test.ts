/** What the machine is said to have, from files as kernels write them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Machine, readClocks, readMachine, safeBudgets } from '../../src/base/machine.ts';
import { newFolder } from '../support/folder.ts';

const MIB = 2 ** 20;

/** A root folder with these files. */
function root(files: Record<string, string>): string {
  const folder = newFolder();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

const MEMINFO =
  'MemTotal:        1024000 kB\nMemFree:          100000 kB\nMemAvailable:     512000 kB\nSwapTotal:        204800 kB\nSwapFree:         102400 kB\n';

test('memory and swap in bytes; nothing is made up where the files are missing', () => {
  const m = readMachine(root({ 'proc/meminfo': MEMINFO }));
  assert.equal(m.memory, { total: 1000 * MIB, available: 500 * MIB });
  assert.equal(m.swap, { total: 200 * MIB, free: 100 * MIB });
  const none = readMachine(root({}));
  assert.equal(none.memory, { total: undefined, available: undefined });
  assert.is(none.swap, undefined);
  assert.is(none.group, undefined);
  assert.is(safeBudgets(none).processBytes, undefined);
});

test('the tightest control group of version 2 counts, whichever level it is on; droppable pages are not used', () => {
  const m = readMachine(
    root({
      'proc/meminfo': MEMINFO,
      'proc/self/cgroup': '0::/system.slice/s2a.service\n',
      'sys/fs/cgroup/memory.max': 'max\n',
      'sys/fs/cgroup/system.slice/memory.max': `${200 * MIB}\n`,
      'sys/fs/cgroup/system.slice/memory.current': `${150 * MIB}\n`,
      'sys/fs/cgroup/system.slice/memory.stat': `anon 1\ninactive_file ${20 * MIB}\n`,
      'sys/fs/cgroup/system.slice/s2a.service/memory.max': `${180 * MIB}\n`,
      'sys/fs/cgroup/system.slice/s2a.service/memory.current': `${40 * MIB}\n`,
      'sys/fs/cgroup/system.slice/cpu.max': '50000 100000\n',
      'sys/fs/cgroup/system.slice/s2a.service/cpu.max': 'max 100000\n',
    }),
  );
  assert.equal(m.group, { limit: 200 * MIB, used: 130 * MIB, path: '/sys/fs/cgroup/system.slice' });
  assert.is(m.cores.quota, 0.5);
});

test('version 1, and its way of saying that there is no limit', () => {
  const files = (limit: string) => ({
    'proc/self/cgroup': '5:devices:/x\n4:memory:/job\n0::/\n',
    'sys/fs/cgroup/memory/job/memory.limit_in_bytes': limit,
    'sys/fs/cgroup/memory/job/memory.usage_in_bytes': `${8 * MIB}`,
  });
  assert.is(readMachine(root(files(`${64 * MIB}`))).group?.limit, 64 * MIB);
  assert.is(readMachine(root(files('9223372036854771712'))).group, undefined);
});

test('limits of the process', () => {
  const text =
    'Limit                     Soft Limit           Hard Limit           Units     \nMax data size             268435456            unlimited            bytes     \nMax address space         unlimited            unlimited            bytes     \n';
  assert.equal(readMachine(root({ 'proc/self/limits': text })).limits, { addressSpace: undefined, data: 256 * MIB });
});

const board: Machine = {
  ...readMachine(root({})),
  memory: { total: 1000 * MIB, available: 500 * MIB },
  runtime: { name: 'Node', residentBytes: 50 * MIB },
};

test('safe budgets leave a tenth, keep to the tightest limit, and tell linear memory from the process', () => {
  const free = safeBudgets(board);
  assert.is(free.processBytes, 550 * MIB - free.reserveBytes);
  assert.is(free.reserveBytes, 55 * MIB);
  assert.ok(free.linearBytes! < free.processBytes! - 50 * MIB && free.linearBytes! % 65536 === 0);
  const held = safeBudgets({ ...board, group: { limit: 128 * MIB, used: 60 * MIB, path: '/' } });
  assert.is(held.processBytes, 118 * MIB - 32 * MIB);
  assert.is(safeBudgets({ ...board, group: { limit: 60 * MIB, used: 60 * MIB, path: '/' } }).linearBytes, 0);
});

test('linear memory never goes beyond what addresses reach', () => {
  const rich = { ...board, memory: { total: 64 * 1024 * MIB, available: 60 * 1024 * MIB } };
  assert.is(safeBudgets(rich).linearBytes, 4096 * MIB);
  assert.is(safeBudgets({ ...rich, system: { kernel: 'armv7l', userland: 'arm', bits: 32 } }).linearBytes, 1024 * MIB);
});

test('this runtime: the features are found by asking it', () => {
  const { wasm } = readMachine();
  assert.is(wasm.simd, true);
  assert.is(wasm.sharedMemory, true);
});

test('clocks and heat in MHz and degrees, absent where the system does not tell', () => {
  const folder = root({
    'sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq': '1500000\n',
    'sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq': '600000\n',
    'sys/devices/system/cpu/cpufreq/policy0/x': '',
    'sys/class/thermal/thermal_zone0/temp': '48200\n',
    'sys/class/thermal/thermal_zone1/temp': '61500\n',
  });
  assert.equal(readClocks(folder), { mhz: [1500, 600], celsius: 61.5 });
  assert.equal(readClocks(root({})), { mhz: [], celsius: undefined });
});

test.run();
