// Accuracy against linear memory, a dot for every method and policy, as SVG text. Colours work on white and on black.
const WIDTH = 640;
const HEIGHT = 360;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 150, 36, 48];
const COLOURS = ['#7f7f7f', '#1f77b4', '#2ca02c', '#d62728', '#9467bd', '#ff7f0e', '#17becf', '#8c564b'];

const escaped = (text) => text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

/** About five round values in [low, high]. */
function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((m) => m * power >= rough) ?? 10);
  const list = [];
  for (let k = Math.ceil(low / step); k * step <= high * (1 + 1e-9); k++) list.push(Number((k * step).toPrecision(6)));
  return list;
}

/** `dots`: `{ method, keep, parameters, bytes, accuracy }`. */
export function plot(title, dots) {
  const methods = [...new Set(dots.map(({ method }) => method))];
  const colour = (method) => COLOURS[methods.indexOf(method) % COLOURS.length];
  const mib = dots.map(({ bytes }) => bytes / 2 ** 20);
  const share = dots.map(({ accuracy }) => 100 * accuracy);
  const x0 = 0;
  const x1 = 1.08 * Math.max(...mib);
  const air = Math.max(1, 0.12 * (Math.max(...share) - Math.min(...share)));
  const [y0, y1] = [Math.min(...share) - air, Math.min(100, Math.max(...share) + air)];
  const px = (v) => LEFT + ((WIDTH - LEFT - RIGHT) * (v - x0)) / (x1 - x0);
  const py = (v) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (v - y0)) / (y1 - y0);
  // The dot's area grows with the logarithm: from a classifier to a whole network are three powers of ten.
  const size = (n) => 3 + 2.2 * Math.max(0, Math.log10(n) - 3) ** 1.2;
  const n = (v) => v.toFixed(1);
  const text = (x, y, body, anchor = 'middle', more = '') =>
    `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}"${more}>${escaped(body)}</text>`;
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 20, title, 'start', ' font-weight="bold"'),
    ...ticks(y0, y1).map(
      (v) => `<path d="M${LEFT} ${n(py(v))}H${WIDTH - RIGHT}" stroke="#ddd"/>${text(LEFT - 6, py(v) + 4, `${v} %`, 'end')}`,
    ),
    ...ticks(x0, x1).map(
      (v) => `<path d="M${n(px(v))} ${HEIGHT - BOTTOM}v4" stroke="#333"/>${text(px(v), HEIGHT - BOTTOM + 18, String(v))}`,
    ),
    `<path d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}" fill="none" stroke="#333"/>`,
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, 'linear memory, MiB'),
    ...dots
      .map((dot, i) => ({ ...dot, at: `cx="${n(px(mib[i]))}" cy="${n(py(share[i]))}" r="${n(size(dot.parameters))}"` }))
      .map(({ at, method, keep, parameters, accuracy }) => {
        const note = `<title>${escaped(`${method}, ${keep}: ${(100 * accuracy).toFixed(1)} %, ${parameters} parameters`)}</title>`;
        const paint = keep === 'exact' ? 'fill="none" stroke-width="1.6"' : 'fill-opacity="0.75"';
        return `<circle ${at} ${keep === 'exact' ? '' : `fill="${colour(method)}" `}stroke="${colour(method)}" ${paint}>${note}</circle>`;
      }),
    ...methods.map(
      (method, i) =>
        `<circle cx="${WIDTH - RIGHT + 18}" cy="${TOP + 8 + 20 * i}" r="5" fill="${colour(method)}"/>${text(WIDTH - RIGHT + 30, TOP + 12 + 20 * i, method, 'start')}`,
    ),
    text(WIDTH - RIGHT + 12, TOP + 20 * methods.length + 20, 'hollow: kept in f32', 'start'),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">
${parts.join('\n')}
</svg>
`;
}
