// Runs of the learning experiment: each is done once, in a process of its own, and its answer kept under the digest of everything that
// could change it, so that an experiment cut short goes on where it stopped.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const RUN = new URL('learning-run.mjs', import.meta.url);

export const digestOf = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 16);
};

/** The product as built: a run belongs to these very bytes. */
const productDigest = () =>
  digestOf(
    ...readdirSync('dist', { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(js|wasm)$/.test(file))
      .sort()
      .map((file) => readFileSync(join('dist', file))),
  );

/** A model folder may be written anew under its old name: its files belong to the run too. */
const folderDigest = (folder) =>
  digestOf(
    ...readdirSync(folder)
      .sort()
      .flatMap((file) => [file, readFileSync(join(folder, file))]),
  );

export class Missing extends Error {}

/**
 * `done(run)`: the answer to `{ model, pictures, job }`, from the folder or by running `program` (null: a run that is not there is
 * Missing); `processes` of them at a time.
 *
 * @param {string} folder
 * @param {number} processes
 * @param {URL | null} [program]
 */
export function openStore(folder, processes, program = RUN) {
  mkdirSync(folder, { recursive: true });
  const product = productDigest();
  const waiting = [];
  let free = processes;
  const slot = () => (free > 0 ? void free-- : new Promise((resolve) => waiting.push(resolve)));
  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  return async (run) => {
    const name = digestOf(product, JSON.stringify(run), folderDigest(run.model));
    const path = join(folder, `${name}.json`);
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')).answer;
    if (program === null) throw new Missing(`${path}: not run`);
    await slot();
    try {
      const answer = await ask(program, { ...run, out: join(folder, `${name}.run`) });
      writeFileSync(`${path}.new`, `${JSON.stringify({ run, answer })}\n`);
      renameSync(`${path}.new`, path);
      return answer;
    } finally {
      release();
    }
  };
}

const ask = (program, run) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(program), JSON.stringify(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece) => {
      text += piece;
    });
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(JSON.parse(text));
      else reject(new Error(`${JSON.stringify(run)}: ended with status ${status}`));
    });
  });
