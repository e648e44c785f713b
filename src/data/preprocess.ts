/**
 * What is done to a picture before the model sees it: resize, centre crop, scale and normalise, read from a Hugging Face
 * `preprocessor_config.json` or a timm `config.json`. Resizing and cropping are done here, once, into the cache; scaling and
 * normalising are numbers that the engine applies to each batch.
 */
import { InputError, shownValue } from '../error.ts';
import { isRecord } from '../json.ts';
import { only, openConfig, refuseUnread } from '../models/config.ts';
import { ignore } from '../models/harmless.ts';
import { type Pixels, type Resample, resample } from './resample.ts';

export interface Size {
  height: number;
  width: number;
}

export interface Preprocess {
  /** `exact` stretches to height × width; `shortest` keeps the shape and brings the shorter side to `edge`. */
  resize: { mode: 'exact'; height: number; width: number } | { mode: 'shortest'; edge: number };
  resample: Resample;
  /** Centre crop after resizing; an odd margin leaves the smaller half (`floor`) or the even half (`even`) before it. */
  crop: (Size & { rounding: 'floor' | 'even' }) | null;
  /** The model sees (pixel · scale − mean) / std. */
  scale: number;
  mean: [number, number, number];
  std: [number, number, number];
}

/** Height and width of every prepared picture. */
export function outputSize({ resize, crop }: Preprocess): Size {
  if (crop) return { height: crop.height, width: crop.width };
  if (resize.mode === 'exact') return { height: resize.height, width: resize.width };
  throw new InputError({ where: 'preprocessing', what: 'pictures of one size are needed', got: 'shortest-edge resize without a crop' });
}

type Json = Record<string, unknown>;

/** Where a specification came from, for its error sentences. */
interface Source {
  where: string;
  json: Json;
}

/**
 * Hugging Face processors that do resize → centre crop → rescale → normalise and nothing else, with their defaults. `share`: `size` is what
 * the model sees and `crop_pct` its share of the resized picture.
 */
const processors: Record<string, { crop: boolean | 'share'; square: boolean; resample: number }> = {
  ViT: { crop: false, square: true, resample: 2 },
  DeiT: { crop: true, square: true, resample: 3 },
  MobileNetV1: { crop: true, square: false, resample: 2 },
  MobileNetV2: { crop: true, square: false, resample: 2 },
  ConvNext: { crop: 'share', square: false, resample: 3 },
};

const resampleCodes: Record<number, Resample> = { 1: 'lanczos', 2: 'bilinear', 3: 'bicubic' };

/**
 * Reads the specification from a parsed `preprocessor_config.json` (Hugging Face) or `config.json` with `pretrained_cfg` (timm).
 * `imageSize` makes pictures of that size instead, with the crop's share of the picture kept.
 */
export function readPreprocess(json: unknown, where: string, imageSize?: number): Preprocess {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new InputError({ where, what: 'not a JSON object' });
  }
  if (imageSize !== undefined && !(Number.isInteger(imageSize) && imageSize >= 1 && imageSize <= 4096)) {
    throw new InputError({ where: 'image size', what: 'wrong size', got: imageSize, expected: 'a whole number from 1 to 4096' });
  }
  const source = { where, json: json as Json };
  const read = 'pretrained_cfg' in json || 'architecture' in json ? readTimm(source, imageSize) : readHuggingFace(source, imageSize);
  const { resize, crop } = read;
  const edge = resize.mode === 'exact' ? resize : { height: resize.edge, width: resize.edge };
  if (crop && (crop.height > edge.height || crop.width > edge.width)) {
    throw new InputError({
      where,
      what: 'the crop is larger than the resized picture',
      got: `${crop.height}×${crop.width}`,
      expected: `at most ${edge.height}×${edge.width}`,
    });
  }
  outputSize(read);
  return read;
}

