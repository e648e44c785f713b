/** Reads have ends: what is no ordinary file is refused, a size that the system names is not believed, and every file from outside is opened so. */
import { appendFileSync, closeSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError, withoutPlace } from '../../src/base/error.ts';
import { openFile, openStore } from '../../src/base/files.ts';
import { openOrdinary, readLimited, readLimitedText } from '../../src/base/reading.ts';
import { newFolder, refused } from '../support/folder.ts';
import { makePipe, nodeTest } from '../support/runtime.ts';

const folder = newFolder();
const path = join(folder, 'file');

test('a file is read whole up to the limit, and refused beyond it', () => {
  for (const size of [0, 1, 4095, 4096, 4097, 20000]) {
    writeFileSync(path, new Uint8Array(size).fill(7));
    for (const limit of [size, size + 1, 1 << 20]) {
      const bytes = readLimited(path, limit, 'a list');
      assert.is(bytes.length, size);
      assert.ok(bytes.every((byte) => byte === 7));
    }
    if (size > 0)
      refused(
        () => readLimited(path, size - 1, 'a list'),
        `${path}: is too large for a list, got ${size} bytes, expected at most ${size - 1}`,
      );
  }
  assert.is(readLimitedText(path, 1 << 20, 'a list').length, 20000);
});

test('what is no file is refused, also behind a link', () => {
  symlinkSync(folder, join(folder, 'link'));
  for (const open of [(p: string) => readLimited(p, 9, 'a list'), openFile, openStore, openOrdinary, (p: string) => openStore(p, 5)]) {
    refused(() => open(join(folder, 'link')), 'link', 'is a folder, not a file');
    if (process.platform !== 'win32') refused(() => open('/dev/null'), '/dev/null: is not an ordinary file');
  }
  refused(() => readLimited(join(folder, 'none'), 9, 'a list'), 'none: cannot be opened: no such file or folder');
});

nodeTest('nobody waits for a pipe (mkfifo is a program)', () => {
  const pipe = makePipe(folder);
  if (pipe === undefined) return;
  for (const open of [(p: string) => readLimited(p, 9, 'a list'), openFile, openStore, (p: string) => openStore(p, 5)])
    refused(() => open(pipe), pipe, 'is not an ordinary file');
});

test('a file that grows while it is read ends at the limit', () => {
  const grows = (limit: number): Uint8Array => {
    writeFileSync(path, new Uint8Array(10000));
    // The buffer is asked for once the size is known: now comes more than was said, again and again.
    return readLimited(path, limit, 'a list', (bytes) => {
      appendFileSync(path, new Uint8Array(10000));
      return new Uint8Array(bytes);
    });
  };
  assert.is(grows(1 << 20).length % 10000, 0);
  refused(() => grows(25000), 'is too large for a list, got more, expected at most 25000');
});

test('a file that shrinks while it is read is as long as it is then', () => {
  writeFileSync(path, new Uint8Array(10000));
  const bytes = readLimited(path, 1 << 20, 'a list', (n) => {
    truncateSync(path, 3);
    return new Uint8Array(n);
  });
  assert.is(bytes.length, 3);
});

test('a buffer that is there already is read into', () => {
  writeFileSync(path, 'abc');
  const room = new Uint8Array(1 << 16);
  assert.is(readLimited(path, 9, 'a list', () => room).buffer, room.buffer);
  writeFileSync(path, new Uint8Array(12));
  refused(() => readLimited(path, 9, 'a list', () => room), 'too large');
});

nodeTest('a file that names no size is read to its end (Linux alone has such)', () => {
  if (process.platform === 'linux') assert.match(readLimitedText('/proc/self/status', 1 << 16, 'a status'), /VmRSS/);
});

test('what an error says without its place', () => {
  assert.is(withoutPlace(new InputError({ where: 'a\u001b: b', what: 'is: empty', got: 1 })), 'is: empty, got 1');
});

test('an opened file is closed again where it is refused', () => {
  mkdirSync(join(folder, 'many'));
  for (let i = 0; i < 3000; i++) refused(() => openOrdinary(join(folder, 'many')), 'folder');
  writeFileSync(path, 'x');
  closeSync(openOrdinary(path));
});

/** Who opens files otherwise, and what: its own parts, what it writes, folders. */
const OTHERS: Readonly<Record<string, RegExp>> = {
  'src/base/reading.ts': /openSync\(path, how\)/,
  // For writing, and a folder.
  'src/base/files.ts': /openSync\((path, 'w\+'|temporary, 'wx', mode|folder, 'r')\)/,
  'src/base/lock.ts': /openSync\(path, 'wx'\)/,
  'src/input/worker.ts': /openSync\(workerData as string, 'r\+'\)/,
  // The program's own parts.
  'src/engine/wasm.ts': /readFileSync\(ownFile\(name, beside\(name\)\)\)/,
  'src/pictures/version.ts': /readFileSync\(join\(folder, 'package.json'\), 'utf8'\)/,
  // The sandbox has looked at what is there.
  'targets/wasi/host.ts': /openSync\((path, how|found\.path, 'r')\)/,
};
const OWN = /readFileSync\(require\.resolve\(/;

test('no other file of the program opens what came from outside', () => {
  for (const root of ['src', 'targets']) {
    for (const name of readdirSync(root, { recursive: true }) as string[]) {
      const file = join(root, name);
      if (!file.endsWith('.ts')) continue;
      const text = readFileSync(file, 'utf8');
      assert.not.match(text, /from 'node:fs\/promises'|\b(createReadStream|copyFileSync|cpSync|openAsBlob)\b/, file);
      if (file.startsWith('targets/wasi/') && !file.endsWith('host.ts')) continue;
      for (const line of text.split('\n')) {
        if (!/\b(readFileSync|openSync)\(/.test(line) || OWN.test(line)) continue;
        assert.match(
          line,
          OTHERS[file.replaceAll('\\', '/')] ?? /^$/,
          `${file} opens a file: ${line.trim()}; src/base/reading.ts does that`,
        );
      }
    }
  }
});

test.run();
