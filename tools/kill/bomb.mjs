// Preloaded into a process that is to die while it writes (node --import): at its Nth call that changes a file it does half of a write, or
// nothing, or all of it, and then kills itself with SIGKILL. Without a number it says at the end how many calls there were.
//
//     S2A_BOMB=17 S2A_BOMB_SHARE=0.5 node --import ./tools/kill/bomb.mjs dist/s2a.js train …
import { createRequire, syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

const fs = createRequire(import.meta.url)('node:fs');
const at = Number(process.env.S2A_BOMB ?? 0);
const share = Number(process.env.S2A_BOMB_SHARE ?? 0);
let calls = 0;

for (const name of ['writeSync', 'fsyncSync', 'renameSync', 'rmSync', 'mkdirSync', 'appendFileSync']) {
  const real = fs[name];
  fs[name] = (...args) => {
    if (++calls !== at) return real(...args);
    if (name === 'writeSync' && share > 0) real(args[0], args[1], args[2], Math.floor(args[3] * share), args[4]);
    else if (share >= 0.5) real(...args);
    process.kill(process.pid, 'SIGKILL');
    // The signal arrives before anything else is done.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}
syncBuiltinESMExports();
if (at === 0) process.on('exit', () => process.stderr.write(`calls that change files: ${calls}\n`));