/** Keys that are read here. */
const READ = [
  ...['image_processor_type', 'feature_extractor_type', 'processor_class', 'do_resize', 'size', 'resample', 'do_center_crop', 'crop_size'],
  ...['crop_pct', 'do_rescale', 'rescale_factor', 'do_normalize', 'image_mean', 'image_std'],
];
/** Pictures are RGB always; how arrays lie and are handed over is PyTorch's matter; labels to reduce are those of segmentation. */
const HARMLESS = [
  ...['_valid_processor_keys', 'do_convert_rgb', 'default_to_square', 'data_format', 'input_data_format', 'device', 'return_tensors'],
  ...['disable_grouping', 'do_reduce_labels', 'reduce_labels', '_processor_class', 'backend', 'pad_size', 'image_seq_length'],
];

function readHuggingFace({ where, json }: Source, imageSize?: number): Preprocess {
  const type = json.image_processor_type ?? json.feature_extractor_type ?? json.processor_class;
  const family = String(type).replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, '');
  const known = Object.hasOwn(processors, family) ? processors[family] : undefined;
  if (!known) {
    throw new InputError({
      where,
      what: 'unsupported image_processor_type',
      got: String(type),
      expected: Object.keys(processors)
        .map((p) => `${p}ImageProcessor`)
        .join(', '),
    });
  }
  const keys = openConfig({ where, values: json });
  ignore(keys, [...READ, ...HARMLESS]);
  only(keys, 'do_pad', false);
  refuseUnread(keys);
  if (json.do_resize === false) throw new InputError({ where, what: 'do_resize must not be false: pictures of one size are needed' });
  const { resize, crop } = known.crop === 'share' ? sharedFrame({ where, json }, imageSize) : frame({ where, json }, family, known);
  const code = json.resample ?? known.resample;
  const by = resampleCodes[Number(code)];
  if (!by)
    throw new InputError({ where, what: 'unsupported resample', got: String(code), expected: '1 (lanczos), 2 (bilinear) or 3 (bicubic)' });
  const normalize = json.do_normalize !== false;
  return override(
    {
      resize,
      resample: by,
      crop,
      scale: json.do_rescale === false ? 1 : finite(where, 'rescale_factor', json.rescale_factor ?? 1 / 255),
      mean: normalize ? triple(where, 'image_mean', json.image_mean ?? [0.5, 0.5, 0.5]) : [0, 0, 0],
      std: normalize ? divisors(where, 'image_std', json.image_std ?? [0.5, 0.5, 0.5]) : [1, 1, 1],
    },
    imageSize,
  );
}

type Frame = Pick<Preprocess, 'resize' | 'crop'>;

/** `size` to resize to, `crop_size` to cut out. */
function frame({ where, json }: Source, family: string, known: { crop: boolean | 'share'; square: boolean }): Frame {
  const crop = (json.do_center_crop ?? known.crop) ? squareOr(where, 'crop_size', json.crop_size ?? 224) : null;
  let resize: Preprocess['resize'];
  const size = json.size ?? (family === 'ViT' ? 224 : 256);
  if (typeof size === 'object' && size !== null && 'shortest_edge' in size) {
    resize = { mode: 'shortest', edge: pixels(where, 'size.shortest_edge', size.shortest_edge) };
  } else if (typeof size === 'number' && !known.square) {
    resize = { mode: 'shortest', edge: pixels(where, 'size', size) };
  } else {
    resize = { mode: 'exact', ...squareOr(where, 'size', size) };
  }
  return { resize, crop: crop && { ...crop, rounding: 'floor' } };
}

/** From 384 pixels on this processor stretches the picture; below it resizes the shorter edge to size / crop_pct and cuts the centre. */
function sharedFrame({ where, json }: Source, imageSize?: number): Frame {
  if (json.do_center_crop) throw new InputError({ where, what: 'unsupported do_center_crop beside crop_pct', got: 'true' });
  const size = typeof json.size === 'object' && json.size !== null ? (json.size as Json).shortest_edge : (json.size ?? 384);
  const edge = imageSize ?? pixels(where, 'size.shortest_edge', size);
  if (edge >= 384) return { resize: { mode: 'exact', height: edge, width: edge }, crop: null };
  const share = finite(where, 'crop_pct', json.crop_pct ?? 224 / 256);
  if (!(share > 0 && share <= 1)) throw new InputError({ where, what: 'wrong crop_pct', got: share, expected: 'above 0, at most 1' });
  return { resize: { mode: 'shortest', edge: Math.trunc(edge / share) }, crop: { height: edge, width: edge, rounding: 'floor' } };
}

