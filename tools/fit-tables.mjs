// Fits the shipped derivative codebooks and writes src/tables.ts. Run by hand when the fitter or the record changes:
//     node tools/fit-tables.mjs && npx biome check --write src/tables.ts
import { writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const entry = `export { derivatives, fitTable } from './src/codebook.ts'; export { Kind } from './assembly/abi/ops/elementwise.ts';`;
const { outputFiles } = await build({
  stdin: { contents: entry, resolveDir: '.', loader: 'ts' },
  bundle: true,
  format: 'esm',
  write: false,
});
const { derivatives, fitTable, Kind } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
);

const names = ['Sigmoid', 'Tanh', 'HardSwish', 'Silu', 'Gelu', 'GeluTanh'];
const entries = names.map((name) => {
  const { levels, cells, scale, shift, flip } = fitTable(derivatives[Kind[name]]);
  return `  [Kind.${name}]: {
    levels: [${levels.join(', ')}],
    // biome-ignore format: one cell after the other
    cells: [${cells.join(', ')}],
    scale: ${scale},
    shift: ${shift},
    flip: ${flip},
  },`;
});
writeFileSync(
  'src/tables.ts',
  `/** The shipped derivative codebooks, fitted under \`weight\` of codebook.ts. Written by tools/fit-tables.mjs; do not edit. */
import { Kind } from '../assembly/abi/ops/elementwise.ts';
import type { Table } from './codebook.ts';

export const tables: Partial<Record<Kind, Table>> = {
${entries.join('\n')}
};
`,
);
