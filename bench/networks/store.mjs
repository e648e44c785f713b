// Runs of the networks' experiment: each is done once, in a process of its own, and its answer is kept under the digest of everything that
// could change it: the product's library as built, the network's files, the pictures, the job. What was cut short goes on, and several
// checkouts share what they have.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RUNS } from '../../tools/packages.mjs';
import { openModel } from './models.mjs';
import { deal } from './tasks.mjs';

const PROGRAM = fileURLToPath(new URL('run.mjs', import.meta.url));
const FOLDER = join(RUNS, 'networks');

const digestOf = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 16);
};

/** Every answer that is there, of any build: `[{ run, answer }]`. */
export const allAnswers = () =>
  existsSync(FOLDER)
    ? readdirSync(FOLDER)
        .filter((file) => file.endsWith('.json'))
        .map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')))
    : [];

/** The library and its engine; the command line, the WASI program and the engines that these runs do not use may change. */
const isLibrary = (file) => /\.(js|wasm)$/.test(file) && !/^s2a\.|\.fast\.|\.mt\./.test(file);
export const productDigest = () =>
  digestOf(
    ...readdirSync('dist')
      .filter(isLibrary)
      .sort()
      .map((file) => readFileSync(join('dist', file))),
  );

const once = (make) => {
  const made = new Map();
  return (...key) => {
    const text = JSON.stringify(key);
    if (!made.has(text)) made.set(text, make(...key));
    return made.get(text);
  };
};

/**
 * `{ stored(run), done(run) }` for a run `{ network, task, dev, seed, job }`: its answer if there is one, else undefined; or made by running.
 * `processes` run at a time. `product`: the digest of the build whose answers count; `any`: those of every build, the newest last.
 */
export function openStore({ processes = 1, product = productDigest() } = {}) {
  mkdirSync(FOLDER, { recursive: true });
  const own = productDigest();
  const model = once(openModel);
  const pictures = once(deal);
  const pathOf = (run, build) => {
    const data = pictures(run.task, run.seed, run.dev);
    const key = digestOf(model(run.network).digest, data.digest, JSON.stringify(Object.entries(run.job).sort()));
    return { key, path: join(FOLDER, `${key}-${build}.json`) };
  };
  const read = (path) => ({ ...JSON.parse(readFileSync(path, 'utf8')).answer, file: path });
  const stored = (run) => {
    if (product !== 'any') {
      const { path } = pathOf(run, product);
      return existsSync(path) ? read(path) : undefined;
    }
    const { key, path } = pathOf(run, own);
    if (existsSync(path)) return read(path);
    const other = readdirSync(FOLDER).find((file) => file.startsWith(`${key}-`) && file.endsWith('.json'));
    return other && read(join(FOLDER, other));
  };

  const waiting = [];
  let free = processes;
  const slot = () => (free > 0 ? void free-- : new Promise((resolve) => waiting.push(resolve)));
  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  const make = async (run) => {
    const { key, path } = pathOf(run, own);
    await slot();
    try {
      const out = join(FOLDER, `${key}-${own}.${process.pid}`);
      const { folder } = model(run.network);
      const data = join(RUNS, pictures(run.task, run.seed, run.dev).below);
      const began = Date.now();
      const answer = await ask({ model: folder, pictures: data, cacheFolder: `${data}-cache`, out, job: run.job });
      rmSync(out, { recursive: true, force: true });
      const whole = { ...answer, seconds: (Date.now() - began) / 1000 };
      writeFileSync(`${path}.${process.pid}`, `${JSON.stringify({ run, product: own, answer: whole })}\n`);
      renameSync(`${path}.${process.pid}`, path);
      return { ...whole, file: path };
    } finally {
      release();
    }
  };
  const doing = new Map();
  const done = (run) => {
    const found = stored(run);
    if (found) return found;
    const { path } = pathOf(run, own);
    if (!doing.has(path)) doing.set(path, make(run));
    return doing.get(path);
  };
  return { stored, done };
}

/** A run that ends in an error stops everything that waits for it; what other runs found is kept. */
const ask = (run) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify(run)], { stdio: ['ignore', 'pipe', 'pipe'] });
    const text = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (piece) => {
      text.out += piece;
    });
    child.stderr.setEncoding('utf8').on('data', (piece) => {
      text.err += piece;
    });
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(JSON.parse(text.out));
      else reject(new Error(`${JSON.stringify(run)}: ended with status ${status}\n${text.err}`));
    });
  });
