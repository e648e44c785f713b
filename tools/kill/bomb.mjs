// Preloaded into a process that is to die while it writes (node --import): at its Nth call that changes a file it does half of a write, or
// nothing, or all of it, and then kills itself with SIGKILL. Only calls on files whose path contains S2A_BOMB_IN count, if that is given.
// Without a number it says at the end how many calls there were, in all and for checkpoints and adapters.
//
//     S2A_BOMB=17 S2A_BOMB_SHARE=0.5 S2A_BOMB_IN=checkpoint- node --import ./tools/kill/bomb.mjs dist/s2a.js train …
import { createRequire, syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

const fs = createRequire(import.meta.url)('node:fs');
const at = Number(process.env.S2A_BOMB ?? 0);
const share = Number(process.env.S2A_BOMB_SHARE ?? 0);
const among = process.env.S2A_BOMB_IN ?? '';
const KINDS = ['', 'checkpoint-', 'adapter_'];
const calls = new Map(KINDS.map((kind) => [kind, 0]));

/** Which file a descriptor is: writes and syncs name no path. */
const paths = new Map();
const open = fs.openSync;
fs.openSync = (path, ...rest) => {
  const fd = open(path, ...rest);
  paths.set(fd, String(path));
  return fd;
};

for (const name of ['writeSync', 'fsyncSync', 'renameSync', 'rmSync', 'mkdirSync', 'appendFileSync']) {
  const real = fs[name];
  fs[name] = (...args) => {
    const path = typeof args[0] === 'number' ? (paths.get(args[0]) ?? '') : String(args[0]);
    for (const kind of KINDS) if (path.includes(kind)) calls.set(kind, (calls.get(kind) ?? 0) + 1);
    if (!path.includes(among) || calls.get(among) !== at) return real(...args);
    if (name === 'writeSync' && share > 0) real(args[0], args[1], args[2], Math.floor(args[3] * share), args[4]);
    else if (share >= 0.5) real(...args);
    process.kill(process.pid, 'SIGKILL');
    // The signal arrives before anything else is done.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}
syncBuiltinESMExports();
if (at === 0)
  process.on('exit', () => process.stderr.write(`calls that change files: ${KINDS.map((kind) => calls.get(kind)).join(' ')}\n`));
