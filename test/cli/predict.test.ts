/** `s2a predict` on folders, patterns and streams, as a person or a camera's pipe uses it. */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFolder } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';
import { CLI, COLOURS, colourPng, does, feed, pictureFolder, refuses, SHORT, s2a, VIT } from './command.ts';

const photos = pictureFolder();
const adapter = join(newFolder(), 'adapter');
does('train', VIT, photos, '--out', adapter, ...SHORT);

interface Line {
  file: string;
  frame?: number;
  known?: boolean;
  sure?: boolean;
  classes: { label: string; probability: number }[];
}
const lines = (stdout: string): Line[] =>
  stdout
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
const predict = (...args: string[]): Line[] => lines(does('predict', VIT, adapter, ...args, '--json').stdout);

/** JPEGs, and the pictures' raw pixels of one size. */
const jpegs = ['grey.jpg', 'cmyk.jpg'].map((name) => readFileSync(join('test/golden/pictures', name)));
const pngs = COLOURS.map((_, label) => colourPng(label, 1));
const raw = Buffer.concat(pngs.map((png) => Buffer.from(decode(png).data as Uint8Array)));

test('folders and patterns, below a folder by name', () => {
  const folder = newFolder();
  mkdirSync(join(folder, 'deep/er'), { recursive: true });
  for (const name of ['b.png', 'a.png', 'deep/c.png', 'deep/er/d.png']) writeFileSync(join(folder, name), colourPng(0, 1));
  writeFileSync(join(folder, 'notes.txt'), 'no picture');
  const named = (found: Line[]): string[] => found.map(({ file }) => file.slice(folder.length + 1));
  assert.equal(named(predict(folder)), ['a.png', 'b.png', 'deep/c.png', 'deep/er/d.png']);
  assert.equal(named(predict(join(folder, '*.png'), join(folder, 'deep/**/d.*'))), ['a.png', 'b.png', 'deep/er/d.png']);
  // Without an adapter the model's own head is asked.
  assert.is(does('predict', VIT, folder).stdout.split('\n').length, 5);
  refuses(2, ['predict', VIT, adapter, join(folder, '*.gif')], 'no file has such a name');
  refuses(2, ['predict', VIT, adapter, newFolder()], 'no picture lies in it');
});

test('a stream of JPEGs: the answers of the files, whatever stands between; a broken one is a line', () => {
  const folder = newFolder();
  const files = jpegs.map((jpeg, i) => {
    writeFileSync(join(folder, `${i}.jpg`), jpeg);
    return join(folder, `${i}.jpg`);
  });
  const apart = predict(...files);
  const broken = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2]), Buffer.from([0xff, 0xd9])]);
  const stream = Buffer.concat([Buffer.from('--boundary\r\n\r\n'), jpegs[0]!, broken, jpegs[1]!]);
  const ran = feed(stream, 'predict', VIT, adapter, '-', '--json');
  assert.is(ran.code, 0, ran.stderr);
  const found = lines(ran.stdout);
  assert.equal(
    found.map(({ file, frame }) => [file, frame]),
    [
      ['-', 1],
      ['-', 3],
    ],
  );
  assert.equal(
    found.map(({ classes }) => classes),
    apart.map(({ classes }) => classes),
  );
  assert.match(ran.stderr, /^skipped frame 2: \S/m);
  assert.match(ran.stderr, /1 frame of 3 could not be used/);
});

test('raw frames: those of the pictures; what is left at the end is said', () => {
  const folder = newFolder();
  pngs.forEach((png, i) => void writeFileSync(join(folder, `${i}.png`), png));
  const apart = predict(folder);
  const ran = feed(Buffer.concat([raw, Buffer.from([1, 2])]), 'predict', VIT, adapter, '-', '--raw', '40x30', '--json');
  assert.is(ran.code, 0, ran.stderr);
  assert.equal(
    lines(ran.stdout).map(({ classes }) => classes),
    apart.map(({ classes }) => classes),
  );
  assert.match(ran.stderr, /skipped frame 4: 2 bytes at the end, not the 3600 of a frame/);
  // A grey frame is the coloured one whose channels are alike; with alpha the same as without.
  const grey = new Uint8Array(40 * 30).fill(90);
  const [one] = lines(feed(grey, 'predict', VIT, adapter, '-', '--raw', '40x30:gray', '--json').stdout);
  const [three] = lines(feed(new Uint8Array(3600).fill(90), 'predict', VIT, adapter, '-', '--raw', '40x30', '--json').stdout);
  const [four] = lines(feed(new Uint8Array(4800).fill(90), 'predict', VIT, adapter, '-', '--raw', '40X30:rgba', '--json').stdout);
  assert.equal([one, four], [three, three]);
});

