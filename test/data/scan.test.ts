import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scanFolder } from '../../src/data/scan.ts';
import { newFolder, refused } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

function make(...paths: string[]): string {
  const root = newFolder();
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (path.endsWith('/')) mkdirSync(join(root, path), { recursive: true });
    else writeFileSync(join(root, path), 'x');
  }
  return root;
}

test('root/class: sorted by bytes, any case of the ending, hidden files ignored', () => {
  const root = make('b/2.PNG', 'b/10.jpg', 'b/.hidden.jpg', 'a/é.JPEG', 'a/z.jpg', 'Z/1.Jpg', '.git/1.jpg', 'README.md', 'b/Thumbs.db');
  const folder = scanFolder(root);
  assert.equal(folder.classes, ['Z', 'a', 'b']);
  assert.equal(
    folder.train.map((s) => [s.path, s.label]),
    [
      ['Z/1.Jpg', 0],
      ['a/z.jpg', 1],
      ['a/é.JPEG', 1],
      ['b/10.jpg', 2],
      ['b/2.PNG', 2],
    ],
  );
  assert.equal([folder.val, folder.test, folder.skipped], [null, null, []]);
  assert.is(folder.train[0]!.bytes, 1);
});

test('root/{train,val,test}/class', () => {
  const folder = scanFolder(make('train/a/1.jpg', 'train/b/1.jpg', 'val/a/2.jpg', 'test/b/3.jpg'));
  assert.equal(folder.classes, ['a', 'b']);
  assert.equal(
    [folder.train, folder.val!, folder.test!].map((part) => part.map((s) => `${s.path}=${s.label}`)),
    [['train/a/1.jpg=0', 'train/b/1.jpg=1'], ['val/a/2.jpg=0'], ['test/b/3.jpg=1']],
  );
});

test('a class may be named train where other classes stand beside it', () => {
  assert.equal(scanFolder(make('train/1.jpg', 'bus/1.jpg')).classes, ['bus', 'train']);
  assert.equal(scanFolder(make('train/1.jpg', 'val/1.jpg')).classes, ['train', 'val']);
});

test('links count as what they lead to; what is not used is named', () => {
  const root = make('a/1.jpg', 'a/2.heic', 'a/notes.txt', 'a/inner/3.jpg', 'c/1.jpg');
  symlinkSync(join(root, 'a'), join(root, 'b'));
  symlinkSync(join(root, 'nowhere.jpg'), join(root, 'c', 'broken.jpg'));
  symlinkSync(join(root, 'a', '1.jpg'), join(root, 'c', 'link.jpg'));
  const folder = scanFolder(root);
  assert.equal(
    folder.train.map((s) => s.path),
    ['a/1.jpg', 'b/1.jpg', 'c/1.jpg', 'c/link.jpg'],
  );
  const reasons = Object.fromEntries(folder.skipped.map((s) => [s.path, s.reason]));
  assert.match(reasons['a/2.heic']!, /HEIC/);
  assert.match(reasons['a/notes.txt']!, /not .jpg/);
  assert.match(reasons['a/inner']!, /folder inside/);
  assert.match(reasons['c/broken.jpg']!, /broken link/);
});

const parts = (root: string) => {
  const { classes, train, val, test, notes } = scanFolder(root);
  return [classes.join(), ...[train, val, test].map((part) => part?.map(({ path }) => path).join() ?? null), notes.length];
};

test('parts by every name that people give them, in any case', () => {
  for (const val of ['val', 'valid', 'validation', 'dev', 'VAL', 'Validation'])
    for (const train of ['train', 'Train', 'TRAINING']) {
      const found = parts(make(`${train}/a/1.jpg`, `${train}/b/1.jpg`, `${val}/a/2.jpg`, 'Test/b/3.jpg'));
      assert.equal(found, ['a,b', `${train}/a/1.jpg,${train}/b/1.jpg`, `${val}/a/2.jpg`, 'Test/b/3.jpg', 0]);
    }
  const root = make('train/a/1.jpg', 'train/b/1.jpg', 'val/a/2.jpg', 'valid/b/2.jpg');
  refused(() => scanFolder(root), 'two folders for val, got val and valid');
});

test('a third folder beside train is named and passed over', () => {
  const root = make('train/a/1.jpg', 'train/b/1.jpg', 'runs/x/1.jpg', 'val/a/2.jpg', 'loose.jpg');
  const { classes, notes } = scanFolder(root);
  assert.equal(classes, ['a', 'b']);
  assert.match(notes[0]!, /passed over, since train stands beside it: runs$/);
  assert.match(notes[1]!, /a picture beside the class folders is not used: loose.jpg/);
});

test("the system's folders are no classes", () => {
  const system = ['lost+found', 'System Volume Information', '$RECYCLE.BIN', '__MACOSX', '@eaDir', '.Trashes', 'FOUND.000', 'LOST.DIR'];
  const root = make('a/1.jpg', 'b/1.jpg', ...system.flatMap((name) => [`${name}/a/._1.jpg`, `a/${name}/1.jpg`]));
  assert.equal(parts(root), ['a,b', 'a/1.jpg,b/1.jpg', null, null, 0]);
  assert.equal(scanFolder(root).skipped, []);
});

test('a class that cannot be read is never dropped', () => {
  const root = make('a/1.jpg', 'b/1.jpg');
  symlinkSync(join(root, 'unmounted'), join(root, 'c'));
  refused(() => scanFolder(root), '/c: a class that cannot be read: a broken link');
  const other = make('a/1.jpg', 'b/1.jpg');
  symlinkSync(join(other, 'gone.jpg'), join(other, 'loose.jpg'));
  assert.match(scanFolder(other).notes[0]!, /loose.jpg: passed over, a broken link/);
});

