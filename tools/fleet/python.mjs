// The only Python that a fleet needs, and on its server alone: a virtual environment of its own with Flower, in build/fleet/python.
//
//     S2A_PYTHON=/path/to/python    takes that interpreter instead of looking for one; has it Flower already, nothing is installed
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** Where the server's app is. */
export const APP = 'targets/flower';
const FOLDER = 'build/fleet/python';
const LEAST = [3, 11];

/** What the app needs of Flower, as its pyproject.toml says. */
export const wanted = () => JSON.parse(/^dependencies = (\[.*\])$/m.exec(readFileSync(`${APP}/pyproject.toml`, 'utf8'))?.[1] ?? '[]');

/** A setting of the environment's own, so that nothing asks the network or tells anyone. */
export const quiet = { FLWR_TELEMETRY_ENABLED: '0', FLWR_DISABLE_UPDATE_CHECK: '1' };

const ask = (python, code) => {
  const { status, stdout } = spawnSync(python, ['-c', code], { encoding: 'utf8', timeout: 60e3, env: { ...process.env, ...quiet } });
  return status === 0 ? stdout.trim() : undefined;
};

const isNewEnough = (python) => {
  const version = ask(python, 'import sys; print(*sys.version_info[:2])');
  if (version === undefined) return false;
  const [major, minor] = version.split(' ').map(Number);
  return major === LEAST[0] && minor >= LEAST[1];
};

/** The version of Flower that an interpreter has, where it is one that the app takes. */
export function flowerOf(python) {
  const version = ask(python, 'import flwr; print(flwr.__version__)');
  const [, minor] = /flwr>=(\d+\.\d+)\./.exec(String(wanted())) ?? [];
  return version?.startsWith(`${minor}.`) ? version : undefined;
}

/** Interpreters by the names that they usually have, the newest first; a version manager's name may be there without its interpreter. */
function interpreter() {
  const named = process.env.S2A_PYTHON;
  const names = named ? [named] : ['python3', ...Array.from({ length: 5 }, (_, i) => `python3.${15 - i}`), 'python'];
  return names.find(isNewEnough);
}

/** An interpreter that has Flower already: the one named, or that of an earlier run; undefined where there is none. */
export function installedPython() {
  const named = process.env.S2A_PYTHON;
  if (named && flowerOf(named)) return named;
  const own = join(FOLDER, 'bin', 'python');
  return existsSync(own) && flowerOf(own) ? own : undefined;
}

/** The interpreter, and its folder of commands; installs what is missing, or returns why it cannot be had. */
export function serverPython(say = (/** @type {string} */ _text) => {}) {
  const found = installedPython();
  if (found) return { python: found };
  const base = interpreter();
  if (!base) return { why: `no Python from ${LEAST.join('.')} on; S2A_PYTHON names one` };
  say(`installing Flower with ${base} into ${FOLDER}, once`);
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  // Git ignores build/, and so does everything that walks over the sources.
  writeFileSync(join(FOLDER, '.gitignore'), '*\n');
  const made = spawnSync(base, ['-m', 'venv', FOLDER], { encoding: 'utf8', timeout: 120e3 });
  if (made.status !== 0) return { why: `${base} -m venv failed: ${lastLine(made)}` };
  const python = join(FOLDER, 'bin', 'python');
  const pip = spawnSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...wanted()], {
    encoding: 'utf8',
    timeout: 600e3,
  });
  if (pip.status !== 0 || !flowerOf(python)) return { why: `Flower could not be installed: ${lastLine(pip)}` };
  return { python };
}

/** @param {{ stderr: string, error?: Error }} result */
const lastLine = ({ stderr, error }) => (error?.message ?? stderr ?? '').trim().split('\n').at(-1) || 'no reason given';
