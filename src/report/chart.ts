/** A line chart as SVG text: axes, labels, a legend; colours come from the page's style sheet (classes `line0`, `line1` …). */

import { visible } from '../base/visible.ts';

export interface Series {
  label: string;
  /** Points in order of x; a value that is not finite breaks the line. */
  points: readonly (readonly [x: number, y: number])[];
  /** A thin line without marks, for many noisy points. */
  faint?: boolean;
}

export interface Chart {
  title: string;
  xLabel: string;
  yLabel: string;
  series: readonly Series[];
  /** Shown as the y axis's smallest and largest value if the data do not go beyond. */
  yRange?: readonly [number, number];
  yText?: (value: number) => string;
  /** Horizontal reference lines. */
  rules?: readonly { y: number; label: string }[];
  /** A vertical mark, such as the best epoch. */
  mark?: { x: number; label: string };
}

const WIDTH = 520;
const HEIGHT = 300;
const LEFT = 70;
const RIGHT = 16;
const TOP = 34;
const BOTTOM = 46;
const [SPARK_WIDTH, SPARK_HEIGHT] = [84, 24];

/** Text as it may stand in a page: nothing in it is markup, and nothing is unseen. */
export const escapeText = (text: string): string =>
  visible(text).replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c]!);

/** About `count` round values that cover [low, high]: steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, count: number): number[] {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough * (1 - 1e-9)) ?? 10);
  const list: number[] = [];
  // Multiples of the step, so that no rounding error adds up.
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * span; k++) list.push(Number((k * step).toPrecision(12)));
  return list;
}

export function lineChart(chart: Chart): string {
  const finite = chart.series.flatMap((s) => s.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)));
  const xs = finite.map(([x]) => x);
  const ys = [...finite.map(([, y]) => y), ...(chart.rules ?? []).map((r) => r.y), ...(chart.yRange ?? [])];
  const [x0, x1] = [least(xs, 0), most(xs, 1)];
  let [y0, y1] = [least(ys, 0), most(ys, 1)];
  // A flat curve still needs a height; a curve needs a little air above it.
  if (y1 - y0 < 1e-9) y1 = y0 + 1;
  else if (!chart.yRange) y1 += 0.05 * (y1 - y0);

  const px = (x: number) => LEFT + ((WIDTH - LEFT - RIGHT) * (x - x0)) / (x1 - x0 || 1);
  const py = (y: number) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (y - y0)) / (y1 - y0);
  const n = (v: number) => v.toFixed(1);
  const yText = chart.yText ?? ((v: number) => String(v));
  const out: string[] = [];

  for (const y of ticks(y0, y1, 5)) {
    out.push(`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(py(y))}" y2="${n(py(y))}"/>`);
    out.push(`<text x="${LEFT - 8}" y="${n(py(y) + 4)}" text-anchor="end">${escapeText(yText(y))}</text>`);
  }
  const wholeNumbers = ticks(x0, x1, 8).filter(Number.isInteger);
  for (const x of wholeNumbers) out.push(`<text x="${n(px(x))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${x}</text>`);
  out.push(`<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}"/>`);
  out.push(
    `<text class="name" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escapeText(chart.xLabel)}</text>`,
  );
  const middle = n((TOP + HEIGHT - BOTTOM) / 2);
  out.push(
    `<text class="name" x="13" y="${middle}" transform="rotate(-90 13 ${middle})" text-anchor="middle">${escapeText(chart.yLabel)}</text>`,
  );

  for (const { y, label } of chart.rules ?? []) {
    out.push(`<line class="rule" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(py(y))}" y2="${n(py(y))}"/>`);
    out.push(`<text class="note" x="${WIDTH - RIGHT}" y="${n(py(y) - 5)}" text-anchor="end">${escapeText(label)}</text>`);
  }
  if (chart.mark) {
    const x = n(px(chart.mark.x));
    // The words stand on the side with more room.
    const [anchor, shift] = px(chart.mark.x) > WIDTH / 2 ? ['end', -5] : ['start', 5];
    out.push(`<line class="rule" x1="${x}" x2="${x}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`);
    // And at the end of the line that the curves leave free.
    const beside = finite.filter(([at]) => Math.abs(at - chart.mark!.x) <= (x1 - x0) / 8);
    const isLow = beside.filter(([, y]) => y < (y0 + y1) / 2).length > beside.length / 2;
    const height = isLow ? TOP + 12 : HEIGHT - BOTTOM - 6;
    out.push(`<text class="note" x="${n(px(chart.mark.x) + shift)}" y="${height}" text-anchor="${anchor}">`);
    out.push(`${escapeText(chart.mark.label)}</text>`);
  }

  let at = LEFT;
  for (const [i, { label, points, faint }] of chart.series.entries()) {
    out.push(`<path class="line${i}${faint ? ' faint' : ''}" d="${path(points, px, py)}"/>`);
    if (!faint)
      for (const [x, y] of points)
        if (Number.isFinite(y))
          out.push(`<circle class="line${i}" cx="${n(px(x))}" cy="${n(py(y))}" r="3"><title>${x}: ${yText(y)}</title></circle>`);
    out.push(`<line class="line${i}" x1="${at}" x2="${at + 18}" y1="14" y2="14"/><text x="${at + 24}" y="18">${escapeText(label)}</text>`);
    at += 24 + 7.5 * label.length + 22;
  }
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(chart.title)}">${out.join('')}</svg>`;
}

/** A curve without words, for a table's cell; a single point is a dot. Its height is that of `range`. */
export function spark(points: Series['points'], [low, high]: readonly [number, number]): string {
  const [first, last] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
  const px = (x: number) => 3 + (SPARK_WIDTH - 6) * ((x - first) / (last - first || 1));
  const py = (y: number) => 3 + (SPARK_HEIGHT - 6) * (1 - (y - low) / (high - low));
  const end = points.at(-1);
  const dot = end ? `<circle class="line0" cx="${px(end[0]).toFixed(1)}" cy="${py(end[1]).toFixed(1)}" r="2.5"/>` : '';
  return `<svg class="spark" viewBox="0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}" aria-hidden="true"><path class="line0" d="${path(points, px, py)}"/>${dot}</svg>`;
}

function path(points: Series['points'], px: (x: number) => number, py: (y: number) => number): string {
  let d = '';
  let pen = 'M';
  for (const [x, y] of points) {
    if (!Number.isFinite(y)) {
      pen = 'M';
      continue;
    }
    d += `${pen}${px(x).toFixed(1)} ${py(y).toFixed(1)}`;
    pen = 'L';
  }
  return d;
}

// A loop, since Math.min(...values) overflows the stack on a long run.
const least = (values: number[], otherwise: number) => values.reduce((a, b) => Math.min(a, b), values[0] ?? otherwise);
const most = (values: number[], otherwise: number) => values.reduce((a, b) => Math.max(a, b), values[0] ?? otherwise);