nodeTest('a class whose name is not UTF-8, or that may not be read, is named', () => {
  const root = make('a/1.jpg', 'b/1.jpg');
  mkdirSync(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(0xe9, 27)]));
  refused(() => scanFolder(root), '/caf\\xe9\\x1b: a class that cannot be read: its name is not UTF-8');
  const inner = make('a/1.jpg', 'b/1.jpg');
  writeFileSync(Buffer.concat([Buffer.from(`${inner}/a/caf`), Buffer.of(0xe9)]), 'x');
  assert.equal(scanFolder(inner).skipped, [{ path: 'a/caf\\xe9', reason: 'its name is not UTF-8; give it another' }]);
  // Root may read everything.
  if (process.getuid?.() === 0) return;
  const closed = make('a/1.jpg', 'b/1.jpg');
  chmodSync(join(closed, 'b'), 0);
  refused(() => scanFolder(closed), '/b: cannot be read: permission denied');
  chmodSync(join(closed, 'b'), 0o700);
});

test('links that lead round in a circle cost a line', () => {
  const root = make('a/1.jpg', 'b/1.jpg');
  symlinkSync('y.jpg', join(root, 'a/x.jpg'));
  symlinkSync('x.jpg', join(root, 'a/y.jpg'));
  symlinkSync('round', join(root, 'round'));
  symlinkSync('.', join(root, 'here'));
  const { classes, skipped, notes } = scanFolder(root);
  assert.equal(classes, ['a', 'b']);
  assert.equal(
    skipped.map(({ path, reason }) => `${path}: ${reason}`),
    ['a/x.jpg: a link that leads back to itself', 'a/y.jpg: a link that leads back to itself'],
  );
  assert.match(notes.join('\n'), /round: passed over, a link that leads back to itself/);
  assert.match(notes.join('\n'), /here: passed over, a link that leads back to the folder itself/);
});

test('names are compared however their accents are composed', () => {
  const [nfc, nfd] = ['caf\u00e9', 'cafe\u0301'];
  const folder = scanFolder(make(`train/${nfd}/1.jpg`, 'train/b/1.jpg', `val/${nfc}/1.jpg`));
  assert.equal(folder.classes, ['b', nfc]);
  assert.equal([folder.train[1]!.path, folder.val![0]!.label], [`train/${nfd}/1.jpg`, 1]);
  const both = make(`${nfc}/1.jpg`, 'b/1.jpg');
  mkdirSync(join(both, nfd));
  // Some file systems take both for one name.
  if (readdirSync(both).length === 3) refused(() => scanFolder(both), 'written in two ways, got cafe\\u0301 and caf\\u00e9');
});

test('loose pictures, one folder too deep, and what s2a wrote there itself', () => {
  const loose = scanFolder(make('a/1.jpg', 'b/1.jpg', ...Array.from({ length: 20 }, (_, i) => `loose${i}.png`)));
  assert.match(loose.notes[0]!, /: 20 pictures beside the class folders are not used: loose0.png, loose1.png, loose10.png, and 17 more/);
  const deep = make('photos/a/1.jpg', 'photos/b/1.jpg');
  refused(() => scanFolder(deep), 'only one class, got photos', `then give ${deep}/photos`);
  refused(
    () => scanFolder(make('x/a/1.jpg', 'x/b/1.jpg', 'y/a/1.jpg')),
    '/x: no pictures in this class folder',
    'one folder deeper, in a, b',
  );
  const own = make('a/1.jpg', 'b/1.jpg', 'out/adapter_model.safetensors', 'out/run/x.pictures', '0123.pictures', 'cache/01.pictures');
  const { classes, notes } = scanFolder(own);
  assert.equal(classes, ['a', 'b']);
  assert.match(notes.join('\n'), /cache: passed over, a cache of prepared pictures of s2a and no class/);
  assert.match(notes.join('\n'), /out: passed over, an adapter of s2a and no class/);
  assert.match(notes.join('\n'), /0123.pictures: passed over, a cache of prepared pictures/);
});

test('a class of one kind that is not read: which, and what converts it', () => {
  const heic = make('a/1.jpg', 'it is/1.HEIC', 'it is/2.heic');
  refused(() => scanFolder(heic), 'holds 2 HEIC pictures, which are not read', `magick mogrify -format jpg '${heic}/it is'/*.heic`);
  const gif = make('a/1.jpg', 'b/1.gif');
  refused(() => scanFolder(gif), 'holds 1 GIF picture, which is not read', `magick mogrify -format png ${gif}/b/*.gif`);
  refused(() => scanFolder(make('a/1.jpg', 'b/1.mov', 'b/2.MP4')), 'holds 2 videos and no picture', 'ffmpeg');
  refused(() => scanFolder(make('a/1.jpg', 'b/1.heic', 'b/2.gif')), 'no pictures in this class folder');
});

test('folders that cannot train', () => {
  refused(() => scanFolder('/no/such/folder'), '/no/such/folder: no such folder');
  refused(() => scanFolder('package.json'), 'not a folder');
  refused(() => scanFolder(make()), 'no class folders');
  refused(() => scanFolder(make('1.jpg', '2.jpg')), 'no class folders', 'root/class');
  refused(() => scanFolder(make('cats/1.jpg')), 'only one class, got cats');
  refused(() => scanFolder(make('val/a/1.jpg')), 'has no train folder', 'got val');
  refused(() => scanFolder(make('a/', 'b/')), 'no pictures');
  refused(() => scanFolder(make('a/1.jpg', 'b/')), '/b: no pictures in this class folder');
  refused(() => scanFolder(make('train/a/1.jpg', 'train/b/1.jpg', 'val/c/1.jpg')), 'val/c', 'train folder lacks');
});

test.run();
