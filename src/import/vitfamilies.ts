/** The families that are Vision Transformers of one width, and by which names they are read. */
import { hfBeit, isBeit, timmBeit } from './beit.ts';
import { hfDinov3, isDinov3, isEva02, timmEva } from './eva.ts';
import type { Family } from './family.ts';
import { hfDinov2, hfIJepa, hfMae, hfTower } from './hfvit.ts';
import { hfVit } from './huggingface.ts';
import { named, timm, torchvision, transformers } from './readers.ts';
import { isTimmVit, timmVit } from './timm.ts';
import { tvVit } from './torchvision.ts';
import { checkVit, type Vit, vit, vitProjections } from './vit.ts';

const VIT: Family<Vit> = {
  title: 'ViT, DeiT',
  readers: [
    transformers(['vit', 'deit'], ['vit-hf', 'vit-hf-rect', 'vit-hf-f16', 'vit-hf-bf16', 'deit-hf'], hfVit),
    timm(
      isTimmVit,
      [
        ...named('vit_$_224', 'tiny_patch16 small_patch8 small_patch16 small_patch32 base_patch8 base_patch16 base_patch32'),
        ...named(
          'vit_$_gap_256',
          'wee_patch16_reg1 little_patch16_reg1 little_patch16_reg4 medium_patch16_reg4 mediumd_patch16_reg4 betwixt_patch16_reg4 base_patch16_reg4',
        ),
        ...named('vit_$_224', 'large_patch14 large_patch16 large_patch32 huge_patch14 small_patch16_36x1'),
        ...named('deit_$_patch16_224', 'tiny small base tiny_distilled small_distilled base_distilled'),
        ...named('deit3_$_patch16_224', 'small medium base large'),
        ...named('flexivit_$', 'small base large'),
      ],
      ['vit-timm', 'vit-timm-avg', 'vit-timm-gap', 'vit-timm-registers', 'deit-timm', 'deit3-timm'],
      timmVit,
    ),
    torchvision(named('vit_$', 'b_16 b_32 l_16 l_32 h_14'), ['vit-torchvision'], tvVit),
  ],
  build: vit,
  heads: ({ names }) => names.heads,
  replaced: ['head_dist', 'cls_classifier', 'distillation_classifier', 'pre_logits'],
  check: checkVit,
  projections: vitProjections,
};

const DINOV2: Family<Vit> = {
  ...VIT,
  title: 'DINOv2',
  readers: [
    transformers(['dinov2', 'dinov2_with_registers'], ['dinov2-hf', 'dinov2-hf-registers'], (c, image, type) => hfDinov2(c, type, image)),
    timm(
      (name) => isTimmVit(name) && /dinov2$/.test(name),
      named('vit_$_patch14_', 'small base large giant').flatMap((name) => [`${name}dinov2`, `${name}reg4_dinov2`]),
      ['dinov2-timm', 'dinov2-timm-registers', 'dinov2-timm-gated'],
      timmVit,
    ),
  ],
};

const DINOV3: Family<Vit> = {
  ...VIT,
  title: 'DINOv3 (ViT)',
  readers: [
    transformers(['dinov3_vit'], ['dinov3-hf'], hfDinov3),
    timm(
      isDinov3,
      named('vit_$_patch16_dinov3', 'tiny small small_plus base large huge_plus 7b')
        .flatMap((name) => [name, `${name}_qkvb`])
        .filter((name) => !/tiny_patch16_dinov3$|7b.*_qkvb/.test(name)),
      ['dinov3-timm', 'dinov3-timm-gated'],
      timmEva,
    ),
  ],
};

const EVA02: Family<Vit> = {
  ...VIT,
  title: 'EVA-02',
  readers: [
    timm(
      isEva02,
      named(
        'eva02_$',
        'tiny_patch14_224 tiny_patch14_336 small_patch14_224 small_patch14_336 base_patch14_224 base_patch14_448 large_patch14_224 large_patch14_448',
      ),
      ['eva02-timm', 'eva02-timm-normed'],
      timmEva,
    ),
  ],
};

const BEIT: Family<Vit> = {
  ...VIT,
  title: 'BEiT, BEiTv2',
  readers: [
    transformers(['beit'], ['beit-hf'], hfBeit),
    timm(
      isBeit,
      named('$', 'beit_base_patch16_224 beit_base_patch16_384 beit_large_patch16_224 beit_large_patch16_384 beit_large_patch16_512').concat(
        named('beitv2_$_patch16_224', 'base large'),
      ),
      ['beit-timm'],
      timmBeit,
    ),
  ],
};

const DATA2VEC: Family<Vit> = {
  ...VIT,
  title: 'Data2Vec',
  readers: [transformers(['data2vec-vision'], ['data2vec-hf'], hfBeit)],
};

const IJEPA: Family<Vit> = { ...VIT, title: 'I-JEPA', readers: [transformers(['ijepa'], ['ijepa-hf'], hfIJepa)] };

const MAE: Family<Vit> = {
  ...VIT,
  title: 'ViT-MAE: the encoder',
  readers: [transformers(['vit_mae'], ['vitmae-hf'], hfMae)],
  unread: [/^decoder\./],
};

const TOWERS: Family<Vit> = {
  ...VIT,
  title: 'CLIP, SigLIP: the half for pictures',
  readers: [
    transformers(['clip', 'clip_vision_model', 'siglip', 'siglip_vision_model'], ['clip-hf', 'siglip-hf'], (c, image, type) =>
      hfTower(c, type, image),
    ),
    timm(
      (name) => isTimmVit(name) && /_(clip|siglip)_/.test(name),
      [
        ...named(
          'vit_$_clip_224',
          'xsmall_patch16 medium_patch16 medium_patch32 betwixt_patch32 base_patch16 base_patch32 large_patch14 huge_patch14',
        ),
        ...named('vit_$_clip_quickgelu_224', 'base_patch16 base_patch32 large_patch14 huge_patch14'),
        ...named('vit_$', 'base_patch16_siglip_224 base_patch32_siglip_256 large_patch16_siglip_256 so400m_patch14_siglip_224'),
        ...named(
          'vit_$',
          'base_patch16_siglip_gap_224 base_patch32_siglip_gap_256 large_patch16_siglip_gap_256 so400m_patch14_siglip_gap_224',
        ),
      ],
      ['clip-timm', 'clip-timm-quick', 'siglip-timm', 'siglip-timm-latent'],
      timmVit,
    ),
  ],
  unread: [/^(text_model|visual_projection|text_projection)\./, /^logit_(scale|bias)$/, /^vision_model\.(post_layernorm|head)\./],
};

/** In the order in which a name is offered to them. */
export const VISION_TRANSFORMERS: readonly Family[] = [DINOV2, DINOV3, EVA02, BEIT, DATA2VEC, TOWERS, VIT, MAE, IJEPA];
