/** What the pages share: the page itself, pictures, files that were skipped. Everything is inside the file; nothing is fetched and no script runs. */

import { escapeText } from './chart.ts';
import type { Prediction } from './data.ts';
import { STYLESHEET } from './stylesheet.ts';

export const FOOTER = '<footer>Made by S2A. This file is complete: it loads nothing and runs nothing.</footer>';

/** A whole page with these sections. */
export function page(title: string, body: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${STYLESHEET}</style>
</head>
<body><main>
${body.filter(Boolean).join('\n')}
</main></body>
</html>
`;
}

export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** Wilson's 95 % interval of a share seen in n trials: it stays within 0 … 1 and is right for few trials too. */
export function wilson(share: number, n: number): [low: number, high: number] {
  const z2 = 1.959964 ** 2;
  const middle = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Math.sqrt(z2) / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** A picture, what it is, and what the model says; `mark` in the place of right and wrong. */
export function figure({ png, truth, predicted, confidence, isRight, file }: Prediction, mark?: string): string {
  const right = isRight ?? truth === predicted;
  const sure = confidence === undefined ? '' : ` ${Math.round(100 * confidence)}&nbsp;%`;
  const verdict = `${mark ?? (right ? '&check; ' : '&cross; ')}${escapeText(predicted)}${sure}`;
  return `<figure class="${right ? 'right' : 'wrong'}"><img src="data:image/png;base64,${base64(png)}" alt="${escapeText(truth)}" loading="lazy"${
    file ? ` title="${escapeText(file)}"` : ''
  }><figcaption><span>${escapeText(truth)}</span><span>${verdict}</span></figcaption></figure>`;
}

/** In pieces, since an argument list has a limit. */
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

export function skippedSection(skipped: readonly { file: string; reason: string }[]): string {
  if (skipped.length === 0) return '';
  const rows = skipped.map(({ file, reason }) => `<tr><td><code>${escapeText(file)}</code></td><td>${escapeText(reason)}</td></tr>`);
  return `<section><h2>Skipped pictures</h2><p class="quiet">${skipped.length} could not be used and took no part.</p>
<div class="scroll"><table><tbody>${rows.join('\n')}</tbody></table></div></section>`;
}
