/** The budget of a whole process decides nothing by chance, and the service that is shipped lives on its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobResult } from '../../src/training/job.ts';
import { asks, CLI, contents, pictureFolder, refuses, SHORT, VIT } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { photo } from '../support/photo.ts';
import { nodeTest } from '../support/runtime.ts';

/** A service file's settings by name, the last of each. */
const unit = new Map(
  readFileSync('docs/s2a-train.service', 'utf8')
    .split('\n')
    .map((line) => /^(\w+)=(.*)$/.exec(line))
    .filter((found) => found !== null)
    .map(([, name, value]) => [name!, value!]),
);
/** What it gives to `train` behind the model, the pictures and the adapter. */
const [, SERVICE] = /dist\/s2a\.js train model photos --out adapter (.*)$/.exec(unit.get('ExecStart')!)!.map((text) => text.split(' '));
const never = unit.get('RestartPreventExitStatus')!.split(' ').map(Number);

/** Runs s2a with a program in front of it that spoils its surroundings. */
function spoilt(program: string, ...args: string[]) {
  const preload = `data:text/javascript,${encodeURIComponent(program)}`;
  return spawnSync(process.execPath, ['--import', preload, CLI, ...args], { encoding: 'utf8', timeout: 60e3 });
}

/** Pictures of growing size around what a decoder of 18 MiB takes: some are skipped. */
function mixed(): string {
  const data = newFolder();
  for (const [label, name] of ['a', 'b'].entries()) {
    mkdirSync(join(data, name));
    for (let i = 0; i < 6; i++) {
      const height = 1340 + 20 * i;
      const picture = { width: 1500, height, data: new Uint8Array(1500 * height * 3).fill(100 * label + 10 * i), channels: 3 };
      writeFileSync(join(data, name, `${i}.png`), encode(picture, { zlib: { level: 1 } }));
    }
  }
  return data;
}

nodeTest('the same command skips the same pictures and names its cache alike, whatever memory the moment has', () => {
  const data = mixed();
  const budget = '118MiB';
  const common = ['--epochs', '1', '--batch-size', '4', '--threads', '1', '--process-budget', budget];
  const args = (out: string) => ['train', VIT, data, '--out', out, ...common];
  const [first, second] = [newFolder(), newFolder()];
  const { skipped } = asks<JobResult>(...args(first));
  assert.ok(skipped.length >= 2 && skipped.length < 12, `${skipped.length} skipped`);
  const fat = spoilt('globalThis.ballast = new Uint8Array(90 << 20).fill(1)', ...args(second), '--json');
  assert.is(fat.status, 0, fat.stderr);
  assert.equal((JSON.parse(fat.stdout) as JobResult).skipped, skipped);
  const caches = (out: string) => contents(join(out, 'run')).filter(([path]) => path.endsWith('.pictures'));
  assert.is(caches(first).length, 1);
  assert.is(caches(second)[0]![0].slice(second.length), caches(first)[0]![0].slice(first.length));
  const adapter = (out: string) => readFileSync(join(out, 'adapter_model.safetensors'));
  assert.ok(adapter(first).equals(adapter(second)));
});

nodeTest('a budget that is too small is refused with the smallest that serves', () => {
  const data = pictureFolder(4);
  const sentence = refuses(3, ['train', VIT, data, '--out', newFolder(), '--process-budget', '90MiB'], '--process-budget');
  const [, least] = /at least ([\d.]+ MiB)/.exec(sentence)!;
  asks('train', VIT, data, '--out', newFolder(), ...SHORT, '--process-budget', least!.replace(' ', ''));
});

test('a run that has other pictures now keeps one cache', () => {
  const data = pictureFolder(4);
  const out = newFolder();
  const caches = () => readdirSync(join(out, 'run')).filter((name) => name.endsWith('.pictures'));
  asks('train', VIT, data, '--out', out, ...SHORT);
  const before = caches();
  writeFileSync(join(data, 'red', 'new.png'), encode({ width: 8, height: 8, data: new Uint8Array(192), channels: 3 }));
  asks('train', VIT, data, '--out', out, ...SHORT);
  assert.is(caches().length, 1);
  assert.not.equal(caches(), before);
});

nodeTest('the service takes 12-megapixel photos, JPEG and PNG, on its own budget', async () => {
  const data = newFolder();
  const noise = (i: number) => (Math.imul(i, 2654435761) >>> 28) + 90;
  const pixels = Uint8Array.from({ length: 4032 * 3024 * 3 }, (_, i) => noise(i));
  const png = encode({ width: 4032, height: 3024, data: pixels, channels: 3, depth: 8 }, { zlib: { level: 1 } });
  for (const name of ['a', 'b']) {
    mkdirSync(join(data, name));
    writeFileSync(join(data, name, '1.jpg'), await photo(4032, 3024, name === 'a' ? 20 : 220));
    writeFileSync(join(data, name, '2.png'), png);
  }
  const { skipped, pictures } = asks<JobResult>('train', VIT, data, '--out', newFolder(), ...SERVICE!, '--epochs', '1', '--hold-out', '0');
  assert.equal(skipped, []);
  assert.is(pictures.train, 4);
});

nodeTest('the service comes back after a full disk, to the same adapter', () => {
  const data = pictureFolder(4);
  const [out, whole] = [newFolder(), newFolder()];
  const args = (folder: string) => ['train', VIT, data, '--out', folder, ...SHORT, ...SERVICE!, '--save-every', '1'];
  asks(...args(whole));
  // Full at the second checkpoint.
  const full = spoilt(
    `import { createRequire, syncBuiltinESMExports } from 'node:module';
     const fs = createRequire(${JSON.stringify(`file://${CLI}`)})('node:fs');
     const { openSync, writeSync } = fs;
     let seen = 0;
     let full;
     fs.openSync = (path, ...rest) => {
       const fd = openSync(path, ...rest);
       if (/checkpoint-.*tmp$/.test(String(path)) && ++seen >= 2) full = fd;
       return fd;
     };
     fs.writeSync = (fd, ...rest) => {
       if (fd === full) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
       return writeSync(fd, ...rest);
     };
     syncBuiltinESMExports();`,
    ...args(out),
  );
  assert.match(full.stderr, /no space left on the device/);
  // Restart=on-failure starts it again but after these.
  assert.is(unit.get('Restart'), 'on-failure');
  assert.is(unit.get('StartLimitIntervalSec'), '0');
  assert.is(full.status, 5, full.stderr);
  assert.not.ok(never.includes(5));
  assert.not.ok(unit.get('SuccessExitStatus')!.split(' ').includes('5'));
  assert.equal(never, [2, 3]);
  asks(...args(out));
  assert.ok(readFileSync(join(out, 'adapter_model.safetensors')).equals(readFileSync(join(whole, 'adapter_model.safetensors'))));
});

test.run();
