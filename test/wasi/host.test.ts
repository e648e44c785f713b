/** The preview1 host: what a program can do with the folders it was given, and that it gets at nothing else. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWasi, runWasi, type WasiOptions } from '../../targets/wasi/host.ts';
import { newFolder, refused } from '../support/folder.ts';

const OK = 0;
const [BADF, EXIST, FAULT, INVAL, ISDIR, LOOP, NOENT, NOTDIR, ROFS, SPIPE, NOTCAPABLE] = [8, 20, 21, 28, 31, 32, 44, 54, 69, 70, 76];
const BUSY = 10;
const [CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE] = [1, 2, 4, 8];
/** read, seek, sync, tell, write, filestat. */
const READ = (1n << 1n) | (1n << 2n) | (1n << 5n) | (1n << 21n);
const WRITE = READ | (1n << 6n) | (1n << 4n);
const ROOT = 3;
/** Where results land, where text is put, where lists of vectors are put. */
const [RESULT, TEXT, VECTORS, DATA] = [0, 1024, 512, 4096];

function rig(options: Partial<WasiOptions> = {}) {
  const wasi = createWasi({ args: [], preopens: {}, ...options });
  wasi.memory = new WebAssembly.Memory({ initial: 1 });
  const view = new DataView(wasi.memory.buffer);
  const bytes = new Uint8Array(wasi.memory.buffer);
  const call = (name: string, ...args: (number | bigint)[]): number => wasi.calls[name]!(...args);
  const put = (text: string, at = TEXT): [number, number] => {
    const encoded = new TextEncoder().encode(text);
    bytes.set(encoded, at);
    return [at, encoded.length];
  };
  const vectors = (...list: [number, number][]): [number, number] => {
    for (const [i, [p, n]] of list.entries()) {
      view.setUint32(VECTORS + 8 * i, p, true);
      view.setUint32(VECTORS + 8 * i + 4, n, true);
    }
    return [VECTORS, list.length];
  };
  const word = (at = RESULT): number => view.getUint32(at, true);
  const long = (at = RESULT): number => Number(view.getBigUint64(at, true));
  return {
    ...{ wasi, view, bytes, call, put, vectors, word, long },
    open: (path: string, rights = READ, flags = 0, { fd = ROOT, follow = 1, fdflags = 0 } = {}): number =>
      call('path_open', fd, follow, ...put(path), flags, rights, 0n, fdflags, RESULT),
    read: (fd: number, n: number): string => {
      assert.is(call('fd_read', fd, ...vectors([DATA, n]), RESULT), OK);
      return new TextDecoder().decode(bytes.slice(DATA, DATA + word()));
    },
    write: (fd: number, text: string): number => call('fd_write', fd, ...vectors(put(text, DATA)), RESULT),
    text: (at: number, n: number): string => new TextDecoder().decode(bytes.slice(at, at + n)),
  };
}

/** A folder that is opened to the program, in one that is not. */
function house() {
  const outside = newFolder();
  const inside = join(outside, 'inside');
  mkdirSync(join(inside, 'deep', 'er'), { recursive: true });
  writeFileSync(join(outside, 'secret'), 'secret');
  writeFileSync(join(inside, 'a'), 'hello world');
  writeFileSync(join(inside, 'deep', 'b'), 'deep');
  return { outside, inside };
}

test('arguments, environment, clock, random, exit code', () => {
  const r = rig({ args: ['s2a', 'größe'] });
  assert.is(r.call('args_sizes_get', 0, 4), OK);
  assert.equal([r.word(0), r.word(4)], [2, 12]);
  assert.is(r.call('args_get', 0, 64), OK);
  assert.equal([r.word(0), r.word(4)], [64, 68]);
  assert.is(r.text(64, 12), 's2a\0größe\0');
  assert.is(r.call('environ_sizes_get', 0, 4), OK);
  assert.equal([r.word(0), r.word(4)], [0, 0]);
  assert.is(r.call('clock_time_get', 0, 0n, 0), OK);
  assert.ok(Math.abs(r.long() / 1e6 - Date.now()) < 5000);
  assert.is(r.call('clock_time_get', 1, 0n, 0), OK);
  assert.is(r.call('clock_time_get', 7, 0n, 0), INVAL);
  assert.is(r.call('random_get', 128, 32), OK);
  assert.ok(r.bytes.slice(128, 160).some((byte) => byte !== 0));
  assert.throws(() => r.call('proc_exit', 7), /exit 7/);
});

