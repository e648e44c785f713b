// The peers that S2A's matrix product is measured against, and the processor itself. A contestant is { name, version, prepare } where
// prepare(shape) lays random operands out in the peer's own memory and returns { slice, close }; slice(ms) multiplies for about that
// long and gives GFLOP/s. One thread each; shapes as in gemm.mjs. Every peer computes c[M,N] = a[M,K]·b[K,N] in f32.
//
// The packing rule is the same for all: B is packed at every call. tfjs keeps an operator with packed weights as long as the tensor
// lives, so it is given a fresh tensor for every product (its upload is not timed); `XNNPACK, packed once` shows what that cache gains.
// ONNX Runtime packs constants when it loads a model, so that is switched off.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { processorTime } from './clock.mjs';
import { modelOfProducts } from './onnx.mjs';

const load = createRequire(new URL('package.json', import.meta.url));

const random = (n) => Float32Array.from({ length: n }, () => Math.random() - 0.5);
const work = ({ m, n, k }) => 2 * m * n * k;

/** Repeats `run`, which multiplies `products` times, for about `ms`; GFLOP/s. */
async function rate(run, flops, ms) {
  const began = processorTime();
  let spent = 0;
  let turns = 0;
  do {
    spent += await run();
    turns++;
  } while (processorTime() - began < ms);
  return (flops * turns) / spent / 1e6;
}

/** tfjs-backend-wasm, whose matrix product is XNNPACK's. */
export async function tfjs({ packOnce = false } = {}) {
  const tf = load('@tensorflow/tfjs-core');
  const wasm = load('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(`${dirname(load.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  // Compiled in a worker otherwise, with threads.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  await tf.setBackend('wasm');
  if (!(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'))) throw new Error('tfjs: SIMD is off');
  return {
    name: packOnce ? 'XNNPACK, packed once' : 'XNNPACK (tfjs-wasm)',
    version: `@tensorflow/tfjs-backend-wasm ${wasm.version_wasm}`,
    prepare(shape) {
      const { m, n, k } = shape;
      const [a, b] = [random(m * k), random(n * k)];
      const left = tf.tensor2d(a, [m, k]);
      let right = tf.tensor2d(b, [k, n]);
      const run = () => {
        if (!packOnce) {
          right.dispose();
          right = tf.tensor2d(b, [k, n]);
        }
        const began = processorTime();
        tf.matMul(left, right).dispose();
        return processorTime() - began;
      };
      run();
      return {
        slice: (ms) => rate(run, work(shape), ms),
        close() {
          left.dispose();
          right.dispose();
        },
      };
    },
  };
}

/** onnxruntime-web, whose matrix product is MLAS's. A model has several products of the same constants, which share the cost of a call. */
export async function ort() {
  const { env, InferenceSession } = load('onnxruntime-web');
  env.wasm.numThreads = 1;
  return {
    name: 'MLAS (ORT-web)',
    version: `onnxruntime-web ${env.versions.web ?? env.versions.common}`,
    async prepare(shape) {
      const { m, n, k } = shape;
      const products = Math.max(1, Math.min(64, Math.round(2e8 / work(shape))));
      const model = modelOfProducts(m, n, k, random(m * k), random(n * k), products);
      const session = await InferenceSession.create(model, {
        executionProviders: ['wasm'],
        // Nothing folded, nothing packed beforehand.
        graphOptimizationLevel: 'disabled',
        extra: { session: { disable_prepacking: '1' } },
      });
      const run = async () => {
        const began = processorTime();
        await session.run({});
        return processorTime() - began;
      };
      await run();
      return { slice: (ms) => rate(run, work(shape) * products, ms), close: () => session.release() };
    },
  };
}

/** The peak of 128-bit multiplications and additions, by a C program where there is a compiler; undefined elsewhere. */
export function peak() {
  const program = join('build', 'bench', 'peak');
  mkdirSync(dirname(program), { recursive: true });
  const source = new URL('peak.c', import.meta.url).pathname;
  const flags = process.arch === 'x64' ? ['-msse2', '-mno-fma'] : [];
  try {
    if (!existsSync(program)) execFileSync('cc', ['-O2', '-ffp-contract=off', ...flags, source, '-o', program], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return {
    name: 'peak',
    version: 'cc -O2, mul + add, 128-bit',
    prepare: () => ({ slice: (ms) => Number(execFileSync(program, [String(ms)], { encoding: 'utf8' }).split(' ')[0]), close() {} }),
  };
}