function readTimm({ where, json }: Source, imageSize?: number): Preprocess {
  // Files of timm before 0.9 keep these keys at the top.
  const cfg = (typeof json.pretrained_cfg === 'object' && json.pretrained_cfg !== null ? json.pretrained_cfg : json) as Json;
  const input = cfg.input_size;
  if (!Array.isArray(input) || input.length !== 3 || input[0] !== 3) {
    throw new InputError({ where, what: 'wrong pretrained_cfg.input_size', got: JSON.stringify(input), expected: '[3, height, width]' });
  }
  const height = imageSize ?? pixels(where, 'input_size', input[1]);
  const width = imageSize ?? pixels(where, 'input_size', input[2]);
  const share = finite(where, 'crop_pct', cfg.crop_pct ?? 0.875);
  if (!(share > 0 && share <= 1)) throw new InputError({ where, what: 'wrong crop_pct', got: share, expected: 'above 0, at most 1' });
  const mode = cfg.crop_mode ?? 'center';
  if (mode !== 'center' && mode !== 'squash') {
    throw new InputError({ where, what: 'unsupported crop_mode', got: String(mode), expected: 'center or squash' });
  }
  if (mode === 'center' && height !== width) {
    throw new InputError({ where, what: 'unsupported input_size for crop_mode center', got: `${height}×${width}`, expected: 'a square' });
  }
  const by = cfg.interpolation ?? 'bicubic';
  if (by !== 'bilinear' && by !== 'bicubic' && by !== 'lanczos') {
    throw new InputError({ where, what: 'unsupported interpolation', got: String(by), expected: 'bilinear, bicubic or lanczos' });
  }
  const scaled = { height: Math.floor(height / share), width: Math.floor(width / share) };
  return {
    resize: mode === 'squash' ? { mode: 'exact', ...scaled } : { mode: 'shortest', edge: scaled.height },
    resample: by,
    crop: { height, width, rounding: 'even' },
    scale: 1 / 255,
    mean: triple(where, 'mean', cfg.mean ?? [0.485, 0.456, 0.406]),
    std: divisors(where, 'std', cfg.std ?? [0.229, 0.224, 0.225]),
  };
}

function override(spec: Preprocess, imageSize?: number): Preprocess {
  if (imageSize === undefined) return spec;
  const { resize, crop } = spec;
  if (!crop) return { ...spec, resize: { mode: 'exact', height: imageSize, width: imageSize } };
  const grown = (edge: number, cropped: number) => Math.floor((edge * imageSize) / cropped);
  return {
    ...spec,
    resize:
      resize.mode === 'exact'
        ? { mode: 'exact', height: grown(resize.height, crop.height), width: grown(resize.width, crop.width) }
        : { mode: 'shortest', edge: grown(resize.edge, Math.min(crop.height, crop.width)) },
    crop: { ...crop, height: imageSize, width: imageSize },
  };
}

function pixels(where: string, key: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 4096) return value;
  throw new InputError({ where, what: `wrong ${key}`, got: JSON.stringify(value), expected: 'a whole number from 1 to 4096' });
}

function squareOr(where: string, key: string, value: unknown): Size {
  if (typeof value === 'object' && value !== null) {
    const { height, width } = value as Json;
    return { height: pixels(where, `${key}.height`, height), width: pixels(where, `${key}.width`, width) };
  }
  const side = pixels(where, key, value);
  return { height: side, width: side };
}

function finite(where: string, key: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new InputError({ where, what: `wrong ${key}`, got: JSON.stringify(value), expected: 'a number' });
}

function triple(where: string, key: string, value: unknown): [number, number, number] {
  if (Array.isArray(value) && value.length === 3) {
    return [finite(where, key, value[0]), finite(where, key, value[1]), finite(where, key, value[2])];
  }
  throw new InputError({ where, what: `wrong ${key}`, got: JSON.stringify(value), expected: 'three numbers' });
}