test('a command: its exit code, output, and imports that do not exist here', () => {
  // (module (import "wasi_snapshot_preview1" "<name>" (func (param i32))) (memory (export "memory") 1)
  //   (func (export "_start") i32.const 9 call 0))
  const command = (from: string, name: string): Uint8Array<ArrayBuffer> => {
    const string = (s: string): number[] => [s.length, ...new TextEncoder().encode(s)];
    const part = (id: number, ...body: number[]): number[] => [id, body.length, ...body];
    return Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...part(1, 2, 0x60, 1, 0x7f, 0, 0x60, 0, 0),
      ...part(2, 1, ...string(from), ...string(name), 0, 0),
      ...part(3, 1, 1),
      ...part(5, 1, 0, 1),
      ...part(7, 2, ...string('memory'), 2, 0, ...string('_start'), 0, 1),
      ...part(10, 1, 6, 0, 0x41, 9, 0x10, 0, 0x0b),
    ]);
  };
  assert.is(runWasi(command('wasi_snapshot_preview1', 'proc_exit'), { args: [], preopens: {} }), 9);
  assert.is(runWasi(command('wasi_snapshot_preview1', 'fd_close'), { args: [], preopens: {} }), 0);
  assert.is(runWasi(command('wasi_snapshot_preview1', 'sock_shutdown'), { args: [], preopens: {} }), 0);
  assert.throws(() => runWasi(command('env', 'abort'), { args: [], preopens: {} }), /env\.abort/);
  refused(
    () => runWasi(command('wasi_snapshot_preview1', 'fd_close'), { args: [], preopens: { '/': '/no/such/folder' } }),
    'no such folder',
  );
});

test('standard streams', () => {
  const written: string[] = [];
  const sink = (name: string) => (bytes: Uint8Array) => void written.push(name + new TextDecoder().decode(bytes));
  const r = rig({ stdout: sink('out '), stderr: sink('err ') });
  r.put('onetwo', DATA);
  assert.is(r.call('fd_write', 1, ...r.vectors([DATA, 3], [DATA, 0], [DATA + 3, 3]), RESULT), OK);
  assert.is(r.word(), 6);
  assert.is(r.write(2, 'oh'), OK);
  assert.equal(written, ['out onetwo', 'err oh']);
  assert.is(r.read(0, 10), '');
  assert.is(r.write(0, 'x'), BADF);
  assert.is(r.call('fd_seek', 1, 0n, 0, RESULT), SPIPE);
  assert.is(r.call('fd_fdstat_get', 1, 0), OK);
  assert.is(r.bytes[0], 2);
});

test('preopened folders are named', () => {
  const { inside, outside } = house();
  const r = rig({ preopens: { '/': inside, '/two': outside } });
  assert.is(r.call('fd_prestat_get', 4, RESULT), OK);
  assert.equal([r.word(0), r.word(4)], [0, 4]);
  assert.is(r.call('fd_prestat_dir_name', 4, DATA, 4), OK);
  assert.is(r.text(DATA, 4), '/two');
  assert.is(r.call('fd_prestat_get', 5, RESULT), BADF);
  assert.is(r.call('fd_prestat_get', 1, RESULT), BADF);
});

test('files are read by position and by range', () => {
  const r = rig({ preopens: { '/': house().inside } });
  assert.is(r.open('a'), OK);
  const fd = r.word();
  assert.is(r.read(fd, 5), 'hello');
  assert.is(r.call('fd_tell', fd, RESULT), OK);
  assert.is(r.long(), 5);
  assert.is(r.call('fd_pread', fd, ...r.vectors([DATA, 3], [DATA + 3, 100]), 6n, RESULT), OK);
  assert.is(r.word(), 5);
  assert.is(r.text(DATA, 5), 'world');
  assert.is(r.call('fd_seek', fd, -2n, 2, RESULT), OK);
  assert.is(r.read(fd, 100), 'ld');
  assert.is(r.read(fd, 100), '');
  assert.is(r.call('fd_seek', fd, -1n, 0, RESULT), INVAL);
  assert.is(r.call('fd_seek', fd, 0n, 3, RESULT), INVAL);
  assert.is(r.call('fd_filestat_get', fd, DATA), OK);
  assert.equal([r.bytes[DATA + 16], r.long(DATA + 32)], [4, 11]);
  assert.is(r.call('path_filestat_get', ROOT, 1, ...r.put('deep'), DATA), OK);
  assert.is(r.bytes[DATA + 16], 3);
  assert.is(r.call('fd_close', fd), OK);
  assert.is(r.call('fd_close', fd), BADF);
  assert.is(r.call('fd_read', fd, ...r.vectors([DATA, 1]), RESULT), BADF);
});

