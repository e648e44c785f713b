// WASI runtimes on this machine, for tests and benchmarks. None is needed to use or to test the project; each is one command away:
//
//     python3 -m venv tools/runtimes/python && tools/runtimes/python/bin/pip install wasmtime==50.0.1
//     cargo install wasmi_cli --version 2.0.0 --root tools/runtimes/wasmi
//     GOBIN=$PWD/tools/runtimes/wazero go install github.com/tetratelabs/wazero/cmd/wazero@v1.9.0
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const PYTHON = 'tools/runtimes/python/bin/python';
const WASMI = 'tools/runtimes/wasmi/bin/wasmi';
const WAZERO = 'tools/runtimes/wazero/wazero';

/**
 * How a program ended: exit code or signal, and what it printed. `peak`: the process's resident peak in bytes, 0 where it is not known; `ms`:
 * processor time in milliseconds, likewise.
 * @typedef {{ code: number | null, signal: string | null, out: string, err: string, peak?: number, ms?: number }} Ran
 *
 * @typedef {{ folder: string, memory?: number, compiled?: string, stdin?: Uint8Array, timeout?: number }} Options
 * @typedef {{ name: string, limitsMemory: boolean, run(wasm: string, words: string[], options: Options): Ran }} Runtime
 */

export const WASMTIME_RUN = 'tools/runtimes/wasmtime-run.py';

const runs = (command, words) => spawnSync(command, words, { stdio: 'ignore' }).status === 0;
const first = (candidates, words) => candidates.find((command) => (!command.includes('/') || existsSync(command)) && runs(command, words));

/** @param {string} command @param {string[]} words @param {{ stdin?: Uint8Array, cwd?: string, timeout?: number }} options */
function start(command, words, { stdin, cwd, timeout = 300e3 }) {
  const { status, stdout, stderr, signal } = spawnSync(command, words, { input: stdin, cwd, timeout, maxBuffer: 1 << 26 });
  return { code: status, signal, out: stdout?.toString() ?? '', err: stderr?.toString() ?? '' };
}

/** A Python that has wasmtime; undefined where there is none. */
export const wasmtimePython = () => first([PYTHON, 'python3'], ['-c', 'import wasmtime']);

/**
 * The runtimes that are there: `run(wasm, words, options)` runs it with `folder` opened as `.`, waits for its end and returns code, out, err.
 * `memory`: the most bytes of linear memory, where the runtime can limit it itself. wasmtime also: `compiled`, a file for its machine code;
 * then `peak` is the process's resident peak in bytes, `ms` the processor time that the program took.
 */
export function wasiRuntimes() {
  /** @type {Runtime[]} */
  const found = [];
  const python = wasmtimePython();
  if (python !== undefined)
    found.push({
      name: 'wasmtime',
      limitsMemory: true,
      run(wasm, words, { folder, memory, compiled, ...options }) {
        const limits = [...(memory ? ['--memory', String(memory)] : []), ...(compiled ? ['--compiled', compiled] : [])];
        const ran = start(python, [WASMTIME_RUN, ...limits, `.=${folder}`, '--', wasm, ...words], options);
        const found = /peak (\d+) ([\d.]+)\n$/.exec(ran.err);
        return { ...ran, err: ran.err.replace(/peak [\d. ]+\n$/, ''), peak: Number(found?.[1] ?? 0), ms: Number(found?.[2] ?? 0) };
      },
    });
  const wasmi = first([WASMI, 'wasmi'], ['--version']);
  if (wasmi !== undefined)
    found.push({
      name: 'wasmi',
      limitsMemory: false,
      // It knows a folder by the path that it was given: the one it stands in.
      run: (wasm, words, { folder, ...options }) =>
        start(wasmi.includes('/') ? resolve(wasmi) : wasmi, ['run', '--dir', '.', resolve(wasm), ...words], { ...options, cwd: folder }),
    });
  const wazero = first([WAZERO, 'wazero'], ['version']);
  if (wazero !== undefined)
    found.push({
      name: 'wazero',
      limitsMemory: false,
      // A folder is mounted under a name: here it is the root.
      run: (wasm, words, { folder, ...options }) => start(wazero, ['run', `-mount=${resolve(folder)}:/`, resolve(wasm), ...words], options),
    });
  return found;
}
