/** The engine's bytes: beside the bundle in dist/, or in the checkout's build/. */
import { readFileSync } from 'node:fs';
import { EngineError } from './error.ts';
import { firstFile } from './files.ts';

/** Reads engine.wasm, or the build for several threads. */
export function engineBytes(threads = 1): Uint8Array<ArrayBuffer> {
  const name = threads > 1 ? 'engine.mt.wasm' : 'engine.wasm';
  const url = firstFile([`./${name}`, `../build/${name}`, `../${name}`, `../../${name}`], import.meta.url);
  if (url) return new Uint8Array(readFileSync(url));
  throw new EngineError({ where: name, what: 'is missing', hint: 'run npm run build' });
}