test('smoothing is the mean of the last answers', () => {
  const files = [0, 1, 2].map((i) => join(photos, COLOURS[i]!, '0.png'));
  const sum = new Map<string, number>();
  for (const { classes } of predict(...files, '--top', '3'))
    for (const { label, probability } of classes) sum.set(label, (sum.get(label) ?? 0) + probability);
  const last = predict(...files, '--top', '3', '--smooth', '5').at(-1)!;
  for (const { label, probability } of last.classes) assert.ok(Math.abs(probability - sum.get(label)! / 3) < 1e-9);
});

test('a class less probable than the threshold is not named', () => {
  const file = join(photos, 'red/0.png');
  const [
    {
      classes: [best],
    } = { classes: [] },
  ] = predict(file);
  const below = String(best!.probability - 0.01);
  assert.is(predict(file, '--threshold', below)[0]!.sure, true);
  assert.is(predict(file, '--threshold', '0.9999')[0]!.sure, false);
  assert.is(predict(file)[0]!.sure, undefined);
  assert.match(does('predict', VIT, adapter, file, '--threshold', '0.9999').stdout, / {2}unsure\n$/);
  assert.match(does('predict', VIT, adapter, file, '--threshold', '0.9999', '--top', '1').stdout, / {2}unsure {2}\w+ \d/);
  refuses(2, ['predict', VIT, adapter, file, '--threshold', '2'], '--threshold', '0 to 1');
});

test('what cannot be: nothing in the stream, another kind, wrong words', () => {
  const none = (input: Uint8Array, ...args: string[]): string => {
    const ran = feed(input, 'predict', VIT, adapter, ...args);
    assert.is(ran.code, 2, ran.stderr);
    assert.is(ran.stdout, '');
    return ran.stderr;
  };
  assert.match(none(new Uint8Array(0), '-'), /^s2a: standard input: no JPEG is in it; raw frames need --raw/m);
  assert.match(none(pngs[0]!, '-'), /no JPEG is in it/);
  assert.match(none(new Uint8Array(0), '-', '--raw', '40x30'), /standard input: is empty/);
  assert.match(none(Buffer.from([0xff, 0xd8, 0xff, 0xd9]), '-'), /^s2a: standard input: \S/m);
  refuses(2, ['predict', VIT, adapter, '-', join(photos, 'red/0.png')], 'standard input and files at once');
  refuses(2, ['predict', VIT, adapter, join(photos, 'red/0.png'), '--raw', '40x30'], '--raw', 'standard input');
  for (const wrong of ['40', '40x30:yuv', '0x30', '99999x99999'])
    refuses(2, ['predict', VIT, adapter, '-', '--raw', wrong], '--raw', wrong);
  refuses(2, ['predict', VIT, adapter, join(photos, 'red'), '--smooth', '0'], '--smooth');
});

nodeTest('who reads may leave: the stream ends, quietly', () => {
  const folder = newFolder();
  copyFileSync('test/golden/pictures/grey.jpg', join(folder, 'a.jpg'));
  const endless = `while cat ${join(folder, 'a.jpg')}; do :; done 2>&- | ${process.execPath} ${CLI} predict ${VIT} ${adapter} - | head -n 3`;
  const { stdout, stderr, status } = spawnSync('sh', ['-c', endless], { encoding: 'utf8', timeout: 60e3 });
  assert.equal([status, stdout.split('\n').length, stderr.split('\n').length], [0, 4, 2], stderr);
});

nodeTest('an endless stream is answered as it comes, in memory that does not grow', async () => {
  const child = spawn(process.execPath, [CLI, 'predict', VIT, adapter, '-', '--raw', '640x480', '--smooth', '5', '--json'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const resident = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  const frame = new Uint8Array(640 * 480 * 3);
  let [answers, text] = [0, ''];
  const answered = new Map<number, () => void>();
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      text = text.slice(end + 1);
      answered.get(++answers)?.();
    }
  });
  const measured: number[] = [];
  for (let i = 1; i <= 120; i++) {
    const done = new Promise<void>((resolve) => answered.set(i, resolve));
    child.stdin.write(frame.fill(i));
    await done;
    if (process.platform === 'linux' && (i === 40 || i === 120)) measured.push(resident());
  }
  child.stdin.end();
  assert.is(await new Promise((resolve) => child.on('close', resolve)), 0);
  // 80 frames are 70 MiB.
  if (measured.length > 0) assert.ok(measured[1]! < measured[0]! + 32, `${measured.join(' MiB, then ')} MiB`);
});

test('one file that cannot be read is that, several are told of by the exit code', () => {
  const ran = s2a('predict', VIT, adapter, join(photos, 'red'), '/no/such.png');
  assert.is(ran.code, 2);
  assert.is(ran.stdout.split('\n').length, 7);
  assert.match(ran.stderr, /such\.png: cannot be used; all others are answered$/m);
});

test.run();
