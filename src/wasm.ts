/** The engine's bytes: beside the bundle in dist/, or in the checkout's build/. */
import { existsSync, readFileSync } from 'node:fs';
import { EngineError } from './error.ts';

/** Reads engine.wasm. */
export function engineBytes(): Uint8Array<ArrayBuffer> {
  for (const place of ['./engine.wasm', '../build/engine.wasm', '../engine.wasm', '../../engine.wasm']) {
    const url = new URL(place, import.meta.url);
    if (existsSync(url)) return new Uint8Array(readFileSync(url));
  }
  throw new EngineError({ where: 'engine.wasm', what: 'is missing', hint: 'run npm run build' });
}
