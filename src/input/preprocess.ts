/**
 * What is done to a picture before the model sees it: resize, centre crop, scale and normalise, read from a Hugging Face
 * `preprocessor_config.json` or a timm `config.json`. Resizing and cropping are done here, once, into the cache; scaling and
 * normalising are numbers that the engine applies to each batch.
 */

import { InputError, shownValue } from '../base/error.ts';
import { isRecord } from '../base/json.ts';
import { checkPictureChannels, premultiplied, rgbaPixels, unmultiply, withChannels } from '../pictures/channels.ts';
import { type Pixels, RESAMPLES, type Resample, resample } from '../pictures/resample.ts';
import { divisors, finite, type ImageSize, imageSizeOf, perChannel, pixels, sizeOf } from './fields.ts';
import { readProcessor } from './huggingface.ts';
import { type Frame, outputSize, type Preprocess, resizedSize, roundEven, target } from './resized.ts';
import { readTimm } from './timm.ts';

export type { ImageSize, Size } from './fields.ts';
export { outputSize, type Preprocess } from './resized.ts';

/**
 * Reads the specification from a parsed `preprocessor_config.json` (Hugging Face) or `config.json` with `pretrained_cfg` (timm).
 * `imageSize` makes pictures of that size instead, with the crop's share of the picture kept; `modelType`: the configuration's; `channels`: of
 * the pictures, grey, RGB or RGBA.
 */
export function readPreprocess(json: unknown, where: string, imageSize?: ImageSize, modelType?: string, channels = 3): Preprocess {
  if (!isRecord(json)) throw new InputError({ where, what: 'not a JSON object' });
  const image = imageSize === undefined ? undefined : imageSizeOf(imageSize, 'image size');
  const isTimm = 'pretrained_cfg' in json || 'architecture' in json;
  const read = isTimm ? readTimm(json, where, image, channels) : readProcessor(json, where, { image, modelType, channels });
  checkCrop(read, where);
  return read;
}

/** A crop lies within the resized picture, and there is one wherever pictures keep their shape. */
function checkCrop(frame: Frame, where: string): void {
  const { crop } = frame;
  const { height, width } = target(frame.resize);
  if (crop && (crop.height > height || crop.width > width))
    throw new InputError({
      where,
      what: 'the crop is larger than the resized picture',
      got: `${crop.height}×${crop.width}`,
      expected: `at most ${height}×${width}`,
    });
  outputSize(frame);
}

/**
 * The prepared picture, H × W × C (of as many channels as the specification has numbers for), of `picture` turned upright by its EXIF orientation (1 to 8). Rows are resized as they come
 * and the small result is turned, so a rotated photo is never held twice.
 */
export function preparePixels(decoded: Pixels, orientation: number, spec: Preprocess): Uint8Array {
  const channels = checkPictureChannels(spec.mean.length, 'preprocessing');
  const picture = withChannels(decoded, channels);
  const transposed = orientation >= 5;
  const mirrored = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const flipped = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  const upright = transposed ? { width: picture.height, height: picture.width } : { width: picture.width, height: picture.height };

  const full = resizedSize(upright, spec.resize);
  const { height, width } = outputSize(spec);
  const margin = (whole: number, part: number) =>
    spec.crop?.rounding === 'even' ? roundEven((whole - part) / 2) : Math.floor((whole - part) / 2);
  const left = margin(full.width, width);
  const top = margin(full.height, height);

  // The same window seen in the file's own orientation.
  const fileWidth = transposed ? full.height : full.width;
  const fileHeight = transposed ? full.width : full.height;
  const window = transposed ? { left: top, top: left, width: height, height: width } : { left, top, width, height };
  if (mirrored) window.left = fileWidth - window.left - window.width;
  if (flipped) window.top = fileHeight - window.top - window.height;
  const isResized = fileWidth !== picture.width || fileHeight !== picture.height;
  const byAlpha = channels === 4 && isResized && spec.resample !== 'nearest';
  const small = resample(byAlpha ? premultiplied(picture) : picture, fileWidth, fileHeight, window, spec.resample);
  if (byAlpha) unmultiply(small);
  if (orientation === 1) return small;

  const out = new Uint8Array(height * width * channels);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += channels) {
      let sx = transposed ? y : x;
      let sy = transposed ? x : y;
      if (mirrored) sx = window.width - 1 - sx;
      if (flipped) sy = window.height - 1 - sy;
      const from = (sy * window.width + sx) * channels;
      for (let c = 0; c < channels; c++) out[to + c] = small[from + c]!;
    }
  }
  return out;
}