test('rights that were not asked for are not there', () => {
  const r = rig({ preopens: { '/': house().inside }, writable: true });
  r.open('a', 1n << 1n);
  assert.is(r.call('fd_pread', r.word(), ...r.vectors([DATA, 1]), 0n, RESULT), NOTCAPABLE);
  r.open('a');
  assert.is(r.write(r.word(), 'x'), NOTCAPABLE);
  assert.is(r.call('fd_read', ROOT, ...r.vectors([DATA, 1]), RESULT), ISDIR);
  assert.is(r.open('a', READ, DIRECTORY), NOTDIR);
  assert.is(r.open('deep', WRITE), ISDIR);
});

test('addresses outside the memory are a fault, not a crash', () => {
  const r = rig({ preopens: { '/': house().inside }, stdout: () => {} });
  for (const p of [65530, 0x7fffffff, -16, -1]) {
    assert.is(r.call('fd_write', 1, p, 1, RESULT), FAULT);
    assert.is(r.call('fd_write', 1, ...r.vectors([p >>> 0, 16]), RESULT), FAULT);
    assert.is(r.call('path_open', ROOT, 1, p, 16, 0, READ, 0n, 0, RESULT), FAULT);
    assert.is(r.call('random_get', p, 16), FAULT);
  }
  assert.is(r.call('fd_write', 1, 0, -1, RESULT), FAULT);
});

