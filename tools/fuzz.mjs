// npm run fuzz [-- --files 100000 --programs 20000 --instructions 20000 --tables 100000 --pictures 100000 --caches 100000 --graphs 100000 --pickles 100000 --targets 100000 --seed 1]: damaged and hostile files for the program decoder and for the WASI
// program's readers (test/wasi/fuzz.ts), forged programs for its kernels (test/wasi/forge.ts), single forged instructions (test/support/stray.ts),
// tables of labels (test/support/csvfuzz.ts), tables and arrays of targets (test/support/targetfuzz.ts), pictures (test/support/picturefuzz.ts), files of prepared ones (test/support/cachefuzz.ts), ONNX
// files (test/support/onnxfuzz.ts), files of torch.save (test/support/torchfuzz.ts).
// The work is done by a process of its own, so that an input on which something hangs is named and the run ends.
import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

/** No input takes longer, on a busy machine either; what they are made of may. */
const HANG_MS = 60e3;
const START_MS = 600e3;
const KINDS = ['files', 'programs', 'instructions', 'tables', 'pictures', 'caches', 'graphs', 'pickles', 'targets'];

if (process.send === undefined) {
  /** @param {string} value */
  const text = (value) => ({ type: /** @type {const} */ ('string'), default: value });
  const many = { files: text('100000'), programs: text('20000'), instructions: text('20000') };
  const options = {
    ...many,
    tables: text('100000'),
    pictures: text('100000'),
    caches: text('100000'),
    graphs: text('100000'),
    pickles: text('100000'),
    targets: text('100000'),
    seed: text('1'),
  };
  const { values } = parseArgs({ options });
  await build({
    entryPoints: {
      'fuzz-files': 'test/wasi/fuzz.ts',
      'fuzz-programs': 'test/wasi/forge.ts',
      'fuzz-instructions': 'test/support/stray.ts',
      'fuzz-tables': 'test/support/csvfuzz.ts',
      'fuzz-pictures': 'test/support/picturefuzz.ts',
      'fuzz-caches': 'test/support/cachefuzz.ts',
      'fuzz-graphs': 'test/support/onnxfuzz.ts',
      'fuzz-pickles': 'test/support/torchfuzz.ts',
      'fuzz-targets': 'test/support/targetfuzz.ts',
    },
    outdir: 'build',
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', packages: 'external', logLevel: 'error' },
  });
  const worker = fork(new URL(import.meta.url), [String(values.seed), ...KINDS.map((kind) => String(values[kind]))]);
  const count = KINDS.reduce((sum, kind) => sum + Number(values[kind]), 0);
  let last = 'nothing yet';
  let told = Date.now() + START_MS;
  const end = (code, text) => {
    console.log(text);
    worker.kill('SIGKILL');
    process.exit(code);
  };
  const began = Date.now();
  setInterval(() => Date.now() - told > HANG_MS && end(1, `${last}: one of the next hangs (seed ${values.seed})`), 1000);
  worker.on('error', (error) => end(1, `${last}: ${error.stack}`));
  worker.on('exit', (code) => end(1, `${last}: exit code ${code}`));
  worker.on('message', (/** @type {any} */ message) => {
    told = Date.now();
    if (message.kind !== undefined) {
      const { kind, n } = message;
      last = `${kind} ${n}`;
      if (n % 5000 === 0 && n > 0) console.log(`${n} of ${values[kind]} ${kind}`);
      return;
    }
    for (const [name, { refused, passed }] of Object.entries(message.readers))
      console.log(`${name.padEnd(36)} ${refused} refused, ${passed} passed`);
    for (const failure of message.failures.slice(0, 20)) console.log(`FAILURE ${failure}`);
    const { failures } = message;
    end(
      failures.length > 0 ? 1 : 0,
      `${count} inputs, ${failures.length} failures, ${Math.round((Date.now() - began) / 1000)} s (seed ${values.seed})`,
    );
  });
} else {
  const tell = process.send.bind(process);
  const [seed, ...counts] = process.argv.slice(2).map(Number);
  const { fuzz: files } = await import('../build/fuzz-files.js');
  const { forge: programs } = await import('../build/fuzz-programs.js');
  const { stray: instructions } = await import('../build/fuzz-instructions.js');
  const { fuzzTables: tables } = await import('../build/fuzz-tables.js');
  const { fuzzPictures: pictures } = await import('../build/fuzz-pictures.js');
  const { fuzzCaches: caches } = await import('../build/fuzz-caches.js');
  const { fuzzGraphs: graphs } = await import('../build/fuzz-graphs.js');
  const { fuzzTorch: pickles } = await import('../build/fuzz-pickles.js');
  const { fuzzTargets: targets } = await import('../build/fuzz-targets.js');
  const all = { readers: {}, failures: /** @type {string[]} */ ([]) };
  for (const [i, run] of [files, programs, instructions, tables, pictures, caches, graphs, pickles, targets].entries()) {
    if (counts[i] === 0) continue;
    const { readers, failures } = await run({ count: counts[i], seed, onInput: (n) => n % 5 === 0 && tell({ kind: KINDS[i], n }) });
    Object.assign(all.readers, readers);
    all.failures.push(...failures);
  }
  tell(all);
}
