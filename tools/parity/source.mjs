// The product's own modules, bundled from source for the programs here; build/engine.wasm must be there (npm run build).
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** `exports`: lines of `export { … } from './src/…'`. Returns the module. */
export async function source(name, exports) {
  const outfile = resolve('build', 'tools', `${name}.js`);
  mkdirSync('build/tools', { recursive: true });
  await build({
    stdin: { contents: exports, resolveDir: '.', loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    outfile,
    // Modules find the engine beside themselves.
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(resolve('build', 'tools.js')).href) },
  });
  return import(`${pathToFileURL(outfile).href}?${Date.now()}`);
}
