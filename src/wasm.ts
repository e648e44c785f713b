/** The engine's bytes: beside the bundle in dist/, or in the checkout's build/. */
import { readFileSync } from 'node:fs';
import { EngineError } from './error.ts';
import { firstFile } from './files.ts';

/** Reads engine.wasm. */
export function engineBytes(): Uint8Array<ArrayBuffer> {
  const url = firstFile(['./engine.wasm', '../build/engine.wasm', '../engine.wasm', '../../engine.wasm'], import.meta.url);
  if (url) return new Uint8Array(readFileSync(url));
  throw new EngineError({ where: 'engine.wasm', what: 'is missing', hint: 'run npm run build' });
}
