// A fleet's server on this machine, for the demo and the check: an authority and a certificate of its own, registered keys, Flower's SuperLink, one run of
// our app. What a person does by hand on a server is in docs/fleet.md; this does the same.
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { APP, quiet } from './python.mjs';

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Processes that one has started, and those that they have. */
function below(pid) {
  const lines = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).stdout.trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const all = [pid];
  for (const one of all) for (const [child, parent] of pairs) if (parent === one) all.push(/** @type {number} */ (child));
  return all.slice(1);
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone.
  }
}

/** A port that nothing listens on. */
export const freePort = () =>
  new Promise((done, fail) => {
    const server = createServer();
    server.on('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

export class Server {
  /**
   * @param {string} python interpreter with Flower @param {string} folder everything is written there
   * @param {boolean} isClosed whether it takes registered keys alone
   */
  constructor(python, folder, isClosed = true) {
    this.python = python;
    this.isClosed = isClosed;
    this.folder = resolve(folder);
    this.ca = join(this.folder, 'certificates', 'ca.crt');
    this.out = join(this.folder, 'out');
    this.log = join(this.folder, 'superlink.log');
    this.port = 0;
    /** @type {import('node:child_process').ChildProcess | undefined} */
    this.process = undefined;
  }

  get address() {
    return `https://127.0.0.1:${this.port}`;
  }

  get #env() {
    // A virtual environment's interpreter may be a link; its commands stand beside the link.
    const commands = this.python.includes('/') ? dirname(resolve(this.python)) : undefined;
    const PATH = commands ? `${commands}:${process.env.PATH}` : process.env.PATH;
    return { ...process.env, ...quiet, PATH, FLWR_HOME: join(this.folder, 'flower'), PYTHONPATH: resolve(APP), NO_COLOR: '1' };
  }

  #run(command, ...args) {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: this.#env, timeout: 120e3 });
    if (status !== 0) throw new Error(`${command} ${args.slice(0, 2).join(' ')}: ${(stderr || stdout).trim()}`);
    return stdout;
  }

  /** Flower's own command, which also ends well where it says that something failed. */
  #flwr(...args) {
    const text = this.#run('flwr', ...args, '--format', 'json');
    const answer = JSON.parse(text.slice(text.indexOf('{')));
    if (!answer.success) throw new Error(`flwr ${args.slice(0, 2).join(' ')}: ${answer['error-message']}`);
    return answer;
  }

  /** Makes the certificates where there are none, and starts the SuperLink. */
  async start() {
    mkdirSync(join(this.folder, 'flower'), { recursive: true });
    if (!existsSync(this.ca))
      this.#run(this.python, '-m', 's2afleet.certificates', dirname(this.ca), '--host', '127.0.0.1', '--host', 'localhost');
    this.port ||= await freePort();
    const lines = ['[superlink]', 'default = "fleet"', '', '[superlink.fleet]', `address = "127.0.0.1:${this.port}"`];
    writeFileSync(join(this.folder, 'flower', 'config.toml'), `${[...lines, `root-certificates = "${this.ca}"`].join('\n')}\n`);
    const files = ['certfile', 'keyfile', 'ca-certfile'].flatMap((name, i) => [
      `--ssl-${name}`,
      join(dirname(this.ca), ['server.crt', 'server.key', 'ca.crt'][i]),
    ]);
    const from = existsSync(this.log) ? readFileSync(this.log, 'utf8').length : 0;
    const keys = this.isClosed ? ['--enable-supernode-auth'] : [];
    const args = ['--port', String(this.port), ...files, ...keys, '--disable-runtime-dependency-installation'];
    // In a group of its own: it starts processes for each run.
    const child = spawn('flower-superlink', [...args, '--database', join(this.folder, 'superlink.db')], { env: this.#env, detached: true });
    this.process = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => appendFileSync(this.log, bytes));
    for (let i = 0; i < 240; i++) {
      if (child.exitCode !== null) break;
      if (existsSync(this.log) && readFileSync(this.log, 'utf8').slice(from).includes('Uvicorn running')) return;
      await sleep(250);
    }
    throw new Error(`the SuperLink did not start; ${this.log} says why`);
  }

  /** Registers a board's public key, a file in OpenSSH's form, under a name. */
  register(file, name) {
    return this.#flwr('supernode', 'register', file, 'fleet', '--name', name);
  }

  /** Starts a run of our app; options as in its pyproject.toml. Returns the run's id. */
  run(options) {
    const text = Object.entries({ out: this.out, ...options }).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    return this.#flwr('run', APP, 'fleet', '--run-config', text.join(' '))['run-id'];
  }

  /** How a run stands: Flower's words, such as running, finished:completed, finished:failed. */
  status(id) {
    const run = this.#flwr('list', 'fleet').runs.find((one) => one['run-id'] === id);
    return { status: run?.status ?? 'unknown', details: run?.['status-details'] ?? '' };
  }

  /** The lines of the run's journal that are whole. */
  lines() {
    const path = join(this.out, 'metrics.jsonl');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  /** Ends the SuperLink and what it started; SIGKILL: as a loss of power would. */
  async stop(first = 'SIGTERM') {
    const child = this.process;
    this.process = undefined;
    if (!child?.pid || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    // What it started has sessions of its own, and would outlive a SuperLink that is killed.
    const started = first === 'SIGKILL' ? below(child.pid) : [];
    for (const signal of [first, 'SIGKILL']) {
      try {
        process.kill(-child.pid, /** @type {NodeJS.Signals} */ (signal));
      } catch {
        return;
      }
      for (const pid of started.splice(0)) kill(pid);
      await Promise.race([ended, sleep(5000)]);
      if (child.exitCode !== null || child.signalCode !== null) return;
    }
  }
}
