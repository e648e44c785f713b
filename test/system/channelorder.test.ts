/** Networks that learnt from pictures whose blue comes first (MobileViT): files of pictures stay RGB, and the order goes with what is merged or exported. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { readJson } from '../../src/base/files.ts';
import { openModelFolder, preprocessOf, processorNote } from '../../src/import/modelfolder.ts';
import { processorFor } from '../../src/input/huggingface.ts';
import { checkPreprocess } from '../../src/input/preprocess.ts';
import { mergeAdapter } from '../../src/use/merge/merge.ts';
import { exportOnnx } from '../../src/use/onnx/export.ts';
import { newFolder, refused } from '../support/folder.ts';
import { goldenValues, modelFolder } from '../support/golden.ts';
import { goldenEngine } from '../support/goldenengine.ts';
import { logitsOf, movedAdapter } from '../support/mergecase.ts';

const NAME = 'mobilevit-hf';
const BLUE_FIRST = {
  feature_extractor_type: 'MobileViTFeatureExtractor',
  ...{ do_resize: true, size: 100, resample: 2, do_center_crop: true, crop_size: { height: 64, width: 96 }, do_flip_channel_order: true },
};

/** The golden network with another processor's file, or none. */
function folderWith(processor: object | undefined): string {
  const folder = newFolder();
  for (const file of ['config.json', 'model.safetensors']) copyFileSync(join(modelFolder(NAME), file), join(folder, file));
  if (processor) writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify(processor));
  return folder;
}
const near = (a: Float32Array, b: Float32Array, share: number): void => {
  const largest = Math.max(...a.map(Math.abs));
  a.forEach((x, i) => {
    assert.ok(Math.abs(x - b[i]!) <= share * largest, `${x} and ${b[i]}`);
  });
};

test('the network sees the last channel first: as it sees pictures whose channels were swapped', () => {
  const values = goldenValues(NAME);
  const logits = (reversed: boolean): Float32Array => {
    const normalize = { scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1], ...(reversed ? { reversed: true as const } : {}) };
    const engine = goldenEngine(NAME, values, { head: 'file', purpose: 'infer', classes: 6, normalize });
    const pictures = engine.bytes(Io.Pictures);
    if (!reversed) for (let i = 0; i < pictures.length; i += 3) pictures.subarray(i, i + 3).reverse();
    engine.run('eval');
    return engine.floats(Io.Logits).slice();
  };
  assert.equal(logits(true), logits(false));
});

test('what its processor says, and where there is none', () => {
  const said = preprocessOf(openModelFolder(folderWith(BLUE_FIRST)));
  assert.equal([said.reversed, said.mean, said.std], [true, [0, 0, 0], [1, 1, 1]]);
  assert.equal(checkPreprocess(JSON.parse(JSON.stringify(said)), 'adapter'), said);
  refused(() => checkPreprocess({ ...said, reversed: 1 }, 'adapter'), 'preprocessing.reversed');
  assert.is(preprocessOf(openModelFolder(folderWith({ ...BLUE_FIRST, do_flip_channel_order: false }))).reversed, undefined);
  const silent = openModelFolder(folderWith(undefined));
  assert.is(preprocessOf(silent).reversed, true);
  assert.match(processorNote(silent)!, 'blue first');
  // Where they are normalised too, it is not said by which channel's numbers.
  refused(() => preprocessOf(openModelFolder(folderWith({ ...BLUE_FIRST, do_normalize: true }))), 'do_flip_channel_order');
  // An adapter may say both; no processor's file can.
  assert.ok(processorFor(said));
  assert.is(processorFor({ ...said, mean: [0.5, 0.4, 0.3] }), undefined);
});

test('it goes with a merged folder; an exported file does it itself', () => {
  const model = folderWith(BLUE_FIRST);
  const [adapter, merged, exported] = ['adapter', 'merged', 'exported'].map((name) => join(newFolder(), name)) as [string, string, string];
  movedAdapter(model, 'probe', adapter);
  const { logits } = logitsOf(model, adapter);
  mergeAdapter({ model, adapter, out: merged });
  assert.is(readJson(join(merged, 'preprocessor_config.json')).do_flip_channel_order, true);
  near(logits, logitsOf(merged, undefined).logits, 1e-5);
  exportOnnx({ model, adapter, out: exported });
  assert.is(readJson(join(exported, 'preprocessor_config.json')).do_flip_channel_order, undefined);
  near(logits, logitsOf(exported, undefined).logits, 1e-5);
  const plain = folderWith({ ...BLUE_FIRST, do_flip_channel_order: false });
  assert.not.equal(logitsOf(plain, undefined).logits, logitsOf(model, undefined).logits);
});

test.run();
