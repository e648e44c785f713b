// Types of what is built: dist/index.js, which tools and benchmarks import as anyone would, and the bundles that tools make for themselves.
// Each gets a declaration beside it that names its source, so the type checker reads sources and never bundles. Those of dist/ are not for npm:
// `build.mjs --types` writes real ones.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';

/** Sources of each built file. */
const BUILT = {
  'dist/index': ['src/index.ts'],
  'build/wasi-host': ['targets/wasi/host.ts'],
  'build/fuzz-files': ['test/wasi/fuzz.ts'],
  'build/fuzz-programs': ['test/wasi/forge.ts'],
  'build/fuzz-instructions': ['test/support/stray.ts'],
  'build/fuzz-tables': ['test/support/csvfuzz.ts'],
  'build/fuzz-pictures': ['test/support/picturefuzz.ts'],
  'build/fuzz-caches': ['test/support/cachefuzz.ts'],
  'build/fuzz-graphs': ['test/support/onnxfuzz.ts'],
  'build/fuzz-pickles': ['test/support/torchfuzz.ts'],
  'build/fuzz-targets': ['test/support/targetfuzz.ts'],
  'build/bench/elementwise': [
    'test/support/rig.ts',
    'test/support/close.ts',
    'src/passes/codebooktables.ts',
    'src/passes/codebook.ts',
    'assembly/abi/keep.ts',
    'assembly/abi/ops.ts',
    'assembly/generated/kinds.ts',
  ],
};

/** Writes the declarations. */
export function writeBuiltTypes() {
  for (const [built, sources] of Object.entries(BUILT)) {
    mkdirSync(dirname(built), { recursive: true });
    writeFileSync(`${built}.d.ts`, sources.map((source) => `export * from '${relative(dirname(built), source)}';\n`).join(''));
  }
}
