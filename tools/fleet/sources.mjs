// A node's own code, bundled from its sources: what tools run many of, or without a network, is what a board runs.
import { mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { build } from 'esbuild';

const ENTRY = {
  './src/fleet/board.ts': 'openBoard, mostBytes',
  './src/fleet/work.ts': 'createWork',
  './src/fleet/node.ts': 'runNode',
  './src/fleet/link.ts': 'Link',
  './src/fleet/key.ts': 'openKey',
  './src/fleet/journal.ts': 'Journal',
  './src/fleet/tensors.ts': 'packTensors, unpackTensors, readTensorsOf',
  './src/fleet/message.ts': 'readContent, replyObject',
  './src/fleet/objects.ts': 'parseObject, objectsIn',
  './src/base/error.ts': 'S2aError, Interrupted',
  './src/base/defaults.ts': 'DEFAULTS',
};

/** @type {Promise<any> | undefined} */
let bundle;

/** The bundle, made once for each process: several may run at once. */
export function nodeSources() {
  bundle ??= make();
  return bundle;
}

async function make() {
  const outfile = `build/bench/fleet-${process.pid}.js`;
  const contents = Object.entries(ENTRY)
    .map(([file, names]) => `export { ${names} } from '${file}';`)
    .join('\n');
  mkdirSync('build/bench', { recursive: true });
  await build({
    ...{ stdin: { contents, resolveDir: '.', loader: 'ts' }, outfile },
    ...{ bundle: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
  });
  try {
    return await import(resolve(outfile));
  } finally {
    rmSync(outfile, { force: true });
  }
}
