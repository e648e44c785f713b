/**
 * Hugging Face's `preprocessor_config.json`, read by its fields. A processor's name gives what its class takes where a field is absent, and its
 * own ways, of which there are few; one that is not known here must say everything itself. Where the library's backends differ, Pillow's holds.
 */
import { InputError, shown, shownValue } from '../base/error.ts';
import { type Config, flag, only, openConfig, refuseUnread } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import { RESAMPLES, type Resample } from '../pictures/resample.ts';
import { divisors, finite, perChannel, pixels, type Size, shareOf, sizeOf } from './fields.ts';
import { type Frame, framedFor, keeping, type Preprocess } from './resized.ts';

type Json = Record<string, unknown>;

/** What a class takes where the file is silent. */
interface Defaults {
  /** A number stands for both sides of a square, or for the shorter side. */
  square: boolean;
  size: unknown;
  /** Absent: the class cuts nothing out. */
  crop?: number;
  /** Has a crop's size, but cuts only when told to. */
  cuts?: false;
  /** Absent: not the same in all versions of the library, so the file must say it. */
  resample?: number;
  stats: 'half' | 'imagenet' | 'clip';
  /** Does not normalise unless it is told to. */
  normalizes?: false;
  /** Hands blue over first. */
  reverses?: true;
  /**
   * share: `size` is what the model sees and `crop_pct` its share of the resized picture, from 384 pixels on all of it. scaled: `size` is
   * enlarged by `crop_pct` before the crop. levit: the shorter side is 256/224 of `size`. top: EfficientNet's `rescale_offset` and `include_top`.
   */
  way?: 'share' | 'scaled' | 'levit' | 'top';
}

