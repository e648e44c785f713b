// npm run fuzz [-- --count 100000 --seed 1]: damaged and hostile files for the program decoder and for the WASI program's readers (test/wasi/fuzz.ts).
// The work is done by a thread, so that an input on which a reader hangs is named and the run ends.
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { build } from 'esbuild';

const HANG_MS = 60e3;

if (isMainThread) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } } });
  await build({
    entryPoints: ['test/wasi/fuzz.ts'],
    outfile: 'build/fuzz.js',
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', packages: 'external', logLevel: 'error' },
  });
  const count = Number(values.count);
  const worker = new Worker(new URL(import.meta.url), { workerData: { count, seed: Number(values.seed) } });
  let last = 0;
  let told = Date.now();
  const end = (code, text) => {
    console.log(text);
    process.exit(code);
  };
  const began = Date.now();
  setInterval(() => Date.now() - told > HANG_MS && end(1, `input ${last} hangs (seed ${values.seed})`), 1000);
  worker.on('error', (error) => end(1, `input ${last}: ${error.stack}`));
  worker.on('message', (message) => {
    told = Date.now();
    if (typeof message === 'number') {
      last = message;
      if (last % 10000 === 0 && last > 0) console.log(`${last} of ${count}`);
      return;
    }
    for (const [name, { refused, passed }] of Object.entries(message.readers))
      console.log(`${name.padEnd(28)} ${refused} refused, ${passed} passed`);
    for (const failure of message.failures.slice(0, 20)) console.log(`FAILURE ${failure}`);
    const { failures } = message;
    end(
      failures.length > 0 ? 1 : 0,
      `${count} inputs, ${failures.length} failures, ${Math.round((Date.now() - began) / 1000)} s (seed ${values.seed})`,
    );
  });
} else {
  const { fuzz } = await import('../build/fuzz.js');
  parentPort.postMessage(await fuzz({ ...workerData, onInput: (n) => n % 20 === 0 && parentPort.postMessage(n) }));
}
