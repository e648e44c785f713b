/** Resize and crop against the processors of transformers and timm (test/golden/preprocess.safetensors). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readPreprocess, resizeRgb } from '../../src/data/preprocess.ts';
import { openSafetensors } from '../../src/safetensors.ts';

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
      const got = resizeRgb(bytes(`source.${n}`), width, height, spec);
      const want = bytes(`${n}/${name}`);
      assert.is(got.length, want.length);
      const worst = got.reduce((w, v, i) => Math.max(w, Math.abs(v - want[i]!)), 0);
      assert.ok(worst <= 2, `${height}×${width}: off by ${worst}`);
    }
  });
}

test.run();