/**
 * Prepares packed pixels that are already upright: RGB, RGBA (whose alpha only a network of four channels sees) or, for a network of one channel,
 * grey as it is.
 */
export function resizePacked(packed: Uint8Array, width: number, height: number, spec: Preprocess): Uint8Array {
  const isSized = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  const isGrey = spec.mean.length === 1;
  const given = packed.length / (width * height);
  if (!isSized || !(given === 3 || given === 4 || (given === 1 && isGrey))) {
    throw new InputError({
      where: 'picture',
      what: `wrong number of bytes for ${width}×${height} ${isGrey ? 'grey, RGB or RGBA' : 'RGB or RGBA'}`,
      got: packed.length,
      expected: `${isGrey ? `${width * height}, ` : ''}${width * height * 3} or ${width * height * 4}`,
    });
  }
  const line = width * given;
  const whole = (y: number, row: Uint8Array): void => row.set(packed.subarray(y * line, (y + 1) * line));
  if (given === 4) return preparePixels(rgbaPixels(packed, width, height), 1, spec);
  return preparePixels({ width, height, readRow: whole, ...(given === 1 ? { channels: 1 } : {}) }, 1, spec);
}

type Json = Record<string, unknown>;

/** A specification that comes from a file of ours: every field checked, nothing else let in. */
export function checkPreprocess(value: unknown, where: string): Preprocess {
  const fault = (key: string, got: unknown, expected: string): never => {
    throw new InputError({ where, what: `bad preprocessing.${key}`, got: shownValue(got), expected });
  };
  const record = (key: string, v: unknown): Json => (isRecord(v) ? v : fault(key, v, 'an object'));
  const json = record('', value);
  const resize = record('resize', json.resize);
  const { mode } = resize;
  if (mode !== 'exact' && mode !== 'shortest' && mode !== 'cover') fault('resize.mode', mode, 'exact, shortest or cover');
  const crop = json.crop === null ? null : record('crop', json.crop);
  const rounding = crop?.rounding;
  if (crop && rounding !== 'floor' && rounding !== 'even') fault('crop.rounding', rounding, 'floor or even');
  const by = json.resample;
  if (!RESAMPLES.includes(by as Resample)) fault('resample', by, RESAMPLES.join(', '));
  const channels = Array.isArray(json.mean) ? checkPictureChannels(json.mean.length, where) : 3;
  const { reversed } = json;
  if (reversed !== undefined && (reversed !== true || channels !== 3)) fault('reversed', reversed, 'none, or true of three channels');
  const spec: Preprocess = {
    resize:
      mode === 'shortest'
        ? { mode, edge: pixels(where, 'preprocessing.resize.edge', resize.edge) }
        : { mode: mode as 'exact' | 'cover', ...sizeOf(where, 'preprocessing.resize', resize) },
    resample: by as Resample,
    crop: crop && { ...sizeOf(where, 'preprocessing.crop', crop), rounding: rounding as 'floor' | 'even' },
    scale: finite(where, 'preprocessing.scale', json.scale),
    mean: perChannel(where, 'preprocessing.mean', json.mean, channels),
    std: divisors(where, 'preprocessing.std', json.std, channels),
    ...(reversed ? { reversed: true } : {}),
  };
  outputSize(spec);
  return spec;
}
