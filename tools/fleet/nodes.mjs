// Boards as processes of this machine: `s2a fleet join`, each with a key and a folder of its own.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

export const CLI = 'dist/s2a.js';

/** Runs the command line to its end and returns what it wrote; throws with its own sentence. */
export function s2a(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`s2a ${args[0]}: ${stderr.trim().split('\n').at(-1)}`);
  return stdout;
}

/** Makes a node's key; returns the private half's path, beside which `.pub` lies. */
export function makeKey(folder, name) {
  mkdirSync(folder, { recursive: true });
  const key = join(folder, `${name}.key`);
  s2a('fleet', 'key', key);
  return key;
}

/** What the kernel has seen of a process; 0 where there is none. */
function peakOf(pid) {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

export class Node {
  /** @param {any} options those of `s2a fleet join`; `flags` are those of `s2a train` that a node shares; events are kept, one a line of its output. */
  constructor({ server, ca, key, name, model, data, out, flags = [] }) {
    // biome-ignore format: a flag with its value
    const args = ['fleet', 'join', server, '--model', model, '--data', data, '--out', out, '--key', key, '--ca', ca, '--name', name, ...flags, '--json'];
    this.name = name;
    this.events = [];
    this.errors = '';
    // As docs/s2a-fleet.service starts it.
    const env = { ...process.env, MALLOC_ARENA_MAX: '1' };
    this.process = spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let rest = '';
    this.process.stdout.on('data', (bytes) => {
      const lines = `${rest}${bytes}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('{')) this.events.push(JSON.parse(line));
    });
    this.process.stderr.on('data', (bytes) => {
      this.errors = `${this.errors}${bytes}`.slice(-4000);
    });
    /** Most resident bytes of the process, where the system is Linux. */
    this.peak = 0;
    const looks = setInterval(() => {
      this.peak = Math.max(this.peak, peakOf(this.process.pid));
    }, 100);
    this.process.once('close', () => clearInterval(looks));
    /** Resolves to its exit code. */
    this.ended = new Promise((done) => this.process.once('close', (code) => done(code)));
  }

  stop() {
    if (this.process.exitCode === null) this.process.kill('SIGTERM');
    return this.ended;
  }
}
