// Peak resident memory of the decoder's process and of its parent while 12-megapixel photos are prepared, and what is left afterwards.
//
//     npm run build && node bench/decode-memory.mjs [photos=8]
//
// Each figure comes from a process of its own: one makes the photos, one starts and does nothing else, one prepares each kind.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const MiB = 2 ** 20;
const self = fileURLToPath(import.meta.url);
const [role = '8', ...rest] = process.argv.slice(2);

if (role === 'make') await make(rest[0], Number(rest[1]));
else if (role === 'measure') await measure(rest[0], rest[1]);
else await main(Number(role));

async function main(photos) {
  const { build } = await import('esbuild');
  const code = 'build/bench/prepare.js';
  await build({ entryPoints: ['src/data/prepare.ts'], outfile: code, bundle: true, platform: 'node', format: 'esm', packages: 'external' });
  const folder = mkdtempSync(join(tmpdir(), 's2a-photos-'));
  try {
    run('make', folder, photos);
    const idle = run('measure', code);
    console.log(`node ${process.versions.node}, ${photos} photos of 4032×3024 each; MiB resident\n`);
    console.log(`imported, idle         ${idle.peak.toFixed(0)}`);
    for (const kind of ['baseline', 'progressive']) {
      const { peak, after, fileMiB, ms, decoder } = run('measure', code, join(folder, kind));
      const seconds = (ms / photos / 1000).toFixed(2);
      console.log(
        `${kind.padEnd(12)} decoder ${decoder.toFixed(0)} beside ${peak.toFixed(0)}, afterwards ${after.toFixed(0)}; ${fileMiB.toFixed(1)} MiB a file, ${seconds} s each`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(...args) {
  return JSON.parse(execFileSync('node', [self, ...args.map(String)], { encoding: 'utf8', maxBuffer: MiB }) || 'null');
}

/** Slopes with noise, so that the files are as large as a camera's. */
async function make(folder, photos) {
  const { default: encode, init } = await import('@jsquash/jpeg/encode.js');
  const require = createRequire(import.meta.url);
  await init(new WebAssembly.Module(readFileSync(require.resolve('@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm'))));
  const [width, height] = [4032, 3024];
  const data = new Uint8ClampedArray(width * height * 4);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = ((i >> 2) % width) / 20 + (state >>> 27) + 20;
  }
  for (const kind of ['baseline', 'progressive']) {
    const progressive = kind === 'progressive';
    const jpeg = new Uint8Array(
      await encode({ data, width, height, colorSpace: 'srgb' }, { quality: 85, baseline: !progressive, progressive }),
    );
    for (let i = 0; i < photos; i++) {
      const place = join(folder, kind, i % 2 ? 'odd' : 'even');
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, `${i}.jpg`), jpeg);
    }
  }
}

async function measure(code, root) {
  const { prepare } = await import(pathToFileURL(code).href);
  const began = performance.now();
  let fileMiB = 0;
  let decoder = 0;
  if (root) {
    const crop = { height: 224, width: 224, rounding: 'floor' };
    const preprocess = { resize: { mode: 'shortest', edge: 256 }, resample: 'bicubic', crop, scale: 1, mean: [0, 0, 0], std: [1, 1, 1] };
    const { cache, skipped, decoderPeakBytes } = await prepare({ root, preprocess, cacheFolder: join(root, '.cache'), seed: 1 });
    if (skipped.length > 0) throw new Error(JSON.stringify(skipped));
    fileMiB = cache.pictures[0].bytes / MiB;
    cache.close();
    decoder = decoderPeakBytes / MiB;
  }
  const ms = performance.now() - began;
  const peak = process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({ peak, after: process.memoryUsage.rss() / MiB, fileMiB, ms, decoder }));
}
