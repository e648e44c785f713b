// Fits the derivative codebooks of the activations that have none in src/passes/codebooktables.ts, and writes them there; `--all` fits every one anew, which the
// fitter or the record's layout may ask for.
//     node tools/fit-tables.mjs --all
//
// The build calls it for a new function. What it makes is checked in: Math.exp is not the same to the last bit on every runtime.
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const entry = `export { fitTable } from './src/passes/codebook.ts'; export { ACTIVATIONS } from './src/ops/activations.ts'; export { tables } from './src/passes/codebooktables.ts';`;

/** Names of functions without a table that should have one. */
export async function fitTables(all = false) {
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: '.', loader: 'ts' },
    bundle: true,
    format: 'esm',
    write: false,
  });
  const { fitTable, ACTIVATIONS, tables } = await import(
    `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
  );
  const smooth = Object.entries(ACTIVATIONS).filter(([, row]) => !row.isPiecewise);
  const missing = smooth.filter(([, { kind }]) => all || tables[kind] === undefined).map(([name]) => name);
  if (missing.length === 0) return missing;
  const entries = smooth.map(([name, { kind, df }]) => {
    const { levels, cells, scale, shift, flip, origin } = missing.includes(name) ? fitTable(df) : tables[kind];
    return `  [Kind.${name}]: {
    // biome-ignore format: sixteen of them
    levels: [${levels.join(', ')}],
    // biome-ignore format: one cell after the other
    cells: [${cells.join(', ')}],
    scale: ${scale},
    shift: ${shift},
    flip: ${flip},${origin === undefined ? '' : `\n    origin: ${origin},`}
  },`;
  });
  writeFileSync(
    'src/passes/codebooktables.ts',
    `/** The shipped derivative codebooks, fitted under \`weight\` of codebook.ts. Written by tools/fit-tables.mjs; do not edit. */
import { Kind } from '../../assembly/generated/kinds.ts';
import type { Table } from './codebook.ts';

export const tables: Partial<Record<Kind, Table>> = {
${entries.join('\n')}
};
`,
  );
  return missing;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  console.log(`fitted: ${(await fitTables(process.argv.includes('--all'))).join(', ') || 'none was missing'}`);
