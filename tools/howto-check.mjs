// The pages of docs/howto, as they stand: every block of shell lines is run, page by page, and must end well; the block of text behind one is what it
// printed, line by line, where … stands for anything and numbers before s, ms and min for any, since machines differ.
//   npm run check:howto [-- gauge] [--print]     --print: what each block printed, to be put into the page
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { convert } from './models/movenet.mjs';
import { fenced, likeCheckout } from './pages.mjs';

const isPrinting = process.argv.includes('--print');
const wanted = process.argv.slice(2).filter((arg) => arg !== '--print');
const pages = readdirSync('docs/howto').map((name) => name.replace(/\.md$/, ''));
const stranger = wanted.find((name) => !pages.includes(name));
if (stranger !== undefined) throw new Error(`docs/howto has no ${stranger}, but ${pages.join(', ')}`);
const names = wanted.length === 0 ? pages : wanted;
const MARK = '==== s2a page ====';
/** A page that waits for what does not come is stopped. */
const MOST_MS = 20 * 60e3;

/** Whether a line of the page is this line of what was printed. */
function isLine(pattern, line) {
  const loose = (text) =>
    text
      .trim()
      .replace(/\s+/g, ' ')
      .replace(/\d[\d.]*(?= (s|ms|min)\b)/g, '0');
  const parts = loose(pattern)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(loose(line));
}

/** The first line of the page that was not printed behind those before it; undefined where all were. */
function missing(page, printed) {
  const lines = printed.split('\n');
  let at = 0;
  for (const pattern of page.split('\n').filter((line) => line.trim() !== '')) {
    while (at < lines.length && !isLine(pattern, lines[at])) at++;
    if (at++ === lines.length) return pattern;
  }
  return undefined;
}

/** Runs the blocks in one shell, so that what one sets or starts the next has; what each printed. */
function runAll(scripts, { folder, env }) {
  const script = scripts.map((text) => `${text}\nsleep 0.2; echo "${MARK}"\n`).join('');
  // A group of its own: what the page leaves running ends with it.
  const child = spawn('bash', ['-eo', 'pipefail', '-c', script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (printed += text));
  const endAll = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nothing was left.
    }
  };
  const limit = setTimeout(endAll, MOST_MS);
  return new Promise((done) =>
    child.on('exit', (code) => {
      clearTimeout(limit);
      endAll();
      child.on('close', () => done({ code, printed: printed.split(`${MARK}\n`) }));
    }),
  );
}

async function follow(name) {
  const page = fenced(readFileSync(`docs/howto/${name}.md`, 'utf8'));
  const steps = page.flatMap(({ language, text }, i) =>
    language === 'sh' ? [{ text, expected: page[i + 1]?.language === 'text' ? page[i + 1].text : '' }] : [],
  );
  if (steps.length === 0) return ['no block of shell lines'];
  const place = likeCheckout(['models', 'examples', 'node_modules', 'dist', 'package.json']);
  try {
    mkdirSync(join(place.folder, 'demo'));
    // What the demo leaves.
    convert(join(place.folder, 'demo/mobilenetv2'), 96);
    const { code, printed } = await runAll(
      steps.map(({ text }) => text),
      place,
    );
    if (isPrinting) for (const [i, text] of printed.entries()) console.log(`$ ${steps[i]?.text ?? ''}${text}`);
    const wrong = steps.flatMap(({ text, expected }, i) => {
      if (printed.length - 1 <= i) return [`stopped in\n${text}`];
      const line = missing(expected, printed[i]);
      return line === undefined ? [] : [`did not print “${line}” but\n${printed[i]}`];
    });
    return [...(code === 0 ? [] : [`exit code ${code}\n${printed.at(-1)}`]), ...wrong];
  } finally {
    place.remove();
  }
}

if (!existsSync('dist/s2a.js')) throw new Error('dist/s2a.js is not there; npm run build');
for (const name of names) {
  const began = Date.now();
  const wrong = await follow(name);
  const seconds = ((Date.now() - began) / 1000).toFixed(0);
  console.log(`${wrong.length === 0 ? 'ok  ' : 'FAIL'} docs/howto/${name}.md (${seconds} s)`);
  for (const what of wrong) console.log(what);
  if (wrong.length > 0) process.exitCode = 1;
}
