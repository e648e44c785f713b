/** timm's `pretrained_cfg`: how pictures were prepared for its checkpoints. */
import { InputError, shownValue } from '../base/error.ts';
import { isRecord } from '../base/json.ts';
import { RESAMPLES, type Resample } from '../pictures/resample.ts';
import { divisors, perChannel, pixels, type Size, shareOf } from './fields.ts';
import { keeping, type Preprocess } from './resized.ts';

type Json = Record<string, unknown>;

export function readTimm(json: Json, where: string, image?: Size, channels = 3): Preprocess {
  // Files of timm before 0.9 keep these keys at the top.
  const cfg = isRecord(json.pretrained_cfg) ? json.pretrained_cfg : json;
  const input = cfg.input_size;
  if (!Array.isArray(input) || input.length !== 3 || input[0] !== channels) {
    throw new InputError({
      where,
      what: 'wrong pretrained_cfg.input_size',
      got: shownValue(input),
      expected: `[${channels}, height, width]`,
      ...(channels === 3 ? {} : { hint: `model_args.in_chans is ${channels}` }),
    });
  }
  const { height, width } = image ?? { height: pixels(where, 'input_size', input[1]), width: pixels(where, 'input_size', input[2]) };
  const share = shareOf(where, 'crop_pct', cfg.crop_pct ?? 0.875);
  const mode = cfg.crop_mode ?? 'center';
  if (mode !== 'center' && mode !== 'squash') {
    throw new InputError({ where, what: 'unsupported crop_mode', got: shownValue(mode), expected: 'center or squash' });
  }
  const by = cfg.interpolation ?? 'bicubic';
  if (!RESAMPLES.includes(by as Resample)) {
    throw new InputError({ where, what: 'unsupported interpolation', got: shownValue(by), expected: RESAMPLES.join(', ') });
  }
  const scaled = { height: Math.floor(height / share), width: Math.floor(width / share) };
  return {
    resize: mode === 'squash' ? { mode: 'exact', ...scaled } : keeping(scaled),
    resample: by as Resample,
    crop: { height, width, rounding: 'even' },
    scale: 1 / 255,
    mean: perChannel(where, 'mean', spread(cfg.mean ?? [0.485, 0.456, 0.406], channels), channels),
    std: divisors(where, 'std', spread(cfg.std ?? [0.229, 0.224, 0.225], channels), channels),
  };
}

/** Numbers of three channels for a network of another number: timm takes the mean of them for each. */
function spread(value: unknown, channels: number): unknown {
  if (!Array.isArray(value) || value.length === channels || !value.every((v) => typeof v === 'number')) return value;
  return value.length === 0 ? value : value.reduce((a, b) => a + b, 0) / value.length;
}
