/** transformers' Vision Transformers besides ViT and DeiT: the halves for pictures of CLIP (arXiv 2103.00020) and SigLIP (2303.15343), I-JEPA (2301.08243), DINOv2 (2304.07193). */
import { Kind } from '../../assembly/generated/kinds.ts';
import { absent, type Config, flag, integer, MOST_LAYERS, pair, real } from '../formats/config.ts';
import { ignore, TRANSFORMERS } from '../formats/harmless.ts';
import type { Size } from './family.ts';
import { activationOf, hfVit } from './huggingface.ts';
import { holds } from './published.ts';
import type { Vit, VitNames } from './vit.ts';

type Sizes = Pick<Vit, 'image' | 'pretrainedImage' | 'patch' | 'dim' | 'depth' | 'heads' | 'eps'>;

function sizesOf(c: Config, image: Size, eps: number): Sizes {
  const pretrainedImage = pair(c, 'image_size', 224);
  return {
    image: image ?? pretrainedImage,
    pretrainedImage,
    patch: pair(c, 'patch_size', 16),
    dim: integer(c, 'hidden_size', 768),
    depth: integer(c, 'num_hidden_layers', 12, MOST_LAYERS),
    heads: integer(c, 'num_attention_heads', 12),
    eps: real(c, 'layer_norm_eps', eps),
  };
}

/** `model_type` clip, siglip (the half for pictures of both) and clip_vision_model, siglip_vision_model (that half alone). */
export function hfTower(c: Config, type: string, image: Size): Vit {
  const isClip = type.startsWith('clip');
  const vision = type.endsWith('_vision_model') ? c : c.section('vision_config');
  // The other half, what joins both, and how weights are drawn.
  const others = [
    'text_config',
    'text_config_dict',
    'vision_config_dict',
    'projection_dim',
    'logit_scale_init_value',
    'initializer_factor',
  ];
  ignore(c, others);
  if (vision !== c) ignore(vision, [...TRANSFORMERS, 'projection_dim', 'initializer_factor', 'dropout']);
  // The head that SigLIP was trained with, which its classifier does without.
  ignore(vision, ['vision_use_head']);
  const p = 'vision_model.';
  return {
    ...sizesOf(vision, image, isClip ? 1e-5 : 1e-6),
    mlp: integer(vision, 'intermediate_size', 3072),
    activation: activationOf(vision, isClip ? 'quick_gelu' : 'gelu_pytorch_tanh'),
    qkvBias: true,
    positionsCoverTokens: true,
    antialias: false,
    // As both classes for classification do.
    pool: 'mean',
    normFirst: true,
    names: {
      ...(isClip ? { cls: `${p}embeddings.class_embedding`, preNorm: `${p}pre_layrnorm` } : {}),
      positions: `${p}embeddings.position_embedding.weight`,
      plain: true,
      patches: `${p}embeddings.patch_embedding`,
      block(i) {
        const l = `${p}encoder.layers.${i}`;
        const a = `${l}.self_attn`;
        return {
          norm1: `${l}.layer_norm1`,
          norm2: `${l}.layer_norm2`,
          qkv: { q: `${a}.q_proj`, k: `${a}.k_proj`, v: `${a}.v_proj` },
          out: `${a}.out_proj`,
          fc1: `${l}.mlp.fc1`,
          fc2: `${l}.mlp.fc2`,
        };
      },
      // CLIP's last norm is the class token's alone, which its classifier does not read.
      ...(isClip ? {} : { norm: `${p}post_layernorm` }),
      heads: ['classifier'],
    },
  };
}

/** `model_type` ijepa: a ViT without a class token, whose head reads the mean. */
export function hfIJepa(c: Config, image: Size): Vit {
  const vit = hfVit(c, image);
  const { cls: _, ...names } = vit.names;
  return { ...vit, pool: 'mean', names };
}

/** Of the decoder that drew masked patches, in pretraining. */
export const PRETRAINING = [
  ...['decoder_num_attention_heads', 'decoder_hidden_size', 'decoder_num_hidden_layers', 'decoder_intermediate_size'],
  ...['mask_ratio', 'norm_pix_loss'],
] as const;

/** `model_type` vit_mae (arXiv 2111.06377): the encoder, a ViT whose head reads the class token. */
export function hfMae(c: Config, image: Size): Vit {
  ignore(c, PRETRAINING);
  return hfVit(c, image);
}

/** `model_type` dinov2 and dinov2_with_registers. */
export function hfDinov2(c: Config, type: string, image: Size): Vit {
  const p = c.tensors?.has('embeddings.cls_token') ? '' : `${type}.`;
  const sizes = sizesOf(c, image, 1e-6);
  const gated = flag(c, 'use_swiglu_ffn', false);
  // Two layers beside each other, or (before transformers 5) one of both.
  const apart = holds(c, `${p}encoder.layer.0.mlp.gate_proj.weight`, false);
  absent(c, 'pruned_heads');
  // Of masked pictures, of detectors that read several layers, and how the scales are drawn.
  ignore(c, ['use_mask_token', 'apply_layernorm', 'reshape_hidden_states', 'layerscale_value']);
  // A gate's function is SiLU, whatever the configuration says.
  const act = activationOf(c, 'gelu');
  const wide = sizes.dim * integer(c, 'mlp_ratio', 4, 64);
  const names: VitNames = {
    cls: `${p}embeddings.cls_token`,
    ...(type === 'dinov2'
      ? {}
      : { registers: { name: `${p}embeddings.register_tokens`, count: integer(c, 'num_register_tokens', 4, 64) } }),
    positions: `${p}embeddings.position_embeddings`,
    patches: `${p}embeddings.patch_embeddings.projection`,
    block(i) {
      const l = `${p}encoder.layer.${i}`;
      const a = `${l}.attention.attention`;
      return {
        norm1: `${l}.norm1`,
        norm2: `${l}.norm2`,
        qkv: { q: `${a}.query`, k: `${a}.key`, v: `${a}.value` },
        out: `${l}.attention.output.dense`,
        fc1: `${l}.mlp.${gated ? (apart ? 'up_proj' : 'weights_in') : 'fc1'}`,
        fc2: `${l}.mlp.${gated ? (apart ? 'down_proj' : 'weights_out') : 'fc2'}`,
        ...(gated ? { gate: apart ? `${l}.mlp.gate_proj` : 'packed' } : {}),
        scale: [`${l}.layer_scale1.lambda1`, `${l}.layer_scale2.lambda1`],
      };
    },
    norm: `${p}layernorm`,
    heads: ['classifier'],
  };
  return {
    ...sizes,
    // A gated MLP has two thirds of the width, in steps of 8.
    mlp: gated ? Math.floor((Math.floor((wide * 2) / 3) + 7) / 8) * 8 : wide,
    activation: gated ? Kind.Silu : act,
    qkvBias: flag(c, 'qkv_bias', true),
    positionsCoverTokens: true,
    antialias: false,
    pool: 'both',
    normFirst: true,
    names,
  };
}
