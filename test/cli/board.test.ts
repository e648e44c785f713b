/** The commands for a board: what it has, and what a step costs there. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relaxedMadd } from '../../src/base/arithmetic.ts';
import { boardName, type Machine, readMachine, safeBudgets } from '../../src/base/machine.ts';
import { type StepSummary, summarise } from '../../src/training/steptiming.ts';
import { advice } from '../../targets/cli/doctor.ts';
import { newFolder } from '../support/folder.ts';
import { modelFolder } from '../support/golden.ts';
import { asks, does, refuses } from './command.ts';

test('doctor: facts, and two flags that can be typed as they stand', () => {
  const { stdout } = does('doctor');
  for (const word of ['memory', 'swap', 'cores', 'SIMD yes', 'resident before anything is loaded']) assert.ok(stdout.includes(word), word);
  const [, linear] = /--budget (\d+MiB)/.exec(stdout)!;
  does('plan', modelFolder('vit-hf'), '--budget', linear!);
  const { safe, memory } = asks<Machine & { safe: ReturnType<typeof safeBudgets> }>('doctor');
  assert.ok(safe.linearBytes! < safe.processBytes! && safe.processBytes! < memory.available! * 1.2);
  refuses(2, ['doctor', 'extra'], 'wrong number');
});

test('advice names what is unusual, and nothing on a usual machine', () => {
  const machine: Machine = {
    ...readMachine(),
    swap: { total: 0, free: 0 },
    memory: { total: 2 ** 33, available: 2 ** 32 },
    group: undefined,
  };
  machine.limits = { addressSpace: undefined, data: undefined };
  machine.cores = { visible: 4, quota: undefined };
  assert.equal(advice(machine, safeBudgets(machine)), []);
  const odd: Machine = { ...machine, swap: { total: 2 ** 30, free: 2 ** 30 }, cores: { visible: 4, quota: 0.5 } };
  odd.system = { kernel: 'aarch64', userland: 'arm', bits: 32 };
  assert.is(advice(odd, safeBudgets(odd)).length, 3);
});

test('bench: the real loop, the whole plan, nothing but time', () => {
  const r = asks<StepSummary & { ms: number[]; memory: { linearBytes: number; plannedBytes: number } }>(
    ...['bench', modelFolder('vit-hf'), '--seconds', '1', '--batch-size', '4', '--micro-batch', '2'],
  );
  assert.ok(r.steps >= 3 && r.steps === r.ms.length);
  assert.ok(r.medianMs > 0 && r.ninthMs >= r.medianMs);
  assert.is(r.memory.linearBytes, r.memory.plannedBytes);
  const text = does('bench', modelFolder('vit-hf'), '--seconds', '1').stdout;
  for (const word of ['a step', 'pictures', 'linear memory', 'resident peak', 'over the run', 'clock', 'heat'])
    assert.ok(text.includes(word), word);
  refuses(2, ['bench', modelFolder('vit-hf'), '--seconds', '0'], '--seconds');
  refuses(3, ['bench', modelFolder('vit-hf'), '--budget', '64KiB'], 'smallest budget');
});

test('bench --anchors: every arithmetic that there is, and a line to send in', () => {
  const r = asks<{ rows: { learns: string; arithmetic: string; secondsPerImage: number }[]; line: string }>(
    ...['bench', modelFolder('resnet-hf'), '--anchors', '--seconds', '1', '--threads', '1'],
  );
  const names = r.rows.map(({ learns, arithmetic }) => `${learns} ${arithmetic}`);
  const fast = relaxedMadd() === 'fused';
  assert.equal(names, ['head f32', 'head int8', ...(fast ? ['head fast'] : []), 'all f32', ...(fast ? ['all fast'] : [])]);
  assert.ok(r.rows.every(({ secondsPerImage }) => secondsPerImage > 0 && secondsPerImage < 10));
  assert.match(r.line, /^s2a \S+ \| resnet 224x224 by 16 \| .* threads? \| head f32 [\d.]+ .*; all f32 [\d.]+.* s\/picture$/);
  refuses(2, ['bench', modelFolder('vit-hf'), '--anchors', '--method', 'bias'], '--method: is settled by --anchors');
});

test('a board names itself where its system says so', () => {
  const root = newFolder();
  assert.is(boardName(root), undefined);
  mkdirSync(join(root, 'proc', 'device-tree'), { recursive: true });
  writeFileSync(join(root, 'proc', 'device-tree', 'model'), 'Raspberry Pi 5 Model B Rev 1.0\0');
  assert.is(boardName(root), 'Raspberry Pi 5 Model B Rev 1.0');
});

test('a summary: medians, and the last quarter against the first', () => {
  const s = summarise({ ms: [10, 10, 12, 12, 14, 14, 20, 20] }, 4);
  assert.equal({ ...s, imagesPerSecond: 0 }, { steps: 8, medianMs: 12, ninthMs: 20, imagesPerSecond: 0, slowdown: 2 });
  assert.ok(Math.abs(s.imagesPerSecond - 4000 / 12) < 1e-9);
});

test.run();
