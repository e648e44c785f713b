/** Swin V2 (arXiv 2111.09883): what its readers know beyond those of v1. Hugging Face, timm and torchvision. */
import { type Config, only, section } from '../formats/config.ts';
import type { Size } from './family.ts';
import { hfSwin } from './huggingface.ts';
import { backbonePrefix } from './published.ts';
import { MOST_WINDOW, perStage } from './stages.ts';
import type { Stage, Swin } from './swin.ts';
import { SWINS, swinOf } from './timm.ts';
import { tvSwin } from './torchvision.ts';

type Block = ReturnType<Swin['names']['block']>;

/** As V2, with other names of some of a block's tensors. */
const asV2 = (v1: Swin, stages: readonly Stage[], renamed: (stage: number, i: number, v1: Block) => Partial<Block>): Swin => ({
  ...v1,
  stages,
  qkvBias: true,
  normsLast: true,
  dropsMlp: true,
  names: {
    ...v1.names,
    block(s, i) {
      const names = v1.names.block(s, i);
      return { ...names, ...renamed(s, i, names) };
    },
  },
});

/** Each stage's window in pretraining, of which 0 means its own. */
function trainedWith(c: Config, stages: readonly Stage[], preset: readonly number[]): Stage[] {
  const sizes = perStage(c, 'pretrained_window_sizes', preset, stages.length, MOST_WINDOW, 0);
  return stages.map((stage, s) => ({ ...stage, ...(sizes[s]! > 0 ? { trained: [sizes[s]!, sizes[s]!] as const } : {}) }));
}

/** `model_type` swinv2: windows are cut for the configuration's pictures, whatever comes. */
export function hfSwinV2(c: Config, image: Size): Swin {
  only(c, 'qkv_bias', true);
  const v1 = hfSwin(c, image);
  const p = backbonePrefix(c);
  const rows = Math.floor(v1.pretrainedImage[0] / v1.patch);
  const stages = v1.stages.map((stage, s): Stage => {
    const [window, map] = [stage.window[0], rows >> s];
    const size = Math.max(1, Math.min(window, map));
    return { ...stage, window: [size, size], rolls: map > window };
  });
  const named = asV2(v1, trainedWith(c, stages, [0, 0, 0, 0]), (s, i) => {
    const a = `${p}encoder.layers.${s}.blocks.${i}.attention.self`;
    return { positions: { scale: `${a}.logit_scale`, mlp: `${a}.continuous_position_bias_mlp` } };
  });
  return { ...named, shrink: 'never' };
}

const cosines = (attention: string): Pick<Block, 'positions'> => ({
  positions: { scale: `${attention}.logit_scale`, mlp: `${attention}.cpb_mlp` },
});

/** `window12to16_192to256`: trained with windows of 12 for pictures of 192 pixels, then with 16 for 256. */
const SWIN_V2 = /^swinv2_(tiny|small|base|large)_window(?:(\d+)to)?(\d+)_(?:\d+to)?(\d+)$/;
export const isTimmSwinV2 = (name: string): boolean => Object.hasOwn(SWINS, SWIN_V2.exec(name)?.[1] ?? '');

export function timmSwinV2(name: string, c: Config, image: Size): Swin {
  const [, size, before, window, side] = SWIN_V2.exec(name) as unknown as [string, string, string | undefined, string, string];
  const args = section(c, 'model_args');
  only(args, 'qkv_bias', true);
  const v1 = swinOf(c, image, size, 4, Number(window), Number(side));
  const full = Number(before ?? 0);
  return asV2(v1, trainedWith(args, v1.stages, [full, full, full, full / 2]), (s, i) => {
    const a = `layers.${s}.blocks.${i}.attn`;
    return { qkv: { rows: `${a}.qkv`, q: `${a}.q_bias`, v: `${a}.v_bias` }, ...cosines(a) };
  });
}

export function tvSwinV2(name: string, c: Config, image: Size): Swin {
  const v1 = tvSwin(name, c, image);
  return asV2(v1, v1.stages, (s, i) => cosines(`features.${2 * s + 1}.${i}.attn`));
}
