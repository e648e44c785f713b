import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { outputSize, readPreprocess } from '../../src/data/preprocess.ts';
import { refused } from '../folder.ts';

const vit = {
  image_processor_type: 'ViTImageProcessor',
  size: { height: 224, width: 224 },
  resample: 2,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};
const mobile = {
  image_processor_type: 'MobileNetV2ImageProcessor',
  size: { shortest_edge: 256 },
  crop_size: { height: 224, width: 224 },
  do_center_crop: true,
};
const deit = { feature_extractor_type: 'DeiTFeatureExtractor', size: 256, crop_size: 224, resample: 3, do_center_crop: true };
const timm = {
  architecture: 'vit_tiny_patch16_224',
  pretrained_cfg: { input_size: [3, 224, 224], interpolation: 'bicubic', crop_pct: 0.9, mean: [0.5, 0.5, 0.5], std: [0.25, 0.5, 0.5] },
};

test('Hugging Face processors', () => {
  assert.equal(readPreprocess(vit, 'p'), {
    resize: { mode: 'exact', height: 224, width: 224 },
    resample: 'bilinear',
    crop: null,
    scale: 1 / 255,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  });
  const m = readPreprocess(mobile, 'p');
  assert.equal(m.resize, { mode: 'shortest', edge: 256 });
  assert.equal(m.crop, { height: 224, width: 224, rounding: 'floor' });
  assert.is(m.resample, 'bilinear');
  const d = readPreprocess(deit, 'p');
  assert.equal(d.resize, { mode: 'exact', height: 256, width: 256 });
  assert.is(d.resample, 'bicubic');
  assert.equal(outputSize(d), { height: 224, width: 224 });
  const plain = readPreprocess({ ...vit, do_normalize: false, do_rescale: false }, 'p');
  assert.equal([plain.scale, plain.mean, plain.std], [1, [0, 0, 0], [1, 1, 1]]);
});

test("ConvNeXt's processor, which ResNet uses: the crop is a share of the resized picture, and none from 384 on", () => {
  const old = { feature_extractor_type: 'ConvNextFeatureExtractor', size: 224, crop_pct: 0.875 };
  const c = readPreprocess(old, 'p');
  assert.equal(
    [c.resize, c.crop, c.resample],
    [{ mode: 'shortest', edge: 256 }, { height: 224, width: 224, rounding: 'floor' }, 'bicubic'],
  );
  const large = { image_processor_type: 'ConvNextImageProcessor', size: { shortest_edge: 384 }, crop_pct: null };
  assert.equal(readPreprocess(large, 'p').resize, { mode: 'exact', height: 384, width: 384 });
  assert.is(readPreprocess(large, 'p').crop, null);
  assert.equal(readPreprocess(large, 'p', 112).resize, { mode: 'shortest', edge: 128 });
  assert.equal(readPreprocess(old, 'p', 384).resize, { mode: 'exact', height: 384, width: 384 });
  refused(() => readPreprocess({ ...old, crop_pct: 0 }, 'p'), 'crop_pct, got 0');
  refused(() => readPreprocess({ ...old, do_center_crop: true, crop_size: 200 }, 'p'), 'do_center_crop');
  refused(() => readPreprocess({ ...old, size: { height: 224, width: 224 } }, 'p'), 'size.shortest_edge');
});

test('timm configurations', () => {
  const t = readPreprocess(timm, 'p');
  assert.equal(t.resize, { mode: 'shortest', edge: 248 });
  assert.equal(t.crop, { height: 224, width: 224, rounding: 'even' });
  assert.equal(t.std, [0.25, 0.5, 0.5]);
  const squash = readPreprocess({ ...timm, pretrained_cfg: { ...timm.pretrained_cfg, crop_mode: 'squash' } }, 'p');
  assert.equal(squash.resize, { mode: 'exact', height: 248, width: 248 });
});

test('another image size keeps the share of the crop', () => {
  assert.equal(outputSize(readPreprocess(vit, 'p', 96)), { height: 96, width: 96 });
  const m = readPreprocess(mobile, 'p', 112);
  assert.equal(
    [m.resize, outputSize(m)],
    [
      { mode: 'shortest', edge: 128 },
      { height: 112, width: 112 },
    ],
  );
  assert.equal(readPreprocess(deit, 'p', 112).resize, { mode: 'exact', height: 128, width: 128 });
  assert.equal(readPreprocess(timm, 'p', 384).resize, { mode: 'shortest', edge: 426 });
});

test('what is missing or wrong is named', () => {
  refused(() => readPreprocess([], 'p.json'), 'p.json: not a JSON object');
  refused(
    () => readPreprocess({ ...vit, image_processor_type: 'CLIPImageProcessor' }, 'p.json'),
    'CLIPImageProcessor',
    'ViTImageProcessor',
  );
  refused(() => readPreprocess({ ...vit, image_processor_type: 'toString' }, 'p'), 'unsupported image_processor_type');
  refused(() => readPreprocess({ ...vit, resample: 0 }, 'p'), 'resample, got 0');
  refused(() => readPreprocess({ ...vit, size: { height: 1e9, width: 1 } }, 'p'), 'size.height');
  refused(() => readPreprocess({ ...vit, image_std: [1, 0, 1] }, 'p'), 'image_std', 'above 0');
  refused(() => readPreprocess({ ...vit, image_mean: [1, 'a', 1] }, 'p'), 'image_mean');
  refused(() => readPreprocess({ ...mobile, crop_size: 300 }, 'p'), 'crop is larger');
  refused(() => readPreprocess({ ...mobile, do_center_crop: false }, 'p'), 'one size');
  refused(() => readPreprocess({ ...vit, do_resize: false }, 'p'), 'do_resize');
  refused(() => readPreprocess({ ...timm, pretrained_cfg: { ...timm.pretrained_cfg, crop_mode: 'border' } }, 'p'), 'border');
  refused(() => readPreprocess({ ...timm, pretrained_cfg: { ...timm.pretrained_cfg, crop_pct: 0 } }, 'p'), 'crop_pct');
  refused(() => readPreprocess({ architecture: 'x', pretrained_cfg: {} }, 'p'), 'input_size');
  refused(() => readPreprocess(vit, 'p', 0.5), 'image size');
});

test.run();
