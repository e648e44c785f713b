import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkPreprocess, outputSize, readPreprocess } from '../../src/input/preprocess.ts';
import { refused } from '../support/folder.ts';

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

test('a class that is not known must say everything, and may: fields are what counts', () => {
  const own = { ...vit, image_processor_type: 'OurOwnImageProcessor' };
  assert.equal(readPreprocess(own, 'p'), readPreprocess(vit, 'p'));
  assert.equal(readPreprocess({ ...vit, image_processor_type: 'toString' }, 'p'), readPreprocess(vit, 'p'));
  for (const key of ['size', 'resample', 'image_mean', 'image_std'])
    refused(() => readPreprocess({ ...own, [key]: null }, 'p.json'), 'p.json', `"${key}" is missing`, 'OurOwn');
  refused(() => readPreprocess({ ...own, crop_size: 224 }, 'p'), 'do_center_crop', 'OurOwn');
  refused(() => readPreprocess({ ...own, do_center_crop: true }, 'p'), 'crop_size', 'OurOwn');
  assert.is(readPreprocess({ ...own, do_center_crop: false, crop_size: 224 }, 'p').crop, null);
  // EfficientNet's own default was another one before version 5 of the library.
  refused(() => readPreprocess({ image_processor_type: 'EfficientNetImageProcessor' }, 'p'), 'resample', 'default is not known');
});

test('a field that changes the pixels and is not done here is refused by name; one that says nothing is not', () => {
  const changes: Record<string, unknown> = {
    ...{ do_pad: true, do_flip_channel_order: true, do_grayscale: true, do_thumbnail: true, keep_aspect_ratio: true, offset: true },
    ...{ use_square_size: true, ensure_multiple_of: 32, size_divisor: 32, crop_pct: 0.9, rescale_offset: true, auto_map: {} },
  };
  for (const [key, value] of Object.entries(changes)) refused(() => readPreprocess({ ...vit, [key]: value }, 'p.json'), 'p.json', key);
  for (const size of [
    { longest_edge: 224 },
    { shortest_edge: 224, longest_edge: 300 },
    { max_height: 9, max_width: 9 },
    {},
    { height: 8 },
    'a',
  ])
    refused(() => readPreprocess({ ...vit, size }, 'p.json'), 'size');
  const harmless = { do_convert_rgb: true, do_pad: false, do_reduce_labels: false, data_format: 'channels_first', size_divisor: null };
  assert.equal(readPreprocess({ ...vit, ...harmless }, 'p'), readPreprocess(vit, 'p'));
});

test('a number for a size is a square or the shorter side, by class or by default_to_square', () => {
  const clip = { image_processor_type: 'CLIPImageProcessorFast', size: 240 };
  assert.equal(readPreprocess(clip, 'p').resize, { mode: 'shortest', edge: 240 });
  assert.equal(readPreprocess({ ...clip, default_to_square: true }, 'p').resize, { mode: 'exact', height: 240, width: 240 });
  assert.equal(readPreprocess({ ...vit, size: [160, 224] }, 'p').resize, { mode: 'exact', height: 160, width: 224 });
});

test('a file that names no class is read as that of the model', () => {
  const file = { size: 224, resample: 2, do_normalize: false };
  assert.is(readPreprocess(file, 'p', undefined, 'vit').crop, null);
  assert.equal(readPreprocess(file, 'p', undefined, 'mobilenet_v2').crop, { height: 224, width: 224, rounding: 'floor' });
});

test('pictures that are not square: stretched, or as small as covers height and width', () => {
  assert.equal(readPreprocess(vit, 'p', [96, 160]).resize, { mode: 'exact', height: 96, width: 160 });
  const m = readPreprocess(mobile, 'p', [112, 224]);
  assert.equal(
    [m.resize, m.crop],
    [
      { mode: 'cover', height: 128, width: 256 },
      { height: 112, width: 224, rounding: 'floor' },
    ],
  );
  const c = { image_processor_type: 'ConvNextImageProcessor', size: { shortest_edge: 224 }, crop_pct: 0.875 };
  assert.equal(readPreprocess(c, 'p', [112, 224]).resize, { mode: 'cover', height: 128, width: 256 });
  assert.equal(readPreprocess(c, 'p', [384, 512]), {
    ...readPreprocess(c, 'p'),
    resize: { mode: 'exact', height: 384, width: 512 },
    crop: null,
  });
  assert.equal(readPreprocess(timm, 'p', [90, 180]).resize, { mode: 'cover', height: 100, width: 200 });
  // As its own file may ask: the shorter side first, whatever the crop.
  const own = { ...mobile, crop_size: { height: 160, width: 250 } };
  assert.equal(readPreprocess(own, 'p').resize, { mode: 'shortest', edge: 256 });
  assert.equal(checkPreprocess(JSON.parse(JSON.stringify(m)), 'a'), m);
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
  refused(() => readPreprocess({ ...vit, image_processor_type: 'PerceiverImageProcessor' }, 'p.json'), 'PerceiverImageProcessor', 'ViT');
  refused(() => readPreprocess({ size: 224 }, 'p.json'), 'image_processor_type, got undefined');
  refused(() => readPreprocess({ ...vit, resample: 6 }, 'p'), 'resample, got 6', '0 (nearest)');
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