const STATS: Record<Defaults['stats'], { mean: number[]; std: number[] }> = {
  half: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  clip: { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
};

const [BILINEAR, BICUBIC] = [2, 3];
const clip: Defaults = { square: false, size: { shortest_edge: 224 }, crop: 224, resample: BICUBIC, stats: 'clip' };
const mobile: Defaults = { square: false, size: { shortest_edge: 256 }, crop: 224, resample: BILINEAR, stats: 'half' };

const CLASSES: Readonly<Record<string, Defaults>> = {
  ViT: { square: true, size: 224, resample: BILINEAR, stats: 'half' },
  DeiT: { square: true, size: 256, crop: 224, resample: BICUBIC, stats: 'half' },
  Beit: { square: true, size: 224, crop: 224, cuts: false, resample: BICUBIC, stats: 'half' },
  Bit: clip,
  CLIP: clip,
  ChineseCLIP: clip,
  Blip: { square: true, size: 384, resample: BICUBIC, stats: 'clip' },
  ConvNext: { square: false, size: { shortest_edge: 384 }, resample: BICUBIC, stats: 'half', way: 'share' },
  EfficientNet: { square: true, size: 346, crop: 289, cuts: false, stats: 'half', way: 'top' },
  Levit: { square: false, size: { shortest_edge: 224 }, crop: 224, resample: BICUBIC, stats: 'imagenet', way: 'levit' },
  MobileViT: { square: false, size: { shortest_edge: 224 }, crop: 256, stats: 'half', normalizes: false, reverses: true },
  MobileNetV1: mobile,
  MobileNetV2: mobile,
  PoolFormer: { square: false, size: { shortest_edge: 224 }, crop: 224, resample: BICUBIC, stats: 'imagenet', way: 'scaled' },
  Pvt: { square: true, size: 224, resample: BICUBIC, stats: 'imagenet' },
  Siglip: { square: false, size: { height: 224, width: 224 }, resample: BICUBIC, stats: 'half' },
};

/** Classes whose steps are others, or come in another order, for the same fields. */
const OTHERS = ['Perceiver', 'DINOv3ViT', 'GLPN', 'TextNet', 'Vilt'];

/** Fields that say nothing of pixels, or nothing of RGB pictures: how arrays lie and are handed over, and labels of segmentation. */
const HARMLESS = [
  ...['processor_class', '_processor_class', '_valid_processor_keys', '_valid_kwargs_names', 'model_input_names', '_auto_class'],
  ...['data_format', 'input_data_format', 'device', 'return_tensors', 'disable_grouping', 'backend', 'pad_size'],
  ...['do_reduce_labels', 'reduce_labels', 'image_seq_length', 'transformers_version'],
];

/** Fields that change the pixels in ways that are not known here, and the values that do not. */
const NOT_KNOWN: readonly (readonly [string, unknown])[] = [
  ['do_pad', false],
  ['do_thumbnail', false],
  ['do_align_long_axis', false],
  ['do_grayscale', false],
  ['use_square_size', false],
  ['keep_aspect_ratio', false],
  ['ensure_multiple_of', 1],
  ['offset', false],
];

/** What is known of a network beside its processor's file. */
interface For {
  image?: Size | undefined;
  /** The configuration's, whose class holds where the file names none. */
  modelType?: string | undefined;
  channels?: number;
}

/** Reads the fields. */
export function readProcessor(json: Json, where: string, { image, modelType, channels = 3 }: For = {}): Preprocess {
  const c = openConfig({ where, values: json });
  const name = nameOf(c, modelType);
  const known = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  ignore(c, HARMLESS);
  for (const [key, harmless] of NOT_KNOWN) only(c, key, harmless);
  // Three channels are what it makes of any picture.
  if (channels === 3) ignore(c, ['do_convert_rgb']);
  else only(c, 'do_convert_rgb', false);
  if (!flag(c, 'do_resize', true)) throw new InputError({ where, what: 'do_resize must not be false: pictures of one size are needed' });
  // A crop's size alone does not say whether a class that is not known cuts.
  if (known === undefined && (c.get('crop_size') ?? undefined) !== undefined) needed(c, 'do_center_crop', name, undefined);
  const cuts = flag(c, 'do_center_crop', known?.crop !== undefined && known.cuts !== false);
  const frame = known?.way === 'share' ? sharedFrame(c, cuts, image) : plainFrame(c, cuts, name, known, image);
  const resample = resampleOf(where, needed(c, 'resample', name, known?.resample));
  const spec = { ...frame, resample, ...numbers(c, name, known, channels), ...order(c, known, channels) };
  refuseUnread(c, 'it may change what pictures become');
  return spec;
}

/** A key's value, or the class's default; of a class that is not known the key must be there. */
function needed(c: Config, key: string, name: string, preset: unknown): unknown {
  const value = c.get(key) ?? preset;
  if (value !== undefined) return value;
  throw new InputError({
    where: c.where,
    what: `key "${key}" is missing, and its default is not known`,
    got: `image_processor_type ${shown(name)}`,
    expected: 'the key',
  });
}

/** Classes of files that name none, by the configuration's model_type. */
const BY_MODEL: Readonly<Record<string, string>> = {
  vit: 'ViT',
  vit_mae: 'ViT',
  deit: 'DeiT',
  swin: 'ViT',
  swinv2: 'ViT',
  pvt_v2: 'Pvt',
  mobilenet_v2: 'MobileNetV2',
  resnet: 'ConvNext',
  regnet: 'ConvNext',
  convnext: 'ConvNext',
  convnextv2: 'ConvNext',
  beit: 'Beit',
  'data2vec-vision': 'Beit',
  clip: 'CLIP',
  clip_vision_model: 'CLIP',
  dinov2: 'Bit',
  dinov2_with_registers: 'Bit',
  dinov3_vit: 'ViT',
  efficientnet: 'ViT',
  ijepa: 'ViT',
  mobilenet_v1: 'MobileNetV1',
  mobilevit: 'MobileViT',
  siglip: 'Siglip',
  siglip_vision_model: 'Siglip',
};

/** Model types whose published folders have other statistics than ImageNet's. */
const STATS_BY_MODEL: Readonly<Record<string, Defaults['stats']>> = {
  beit: 'half',
  'data2vec-vision': 'half',
  clip: 'clip',
  clip_vision_model: 'clip',
  mobilenet_v1: 'half',
  mobilenet_v2: 'half',
  siglip: 'half',
  siglip_vision_model: 'half',
  vit: 'half',
};

function nameOf(c: Config, modelType: string | undefined): string {
  const [image, features, whole] = ['image_processor_type', 'feature_extractor_type', 'processor_class'].map((key) => c.get(key));
  const type = image ?? features ?? whole ?? BY_MODEL[modelType ?? ''];
  const name = String(type).replace(/(ImageProcessor|FeatureExtractor|Processor)(Fast|Pil)?$/, '');
  if (type === undefined || OTHERS.includes(name))
    throw new InputError({
      where: c.where,
      what: 'unsupported image_processor_type',
      got: String(type),
      expected: `one that resizes, crops, rescales and normalises, such as ${Object.keys(CLASSES).slice(0, 6).join(', ')} (ImageProcessor)`,
    });
  return name;
}

/** `size` to resize to, `crop_size` to cut out. */
function plainFrame(c: Config, cuts: boolean, name: string, known: Defaults | undefined, image: Size | undefined): Frame {
  const { where } = c;
  const given = c.get('crop_size');
  const crop = cuts ? { ...sizeOf(where, 'crop_size', needed(c, 'crop_size', name, known?.crop)), rounding: 'floor' as const } : null;
  if (!cuts && given !== undefined && given !== null) sizeOf(where, 'crop_size', given);
  const size = needed(c, 'size', name, known?.size);
  const square = flag(c, 'default_to_square', known?.square ?? true);
  const share = known?.way === 'scaled' ? (c.get('crop_pct') ?? 0.9) : undefined;
  const enlarged = (edge: number): number => {
    if (known?.way === 'levit') return Math.trunc((256 / 224) * edge);
    return share === undefined ? edge : Math.trunc(edge / shareOf(where, 'crop_pct', share));
  };
  const edge = shortestEdge(where, size, square);
  const both = edge === undefined ? sizeOf(where, 'size', size) : undefined;
  // The share is of a square's shorter side too.
  const kept = share !== undefined && both?.height === both?.width ? both?.height : undefined;
  const resize = both && kept === undefined ? stretched(both) : keeping(squareOf(enlarged(edge ?? kept!)));
  const frame = { resize, crop };
  return image === undefined ? frame : framedFor(frame, image);

  function stretched({ height, width }: Size): Frame['resize'] {
    return share === undefined ? { mode: 'exact', height, width } : { mode: 'exact', height: enlarged(height), width: enlarged(width) };
  }
}

const squareOf = (edge: number): Size => ({ height: edge, width: edge });

/** The shorter side, where `size` gives that and not both. Every other way to give a size (longest_edge, max_height, …) is refused. */
function shortestEdge(where: string, size: unknown, square: boolean): number | undefined {
  if (typeof size === 'number') return square ? undefined : pixels(where, 'size', size);
  if (typeof size !== 'object' || size === null || Array.isArray(size)) return undefined;
  const given = Object.entries(size).filter(([, value]) => value !== null);
  const odd = given.find(([key]) => key !== 'height' && key !== 'width' && key !== 'shortest_edge');
  if (odd)
    throw new InputError({
      where,
      what: `unsupported size.${shown(odd[0])}`,
      got: shownValue(odd[1]),
      expected: 'height and width, or shortest_edge',
    });
  const { shortest_edge: edge } = size as Json;
  return edge === undefined || edge === null ? undefined : pixels(where, 'size.shortest_edge', edge);
}

/** From 384 pixels on this processor stretches the picture; below it resizes the shorter edge to size / crop_pct and cuts the centre. */
function sharedFrame(c: Config, cuts: boolean, image: Size | undefined): Frame {
  const { where } = c;
  if (cuts) throw new InputError({ where, what: 'unsupported do_center_crop beside crop_pct', got: 'true' });
  const size = c.get('size') ?? 384;
  ignore(c, ['crop_size', 'default_to_square']);
  const share = c.get('crop_pct') ?? 224 / 256;
  const seen = image ?? squareOf(shortestEdge(where, size, false) ?? pixels(where, 'size.shortest_edge', (size as Json).shortest_edge));
  if (Math.min(seen.height, seen.width) >= 384) return { resize: { mode: 'exact', ...seen }, crop: null };
  const of = (edge: number): number => Math.trunc(edge / shareOf(where, 'crop_pct', share));
  return { resize: keeping({ height: of(seen.height), width: of(seen.width) }), crop: { ...seen, rounding: 'floor' } };
}

/** Whether channels come in reverse order; where they are normalised too it is not said what comes first. */
function order(c: Config, known: Defaults | undefined, channels: number): Pick<Preprocess, 'reversed'> {
  if (!flag(c, 'do_flip_channel_order', known?.reverses ?? false)) return {};
  if (channels !== 3) only(c, 'do_flip_channel_order', false);
  if (flag(c, 'do_normalize', known?.normalizes ?? true)) only(c, 'do_flip_channel_order', false);
  return { reversed: true };
}

/** (pixel · scale − mean) / std. */
function numbers(c: Config, name: string, known: Defaults | undefined, channels: number): Pick<Preprocess, 'scale' | 'mean' | 'std'> {
  const { where } = c;
  const factor = finite(where, 'rescale_factor', c.get('rescale_factor') ?? 1 / 255);
  const rescales = flag(c, 'do_rescale', true);
  const scale = rescales ? factor : 1;
  const usual = known && STATS[known.stats];
  const normalizes = flag(c, 'do_normalize', known?.normalizes ?? true);
  // Read in any case: EfficientNet divides by it twice.
  const list = (value: unknown): unknown =>
    value === usual?.std || value === usual?.mean ? forChannels(value as number[], channels) : value;
  const ones = Array<number>(channels).fill(1);
  const given = normalizes || known ? divisors(where, 'image_std', list(needed(c, 'image_std', name, usual?.std)), channels) : ones;
  const mean = perChannel(where, 'image_mean', normalizes ? list(needed(c, 'image_mean', name, usual?.mean)) : 0, channels);
  ignore(c, ['image_mean', 'image_std']);
  const std = normalizes ? given : ones;
  if (known?.way !== 'top') return { scale, mean, std };
  // Less one after scaling, and divided by the deviation once more.
  const less = flag(c, 'rescale_offset', false) && rescales ? 1 : 0;
  const again = flag(c, 'include_top', true) ? given : ones;
  return { scale, mean: mean.map((m) => m + less), std: std.map((s, i) => s * again[i]!) };
}

/** A class's own numbers where they are the same for every channel: then they are for any number of channels. */
const forChannels = (usual: readonly number[], channels: number): readonly number[] =>
  usual.every((v) => v === usual[0]) ? Array<number>(channels).fill(usual[0]!) : usual;

function resampleOf(where: string, code: unknown): Resample {
  const found = RESAMPLES[Number(code)];
  if (typeof code === 'number' && found) return found;
  const expected = RESAMPLES.map((name, i) => `${i} (${name})`).join(', ');
  throw new InputError({ where, what: 'unsupported resample', got: shownValue(code), expected });
}

/**
 * What is assumed of a folder without a `preprocessor_config.json`: what the families' first publishers wrote into theirs. Their statistics are
 * those of ImageNet where `STATS_BY_MODEL` has no others.
 */
export function assumedProcessor(modelType: string, [height, width]: readonly [number, number], channels = 3): Preprocess {
  const { mean, std } = STATS[STATS_BY_MODEL[modelType] ?? 'imagenet'];
  const size = ['resnet', 'regnet', 'convnext', 'convnextv2'].includes(modelType)
    ? { size: { shortest_edge: 224 }, crop_pct: 0.875 }
    : modelType === 'mobilevit'
      ? { size: { shortest_edge: 288 }, resample: BILINEAR }
      : {};
  const by = ['swin', 'swinv2', 'efficientnet'].includes(modelType) ? { resample: BICUBIC } : {};
  const json = { image_mean: mean, image_std: std, ...size, ...by };
  return readProcessor(json, 'preprocessor_config.json is missing: preprocessing', { image: { height, width }, modelType, channels });
}

/** A `preprocessor_config.json` for these pictures, every field said; undefined where no processor keeps a picture's shape so, or reverses channels that are normalised. */
export function processorFor({ resize, resample, crop, scale, mean, std, reversed }: Preprocess): Json | undefined {
  if (resize.mode === 'cover' || crop?.rounding === 'even') return undefined;
  if (reversed && (mean.some((x) => x !== 0) || std.some((x) => x !== 1))) return undefined;
  return {
    image_processor_type: reversed ? 'MobileViTImageProcessor' : crop ? 'CLIPImageProcessor' : 'ViTImageProcessor',
    do_resize: true,
    size: resize.mode === 'exact' ? { height: resize.height, width: resize.width } : { shortest_edge: resize.edge },
    resample: RESAMPLES.indexOf(resample),
    do_center_crop: crop !== null,
    ...(crop ? { crop_size: { height: crop.height, width: crop.width } } : {}),
    do_rescale: true,
    rescale_factor: scale,
    ...(reversed ? { do_normalize: false, do_flip_channel_order: true } : { do_normalize: true, image_mean: mean, image_std: std }),
    do_convert_rgb: mean.length === 3,
  };
}
