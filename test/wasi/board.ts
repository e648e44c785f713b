/** A packed folder and the WASI program on it, run by the small host. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PackJob, packJob } from '../../src/use/pack.ts';
import { runWasi } from '../../targets/wasi/host.ts';
import { newFolder } from '../support/folder.ts';

export interface Ran {
  code: number;
  out: string;
  err: string;
}

export interface Board {
  folder: string;
  /** Its memory limited to what was planned. */
  wasm: Uint8Array<ArrayBuffer>;
  job: PackJob;
  /** Runs `s2a.wasm <command> program.s2a --model … `, with `words` after them; folders are /board, /model and /out. */
  run(
    command: string,
    words: readonly string[],
    more?: { out?: string; stdin?: Uint8Array; wasm?: Uint8Array<ArrayBuffer>; writable?: boolean },
  ): Ran;
  /** Trains into `out`. */
  train(out: string, ...words: string[]): Ran;
}

export async function pack(job: Omit<PackJob, 'out'>): Promise<Board> {
  const folder = newFolder();
  const whole = { ...job, out: folder };
  await packJob(whole);
  const own = new Uint8Array(readFileSync(join(folder, 's2a.wasm')));
  const board: Board = {
    folder,
    wasm: own,
    job: whole,
    run(command, words, { out, stdin, wasm = own, writable = true } = {}) {
      const parts: Record<'out' | 'err', Uint8Array[]> = { out: [], err: [] };
      const args = ['s2a.wasm', command, '/board/program.s2a', '--model', '/model', ...words];
      const preopens = { '/board': folder, '/model': job.model, ...(out === undefined ? {} : { '/out': out }) };
      const code = runWasi(wasm, {
        ...{ args, preopens, writable },
        ...(stdin ? { stdin } : {}),
        stdout: (bytes) => void parts.out.push(bytes),
        stderr: (bytes) => void parts.err.push(bytes),
      });
      const text = (list: Uint8Array[]): string => new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(list));
      return { code, out: text(parts.out), err: text(parts.err) };
    },
    train: (out, ...words) => board.run('train', ['--data', '/board', '--out', '/out', ...words], { out }),
  };
  return board;
}

/** SHA-256 of both files of an adapter. */
export function adapterDigest(folder: string): string {
  const hash = createHash('sha256');
  for (const name of ['adapter_model.safetensors', 'adapter_config.json']) hash.update(readFileSync(join(folder, name)));
  return hash.digest('hex');
}
