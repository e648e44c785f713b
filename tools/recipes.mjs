// Follows the recipes: npm run test:recipes [-- activation]
//
// For each page of docs/recipes: a copy of the repository, the page's diffs applied to it, a build, the page's tests.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { blocks } from './pages.mjs';

const wanted = process.argv.slice(2);
const recipes = readdirSync('docs/recipes')
  .map((name) => name.replace(/\.md$/, ''))
  .filter((name) => wanted.length === 0 || wanted.includes(name));
if (recipes.length === 0) throw new Error(`docs/recipes has none of ${wanted.join(', ')}`);

/** What git would check in, as it stands here. */
function copyOf(folder) {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  for (const file of files.split('\0').filter(Boolean)) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    copyFileSync(file, join(folder, file));
  }
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
}

function follow(recipe) {
  const folder = mkdtempSync(join(tmpdir(), `s2a-recipe-`));
  const run = (what, command, args) => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 });
    if (status !== 0) throw new Error(`${what}: exit code ${status}\n${`${stdout}${stderr}`.slice(-4000)}`);
    return stdout;
  };
  try {
    copyOf(folder);
    const page = readFileSync(`docs/recipes/${recipe}.md`, 'utf8');
    // What is in place already is taken out first, the last diff first: that fails where the page is not what is there.
    const inPlace = blocks(page, 'diff in place');
    for (const diff of inPlace.toReversed()) {
      writeFileSync(join(folder, 'recipe.diff'), diff);
      run('a diff in place', 'git', ['apply', '--recount', '-R', 'recipe.diff']);
    }
    const diffs = [...blocks(page, 'diff'), ...inPlace];
    if (diffs.length === 0) throw new Error('no diff on the page');
    diffs.forEach((diff, i) => {
      writeFileSync(join(folder, 'recipe.diff'), diff);
      run(`diff ${i + 1}`, 'git', ['apply', '--recount', 'recipe.diff']);
    });
    rmSync(join(folder, 'recipe.diff'));
    run('build', 'node', ['tools/build.mjs']);
    for (const line of blocks(page, 'sh').flatMap((text) => text.trim().split('\n'))) {
      const out = run(line, 'sh', ['-c', line]);
      console.log(`${recipe}: ${line}\n  ${out.trim().split('\n').at(-1)}`);
    }
    return true;
  } catch (error) {
    console.log(`${recipe}: ${error.message}`);
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const followed = recipes.filter(follow);
console.log(`${followed.length} passed, ${recipes.length - followed.length} failed`);
process.exit(followed.length === recipes.length ? 0 : 1);
