// Pages whose commands are run as they stand: their fenced blocks, and a folder in which `npx s2a` is this checkout's.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import process from 'node:process';

/** The fenced blocks of a page in one language. */
export const blocks = (page, language) => fenced(page).flatMap((block) => (block.language === language ? [block.text] : []));

/** All fenced blocks in their order, each with what stands behind its fence. */
export const fenced = (page) =>
  [...page.matchAll(/^```([^\n]*)\n([\s\S]*?)^```/gm)].map(([, language, text]) => ({ language: language.trim(), text }));

/** A folder that has `names` of the checkout, where they are there, and npx as it finds the command in one. */
export function likeCheckout(names) {
  const folder = mkdtempSync(join(tmpdir(), 's2a-page-'));
  for (const name of names) if (existsSync(name)) symlinkSync(resolve(name), join(folder, name));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin', 'npx'), `#!/bin/sh\nshift\nexec "${process.execPath}" "${resolve('dist/s2a.js')}" "$@"\n`);
  chmodSync(join(folder, 'bin', 'npx'), 0o755);
  const env = { ...process.env, PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}` };
  return { folder, env, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
