/** Resize and crop against the processors of transformers and timm (test/golden/preprocess.safetensors). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openSafetensors } from '../../src/formats/safetensors.ts';
import { outputSize, readPreprocess, resizePacked } from '../../src/input/preprocess.ts';

const file = openSafetensors('test/golden/preprocess.safetensors');
const bytes = (name: string): Uint8Array => {
  const data = new Uint8Array(file.tensor(name).bytes);
  file.read(file.tensor(name), data);
  return data;
};

for (const [name, text] of file.metadata) {
  test(`${name}: every pixel within 2 of 255`, () => {
    const spec = readPreprocess(JSON.parse(text), name);
    for (let n = 0; file.tensors.has(`source.${n}`); n++) {
      const [height, width] = file.tensor(`source.${n}`).shape as [number, number, number];
      const got = resizePacked(bytes(`source.${n}`), width, height, spec);
      const want = bytes(`${n}/${name}`);
      assert.is(got.length, want.length);
      const worst = got.reduce((w, v, i) => Math.max(w, Math.abs(v - want[i]!)), 0);
      assert.ok(worst <= 2, `${height}×${width}: off by ${worst}`);
    }
  });
}

const saved = openSafetensors('test/golden/processors.safetensors');
const whole = (name: string): Uint8Array<ArrayBuffer> => {
  const data = new Uint8Array(saved.tensor(name).bytes);
  saved.read(saved.tensor(name), data);
  return data;
};

for (const [name, text] of saved.metadata)
  test(`${name}, as transformers saves it: what the network sees is within 1 of 255`, () => {
    const spec = readPreprocess(JSON.parse(text), name);
    const { scale, mean, std, reversed } = spec;
    for (let n = 0; saved.tensors.has(`source.${n}`); n++) {
      const [height, width] = saved.tensor(`source.${n}`).shape as [number, number, number];
      const pixels = resizePacked(whole(`source.${n}`), width, height, spec);
      const want = new Float32Array(whole(`${n}/${name}`).buffer);
      const size = outputSize(spec);
      assert.equal(saved.tensor(`${n}/${name}`).shape, [size.height, size.width, 3]);
      // In the pixels' own unit.
      const worst = pixels.reduce((w, v, i) => {
        const c = i % 3;
        const at = reversed ? i - c + 2 - c : i;
        return Math.max(w, Math.abs((want[at]! - (v * scale - mean[c]!) / std[c]!) * (std[c]! / scale)));
      }, 0);
      assert.ok(worst <= 1.001, `${height}×${width}: off by ${worst}`);
    }
  });

test.run();
