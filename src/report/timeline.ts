/**
 * Memory over one step as SVG text: what stays, then what is kept for backward, then what is in passing, node by node; the peak marked, the
 * budget as a line. Each node is a column as wide as the others: the picture shows order, not time.
 */

import { mebibytes } from '../base/bytes.ts';
import { escapeText, ticks } from './chart.ts';
import type { Moment, Stretch, Timeline } from './data.ts';
import { STYLESHEET } from './stylesheet.ts';
import { formatBytes } from './terminal.ts';

const [WIDTH, HEIGHT] = [1040, 430];
const [LEFT, RIGHT, TOP, BOTTOM] = [84, 18, 58, 34];
/** More columns than this are drawn as their maxima: a pixel holds no more. */
const MOST_COLUMNS = 900;

const RESIDENTS = [
  ['frozen', 'frozen weights'],
  ['trainable', 'trainable + optimizer'],
  ['batch', 'batch'],
  ['program', 'program'],
  ['scratch', 'scratch'],
] as const;
const PASSING = [
  ['kept', 'kept for backward'],
  ['temporaries', 'temporaries'],
] as const;

const number = (v: number): string => v.toFixed(1);

/** Neighbours joined, each by the moment at which most is alive: a peak is never lost. `at` is the moment's own index. */
function columns(moments: readonly Moment[]): { from: number; to: number; at: number }[] {
  const size = Math.max(1, Math.ceil(moments.length / MOST_COLUMNS));
  return Array.from({ length: Math.ceil(moments.length / size) }, (_, i) => {
    const [from, to] = [i * size, Math.min(moments.length, (i + 1) * size)];
    let at = from;
    for (let j = from; j < to; j++) if (moments[j]!.live > moments[at]!.live) at = j;
    return { from, to, at };
  });
}

export function timelineChart(t: Timeline): string {
  const floor = RESIDENTS.reduce((sum, [key]) => sum + t.residents[key], 0);
  const highest = Math.max(t.linearBytes, t.budgetBytes ?? 0);
  const n = t.moments.length;
  const x = (i: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * i) / Math.max(1, n);
  const y = (bytes: number): number => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * bytes) / (highest * 1.06);
  const out: string[] = [];

  for (const mebibytes of ticks(0, highest / 2 ** 20, 5)) {
    const at = number(y(mebibytes * 2 ** 20));
    out.push(`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`);
    out.push(`<text x="${LEFT - 8}" y="${number(Number(at) + 4)}" text-anchor="end">${mebibytes} MiB</text>`);
  }
  let base = 0;
  for (const [key, label] of RESIDENTS) {
    const bytes = t.residents[key];
    const height = y(base) - y(base + bytes);
    if (height > 0)
      out.push(
        `<rect x="${LEFT}" y="${number(y(base + bytes))}" width="${WIDTH - LEFT - RIGHT}" height="${number(height)}" fill="var(--${key})"><title>${label}: ${formatBytes(bytes)}</title></rect>`,
      );
    base += bytes;
  }
  const list = columns(t.moments);
  out.push(area(list, x, y, 'kept', (i) => [floor, floor + t.moments[i]!.kept]));
  out.push(area(list, x, y, 'temporaries', (i) => [floor + t.moments[i]!.kept, floor + t.moments[i]!.live]));
  for (const stretch of t.stretches) out.push(...stretchMarks(stretch, x));
  const limit = t.budgetBytes;
  if (limit !== undefined) out.push(rule(y(limit), `budget ${mebibytes(limit)}`, 'limit', limit >= t.linearBytes ? -5 : 14));
  // Where the budget lies just above, the words go below the line.
  const crowded = limit !== undefined && limit >= t.linearBytes && y(t.linearBytes) - y(limit) < 36;
  out.push(rule(y(t.linearBytes), `linear memory ${mebibytes(t.linearBytes)}`, 'rule', crowded ? 14 : -5));
  out.push(...peakMark(t, floor, x, y, crowded ? 22 : -9));
  out.push(...hover(t, list, x));
  out.push(`<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}"/>`);
  out.push(legend());
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(`Memory over one step: ${t.title}`)}">${out.join('')}</svg>`;
}

type Scale = (v: number) => number;

