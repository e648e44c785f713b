/** ONNX files of which bytes were changed or cut off: each is refused in one sentence, or read as a network that compiles. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../src/base/error.ts';
import { compile } from '../../src/compile.ts';
import { openOnnxModel } from '../../src/import/onnx/index.ts';
import { type FuzzReport, generator } from '../wasi/fuzz.ts';
import { newFolder } from './folder.ts';

const FOLDER = 'test/golden/onnx';
/** Names, sizes and operators stand before the weights in most files. */
const HEAD = 9000;

export function fuzzGraphs({ count, seed, onInput }: { count: number; seed: number; onInput(n: number): void }): FuzzReport {
  const random = generator(seed);
  const wholes = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.onnx'))
    .sort()
    .map((name) => readFileSync(join(FOLDER, name)));
  const path = join(newFolder(), 'model.onnx');
  const tally = { refused: 0, passed: 0 };
  const failures: string[] = [];
  for (let n = 0; n < count; n++) {
    onInput(n);
    const whole = wholes[n % wholes.length]!;
    const bytes = Uint8Array.from(n % 10 === 9 ? whole.subarray(0, random(whole.length)) : whole);
    for (let k = random(6); k >= 0 && bytes.length > 0; k--)
      bytes[random(n % 2 === 0 ? bytes.length : Math.min(bytes.length, HEAD))] = random(256);
    writeFileSync(path, bytes);
    try {
      const { model, weights } = openOnnxModel(path);
      weights.close();
      compile({ model, classes: 3, microBatch: 1, method: 'bias' });
      tally.passed++;
    } catch (error) {
      if (error instanceof InputError && !error.message.includes('\n')) tally.refused++;
      else failures.push(`graphs ${n}: ${(error as Error).stack}`);
    }
  }
  return { readers: { 'ONNX graphs': tally }, failures };
}
