// npm run fuzz [-- --count 100000 --forged 20000 --seed 1]: damaged and hostile files for the program decoder and for the WASI program's readers
// (test/wasi/fuzz.ts), and forged programs for its kernels (test/wasi/forge.ts).
// The work is done by a process of its own, so that an input on which a reader hangs is named and the run ends.
import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const HANG_MS = 60e3;

if (process.send === undefined) {
  const text = (value) => ({ type: 'string', default: value });
  const { values } = parseArgs({ options: { count: text('100000'), forged: text('20000'), seed: text('1') } });
  await build({
    entryPoints: { fuzz: 'test/wasi/fuzz.ts', forge: 'test/wasi/forge.ts' },
    outdir: 'build',
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', packages: 'external', logLevel: 'error' },
  });
  const [count, forged, seed] = [values.count, values.forged, values.seed].map(Number);
  const worker = fork(new URL(import.meta.url), [count, forged, seed].map(String));
  let last = 0;
  let told = Date.now();
  const end = (code, text) => {
    console.log(text);
    worker.kill('SIGKILL');
    process.exit(code);
  };
  const began = Date.now();
  setInterval(() => Date.now() - told > HANG_MS && end(1, `input ${last} hangs (seed ${values.seed})`), 1000);
  worker.on('error', (error) => end(1, `input ${last}: ${error.stack}`));
  worker.on('exit', (code) => end(1, `input ${last}: exit code ${code}`));
  worker.on('message', (message) => {
    told = Date.now();
    if (typeof message === 'number') {
      last = message;
      if (last % 10000 === 0 && last > 0) console.log(`${last} of ${count + forged}`);
      return;
    }
    for (const [name, { refused, passed }] of Object.entries(message.readers))
      console.log(`${name.padEnd(36)} ${refused} refused, ${passed} passed`);
    for (const failure of message.failures.slice(0, 20)) console.log(`FAILURE ${failure}`);
    const { failures } = message;
    end(
      failures.length > 0 ? 1 : 0,
      `${count + forged} inputs, ${failures.length} failures, ${Math.round((Date.now() - began) / 1000)} s (seed ${values.seed})`,
    );
  });
} else {
  const [count, forged, seed] = process.argv.slice(2).map(Number);
  const { fuzz } = await import('../build/fuzz.js');
  const { forge } = await import('../build/forge.js');
  const tell = (n) => n % 20 === 0 && process.send(n);
  const files = count > 0 ? await fuzz({ count, seed, onInput: tell }) : { readers: {}, failures: [] };
  const programs = forged > 0 ? await forge({ count: forged, seed, onInput: (n) => tell(count + n) }) : { readers: {}, failures: [] };
  process.send({
    readers: { ...files.readers, ...programs.readers },
    failures: [...files.failures, ...programs.failures],
  });
}