/** A stepped band between the two heights of each column. */
function area(list: ReturnType<typeof columns>, x: Scale, y: Scale, key: string, heights: (i: number) => [number, number]): string {
  let above = '';
  let below = '';
  for (const { from, to, at } of list) {
    const [low, high] = heights(at);
    above += `${above === '' ? 'M' : 'L'}${number(x(from))} ${number(y(high))}H${number(x(to))}`;
    below = `L${number(x(to))} ${number(y(low))}H${number(x(from))}${below}`;
  }
  return `<path fill="var(--${key})" d="${above}${below}Z"/>`;
}

/** Where a stretch begins, and its name under the axis where there is room for it. */
function stretchMarks({ name, first, count }: Stretch, x: Scale): string[] {
  const [from, to] = [x(first), x(first + count)];
  const line = `<line class="stretch" x1="${number(from)}" x2="${number(from)}" y1="${TOP}" y2="${HEIGHT - BOTTOM + 6}"/>`;
  if (to - from < 8 * name.length) return [line];
  return [line, `<text class="name" x="${number((from + to) / 2)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${name}</text>`];
}

function rule(at: number, label: string, kind: 'rule' | 'limit', shift: number): string {
  return (
    `<line class="${kind}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${number(at)}" y2="${number(at)}"/>` +
    `<text class="note" x="${WIDTH - RIGHT - 4}" y="${number(at + shift)}" text-anchor="end">${escapeText(label)}</text>`
  );
}

function peakMark(t: Timeline, floor: number, x: Scale, y: Scale, down: number): string[] {
  const moment = t.moments[t.peak];
  if (moment === undefined) return [];
  const [px, py] = [x(t.peak + 0.5), y(floor + moment.live)];
  // The words stand on the side with more room.
  const [anchor, shift] = px > WIDTH / 2 ? ['end', -10] : ['start', 10];
  return [
    `<circle class="peak" cx="${number(px)}" cy="${number(py)}" r="5"/>`,
    `<text class="note name" x="${number(px + shift)}" y="${number(py + down)}" text-anchor="${anchor}">peak: ${mebibytes(floor + moment.live)} at ${escapeText(moment.node)}</text>`,
  ];
}

/** An unseen column over each moment, so that a pointer held there tells its name and numbers. */
function hover(t: Timeline, list: ReturnType<typeof columns>, x: Scale): string[] {
  return list.map(({ from, to, at }) => {
    const { node, op, live, kept } = t.moments[at]!;
    const text = `${node} (${op}): ${formatBytes(live)} alive, of which ${formatBytes(kept)} kept for backward`;
    return `<rect class="hover" x="${number(x(from))}" y="${TOP}" width="${number(x(to) - x(from))}" height="${HEIGHT - TOP - BOTTOM}"><title>${escapeText(text)}</title></rect>`;
  });
}

function legend(): string {
  let at = LEFT;
  return [...PASSING, ...RESIDENTS]
    .map(([key, label]) => {
      const entry = `<rect x="${at}" y="8" width="12" height="12" rx="3" fill="var(--${key})"/><text x="${at + 18}" y="19">${label}</text>`;
      at += 18 + 7.2 * label.length + 20;
      return entry;
    })
    .join('');
}

/** The chart as a file of its own, colours included: a .svg opens in any browser or viewer. */
export function timelineFile(t: Timeline): string {
  const size = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}"`;
  const style = `<style>${STYLESHEET.replaceAll(/body\{[^}]*\}/g, '')}svg{background:var(--card);font-family:system-ui,sans-serif}</style>`;
  const heading = `<text class="name" x="${LEFT}" y="46" font-weight="600">${escapeText(t.title)}</text>`;
  return timelineChart(t).replace('<svg', size).replace('>', `>${style}${heading}`);
}

/** The chart on a page of its own, with what its words mean. */
export function timelinePage(t: Timeline): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(`Memory over one step: ${t.title}`)}</title>
<style>${STYLESHEET}</style>
</head>
<body><main>
<header><h1>Memory over one step</h1><p>${escapeText(t.title)}</p></header>
<section>${timelineChart(t)}</section>
<section><h2>How to read it</h2>
<p>From left to right: every instruction of a training step in order (forward, then backward, then the update of the parameters), and of an evaluation.
The height is what is alive in linear memory while that instruction runs. The flat bands stay through the whole run; what is kept for backward grows
through forward and shrinks through backward. A pointer held over the chart names the instruction.</p>
<p>The peak decides how much memory the run needs. If the flat bands are most of it, <code>--weights int8</code> helps; if the hill is, a smaller
<code>--micro-batch</code>.</p></section>
</main></body>
</html>
`;
}
