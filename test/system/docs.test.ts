/** What README and docs name is there: files, npm's scripts, commands and their options. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../src/base/files.ts';
import { HELP } from '../../targets/cli/help.ts';

const pages = [
  'README.md',
  ...['docs', 'docs/howto', 'docs/results'].flatMap((folder) => readdirSync(folder).map((name) => join(folder, name))),
]
  .filter((path) => path.endsWith('.md'))
  .map((path) => ({ path, text: readFileSync(path, 'utf8') }));

/** Fails with a list of what `find` says is missing, by page. */
function nothingMissing(find: (text: string, path: string) => string[]): void {
  const missing = pages.flatMap(({ path, text }) => find(text, path).map((what) => `${path}: ${what}`));
  assert.equal(missing, []);
}
const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found]) => found!);

test('links lead to files, and commands start files, that are there', () => {
  nothingMissing((text, path) => [
    ...all(text, /\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g).filter((link) => !existsSync(join(dirname(path), link))),
    ...all(text, /\bnode ((?:bench|tools|examples|dist)\/[\w./-]+\.m?js)/g).filter((file) => !existsSync(file)),
    ...all(text, /`((?:src|assembly|tools|test|bench|targets|examples|docs)\/[\w./-]+)`/g).filter((file) => !existsSync(file)),
  ]);
});

test('npm run: every script that a page names', () => {
  const scripts = Object.keys(readJson('package.json').scripts as object);
  nothingMissing((text) => all(text, /npm run ([a-z:]+[a-z])/g).filter((script) => !scripts.includes(script)));
});

test('s2a: every option that a page gives a command is in its help', () => {
  let seen = 0;
  nothingMissing((text) =>
    [
      ...text.matchAll(
        /\bs2a (plan|train|eval|predict|merge|export|fidelity|calibrate|modules|print|doctor|bench|pack|enrol|watch|serve)\b([^\n`]*)/g,
      ),
    ].flatMap(([, command, rest]) => {
      const help = HELP[command!]!;
      const options = all(rest!.replace(/ {2,}.*|#.*/, ''), /(?<=\s)(--[a-z-]+)/g);
      seen += options.length;
      return options.filter((option) => !new RegExp(`${option}(?![a-z-])`).test(help)).map((o) => `s2a ${command} ${o}`);
    }),
  );
  assert.ok(seen > 10, `${seen} options looked up`);
});

test.run();