test('nothing outside the folder is reached', () => {
  const { inside, outside } = house();
  symlinkSync('../secret', join(inside, 'up'));
  symlinkSync(join(outside, 'secret'), join(inside, 'absolute'));
  symlinkSync('..', join(inside, 'parent'));
  symlinkSync('deep/../../secret', join(inside, 'winding'));
  symlinkSync('up', join(inside, 'chain'));
  symlinkSync('round', join(inside, 'round'));
  symlinkSync('/', join(inside, 'deep', 'root'));
  for (const writable of [false, true]) {
    const r = rig({ preopens: { '/': inside }, writable });
    const outs = ['..', '../secret', '/etc/passwd', 'deep/../../secret', './/../secret', 'deep/er/../../../secret'];
    const links = ['up', 'absolute', 'parent/secret', 'winding', 'chain', 'deep/root/etc', 'parent/', 'deep/root/.'];
    for (const path of [...outs, ...links]) {
      assert.is(r.open(path), NOTCAPABLE, path);
      assert.is(r.call('path_filestat_get', ROOT, 1, ...r.put(path), DATA), NOTCAPABLE, path);
      if (!writable) continue;
      assert.is(r.open(path, WRITE, CREATE | TRUNCATE), NOTCAPABLE, path);
      if (outs.includes(path)) assert.is(r.call('path_unlink_file', ROOT, ...r.put(path)), NOTCAPABLE, path);
      assert.is.not(r.call('path_rename', ROOT, ...r.put('a'), ROOT, ...r.put(`${path}/new`, 2048)), OK, path);
    }
    assert.is(r.open('round'), LOOP);
    assert.is(r.open('up', READ, 0, { follow: 0 }), LOOP);
  }
  assert.is(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
  assert.not.ok(existsSync(join(outside, 'new')));
});

test('links and dots inside the folder work', () => {
  const { inside } = house();
  symlinkSync('../a', join(inside, 'deep', 'link'));
  symlinkSync('deep', join(inside, 'd'));
  const r = rig({ preopens: { '/': inside } });
  for (const path of ['deep/link', 'd/link', 'd/../a', './deep/./../a', 'd/er/../link', 'deep//link']) {
    assert.is(r.open(path), OK, path);
    assert.is(r.read(r.word(), 5), 'hello', path);
  }
  assert.is(r.open('a/'), NOTDIR);
  assert.is(r.open('a/..'), NOTDIR);
  assert.is(r.open('none/../a'), NOENT);
  assert.is(r.open(''), NOENT);
  assert.is(r.open('a\0b'), INVAL);
  assert.is(r.call('path_filestat_get', ROOT, 0, ...r.put('d'), DATA), OK);
  assert.is(r.bytes[DATA + 16], 7);
});

test('an opened folder is a root of its own', () => {
  const r = rig({ preopens: { '/': house().inside } });
  assert.is(r.open('deep', READ, DIRECTORY), OK);
  const fd = r.word();
  assert.is(r.open('b', READ, 0, { fd }), OK);
  assert.is(r.read(r.word(), 9), 'deep');
  assert.is(r.open('../a', READ, 0, { fd }), NOTCAPABLE);
  assert.is(r.call('fd_prestat_get', fd, RESULT), BADF);
});

test('a link put in the place of an opened folder leads nowhere', () => {
  const { inside } = house();
  symlinkSync('..', join(inside, 'out'));
  const r = rig({ preopens: { '/': inside }, writable: true });
  r.open('deep');
  const fd = r.word();
  assert.is(r.call('path_rename', ROOT, ...r.put('deep'), ROOT, ...r.put('moved', 2048)), OK);
  assert.is(r.call('path_rename', ROOT, ...r.put('out'), ROOT, ...r.put('deep', 2048)), OK);
  assert.is(r.open('secret', READ, 0, { fd }), NOENT);
  assert.is(r.open('deep/secret'), NOTCAPABLE);
});

test('the folder itself is not moved', () => {
  const { inside, outside } = house();
  mkdirSync(join(outside, 'other'));
  const r = rig({ preopens: { '/': inside, '/other': join(outside, 'other') }, writable: true });
  assert.is(r.call('path_rename', ROOT, ...r.put('.'), 4, ...r.put('x', 2048)), BUSY);
  assert.is(r.call('path_rename', ROOT, ...r.put('deep'), 4, ...r.put('.', 2048)), BUSY);
  assert.is(r.call('path_unlink_file', ROOT, ...r.put('.')), ISDIR);
});

test('files are written, synced, renamed and removed', () => {
  const { inside } = house();
  const r = rig({ preopens: { '/': inside }, writable: true });
  assert.is(r.open('new.tmp', WRITE, CREATE | EXCLUSIVE), OK);
  const fd = r.word();
  assert.is(r.write(fd, 'one'), OK);
  assert.is(r.write(fd, 'two'), OK);
  assert.is(r.call('fd_seek', fd, 0n, 0, RESULT), OK);
  assert.is(r.read(fd, 99), 'onetwo');
  assert.is(r.call('fd_sync', fd), OK);
  assert.is(r.call('fd_close', fd), OK);
  assert.is(r.open('new.tmp', WRITE, CREATE | EXCLUSIVE), EXIST);
  assert.is(r.call('path_rename', ROOT, ...r.put('new.tmp'), ROOT, ...r.put('a', 2048)), OK);
  assert.is(readFileSync(join(inside, 'a'), 'utf8'), 'onetwo');
  assert.is(r.open('a', WRITE, 0, { fdflags: 1 }), OK);
  assert.is(r.write(r.word(), '!'), OK);
  assert.is(readFileSync(join(inside, 'a'), 'utf8'), 'onetwo!');
  assert.is(r.open('a', WRITE, CREATE | TRUNCATE), OK);
  assert.is(readFileSync(join(inside, 'a'), 'utf8'), '');
  assert.is(r.call('path_unlink_file', ROOT, ...r.put('a')), OK);
  assert.is(r.call('path_unlink_file', ROOT, ...r.put('a')), NOENT);
  assert.not.ok(existsSync(join(inside, 'a')));
  assert.is(r.open('none/a', WRITE, CREATE), NOENT);
  assert.is(r.open('new/', WRITE, CREATE), NOENT);
});

test('a link is removed, not what it leads to', () => {
  const { inside, outside } = house();
  symlinkSync('../secret', join(inside, 'up'));
  const r = rig({ preopens: { '/': inside }, writable: true });
  assert.is(r.call('path_unlink_file', ROOT, ...r.put('up')), OK);
  assert.ok(existsSync(join(outside, 'secret')));
});

test('without leave to write nothing changes', () => {
  const { inside } = house();
  const r = rig({ preopens: { '/': inside } });
  assert.is(r.open('a', WRITE), ROFS);
  assert.is(r.open('a', READ, TRUNCATE), ROFS);
  assert.is(r.open('new', READ, CREATE), ROFS);
  assert.is(r.call('path_unlink_file', ROOT, ...r.put('a')), ROFS);
  assert.is(r.call('path_rename', ROOT, ...r.put('a'), ROOT, ...r.put('b', 2048)), ROFS);
  assert.is(readFileSync(join(inside, 'a'), 'utf8'), 'hello world');
  assert.not.ok(existsSync(join(inside, 'new')));
});

test.run();
