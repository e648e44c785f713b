/** Fidelity as a table for people: rows that the terminal and the page share, and the page's section. */

import { counted } from '../base/counted.ts';
import type { Agreement, BlockFidelity, Fidelity } from '../use/fidelity/measure.ts';
import { escapeText } from './chart.ts';

export const blockName = (block: number, { blocksCount }: Pick<Fidelity, 'blocksCount'>): string =>
  block < 0 ? 'before the blocks' : block >= blocksCount ? 'after the blocks' : `block ${block}`;

const cosine = (a: Agreement): string => a.cosine.toFixed(5);
const percent = (a: Agreement): string => `${(100 * a.error).toFixed(2)} %`;
const bits = ({ bits: n, exactBytes }: { bits: number; exactBytes: number }): string => (exactBytes > 0 ? n.toFixed(1) : '-');

/** [name, tensors, cosine, relative error, bits]; a module's name stands two spaces in and has no bits of its own. */
export function fidelityRows(f: Fidelity): string[][] {
  const row = (name: string, a: BlockFidelity | Fidelity['whole']): string[] => [name, String(a.tensors), cosine(a), percent(a), bits(a)];
  return [
    row('whole', f.whole),
    ...f.blocks.flatMap((b) => [
      row(blockName(b.block, f), b),
      ...b.modules.map((m) => [`  ${m.module}`, String(m.tensors), cosine(m), percent(m), '']),
    ]),
  ];
}

export const FIDELITY_COLUMNS = ['gradient of', 'tensors', 'cosine', 'error', 'bits kept'];

/** One or two sentences that say what the numbers are. */
export const fidelityText = ({ keep, method, pictures, steps, least, zero, ...f }: Fidelity): string =>
  `Gradients under ${keep} against f32, method ${method}: ${counted(pictures, 'picture')}${steps > 0 ? `, after ${counted(steps, 'step')}` : ''}, the head left out. ` +
  `Least alike: ${least.module} of ${blockName(least.block, f)}, cosine ${least.cosine.toFixed(5)}.` +
  (zero.length > 0 ? ` ${counted(zero.length, 'tensor')} of zero gradient not counted.` : '');

export function fidelitySection(f: Fidelity): string {
  const [head, ...rows] = [FIDELITY_COLUMNS, ...fidelityRows(f)].map((cells) => cells.map(escapeText));
  const line = (cells: string[], i: number): string => {
    const inner = cells[0]!.startsWith('  ');
    const name = inner ? `<th class="quiet">&emsp;${cells[0]!.trim()}</th>` : `<th>${cells[0]}</th>`;
    return `<tr${i === 0 ? ' class="total"' : inner ? ' class="quiet"' : ''}>${name}${cells
      .slice(1)
      .map((c) => `<td>${c}</td>`)
      .join('')}</tr>`;
  };
  return `<section><h2>Fidelity of the gradients</h2>
<p class="quiet">${escapeText(fidelityText(f))}</p>
<div class="scroll"><table class="number"><thead><tr>${head!.map((c) => `<th>${c}</th>`).join('')}</tr></thead>
<tbody>${rows.map(line).join('\n')}</tbody></table></div></section>`;
}
