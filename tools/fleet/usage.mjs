// What a program and all that it starts take of the machine, from Linux's /proc.
import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of a second in /proc/<pid>/stat. */
const TICKS = 100;

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended meanwhile.
    return '';
  }
};

/** Parent and processor time in seconds of each process that there is. */
function processes() {
  const list = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return list.flatMap((pid) => {
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields.length < 13 ? [] : [{ pid, parent: fields[1], seconds: (Number(fields[11]) + Number(fields[12])) / TICKS }];
  });
}

/** Follows a process and those below it, with a look every so many ms. */
export class Usage {
  constructor(pid, ms = 500) {
    this.pid = String(pid);
    /** Most resident bytes of all together, pages that several share counted once for each of them in its part. */
    this.peak = 0;
    /** Processor seconds by process: those that have ended keep what they had at the last look. */
    this.byProcess = new Map();
    this.timer = setInterval(() => this.look(), ms);
    this.timer.unref();
  }

  look() {
    const all = processes();
    const family = new Set([this.pid]);
    for (let grown = true; grown; ) {
      grown = false;
      for (const { pid, parent } of all)
        if (family.has(parent) && !family.has(pid)) {
          family.add(pid);
          grown = true;
        }
    }
    let bytes = 0;
    for (const { pid, seconds } of all) {
      if (!family.has(pid)) continue;
      this.byProcess.set(pid, seconds);
      bytes += 1024 * Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
    }
    this.peak = Math.max(this.peak, bytes);
  }

  get seconds() {
    return [...this.byProcess.values()].reduce((sum, one) => sum + one, 0);
  }

  stop() {
    clearInterval(this.timer);
  }
}