function divisors(where: string, key: string, value: unknown): [number, number, number] {
  const three = triple(where, key, value);
  if (three.every((v) => v > 0)) return three;
  throw new InputError({ where, what: `wrong ${key}`, got: JSON.stringify(value), expected: 'numbers above 0' });
}

/** Python's round(): halves go to the even neighbour. */
function roundEven(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/**
 * The prepared picture, H × W × RGB, of `picture` turned upright by its EXIF orientation (1 to 8). Rows are resized as they come
 * and the small result is turned, so a rotated photo is never held twice.
 */
export function preparePixels(picture: Pixels, orientation: number, spec: Preprocess): Uint8Array {
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
  const small = resample(picture, fileWidth, fileHeight, window, spec.resample);
  if (orientation === 1) return small;

  const out = new Uint8Array(height * width * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      let sx = transposed ? y : x;
      let sy = transposed ? x : y;
      if (mirrored) sx = window.width - 1 - sx;
      if (flipped) sy = window.height - 1 - sy;
      const from = (sy * window.width + sx) * 3;
      out[to] = small[from]!;
      out[to + 1] = small[from + 1]!;
      out[to + 2] = small[from + 2]!;
    }
  }
  return out;
}

function resizedSize({ width, height }: Size, resize: Preprocess['resize']): Size {
  if (resize.mode === 'exact') return { width: resize.width, height: resize.height };
  const long = (side: number, short: number) => Math.trunc((resize.edge * side) / short);
  return width <= height ? { width: resize.edge, height: long(height, width) } : { width: long(width, height), height: resize.edge };
}

/** Prepares packed RGB pixels that are already upright. */
export function resizeRgb(rgb: Uint8Array, width: number, height: number, spec: Preprocess): Uint8Array {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0) || rgb.length !== width * height * 3) {
    throw new InputError({
      where: 'picture',
      what: `wrong number of bytes for ${width}×${height} RGB`,
      got: rgb.length,
      expected: width * height * 3,
    });
  }
  const readRow = (y: number, row: Uint8Array) => row.set(rgb.subarray(y * width * 3, (y + 1) * width * 3));
  return preparePixels({ width, height, readRow }, 1, spec);
}

/** A specification that comes from a file of ours: every field checked, nothing else let in. */
export function checkPreprocess(value: unknown, where: string): Preprocess {
  const fault = (key: string, got: unknown, expected: string): never => {
    throw new InputError({ where, what: `bad preprocessing.${key}`, got: shownValue(got), expected });
  };
  const record = (key: string, v: unknown): Json => (isRecord(v) ? v : fault(key, v, 'an object'));
  const json = record('', value);
  const resize = record('resize', json.resize);
  const { mode } = resize;
  if (mode !== 'exact' && mode !== 'shortest') fault('resize.mode', mode, 'exact or shortest');
  const crop = json.crop === null ? null : record('crop', json.crop);
  const rounding = crop?.rounding;
  if (crop && rounding !== 'floor' && rounding !== 'even') fault('crop.rounding', rounding, 'floor or even');
  const by = json.resample;
  if (by !== 'lanczos' && by !== 'bilinear' && by !== 'bicubic') fault('resample', by, 'lanczos, bilinear or bicubic');
  const spec: Preprocess = {
    resize:
      mode === 'exact'
        ? { mode, ...squareOr(where, 'preprocessing.resize', resize) }
        : { mode: 'shortest', edge: pixels(where, 'preprocessing.resize.edge', resize.edge) },
    resample: by as Resample,
    crop: crop && { ...squareOr(where, 'preprocessing.crop', crop), rounding: rounding as 'floor' | 'even' },
    scale: finite(where, 'preprocessing.scale', json.scale),
    mean: triple(where, 'preprocessing.mean', json.mean),
    std: divisors(where, 'preprocessing.std', json.std),
  };
  outputSize(spec);
  return spec;
}
