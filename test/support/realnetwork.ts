/** The models of the memory targets at full size: configurations alone, planning needs no weights. */
import { type Model, parseModel } from '../../src/import/index.ts';

const vit = (dim: number, heads: number, depth = 12): Model =>
  parseModel({
    where: 'config.json',
    values: {
      model_type: 'vit',
      hidden_size: dim,
      num_attention_heads: heads,
      num_hidden_layers: depth,
      intermediate_size: 4 * dim,
      image_size: 224,
      patch_size: 16,
    },
  });

const mobilenet = (tfPadding: boolean): Model =>
  parseModel({ where: 'config.json', values: { model_type: 'mobilenet_v2', image_size: 224, tf_padding: tfPadding } });

export const VITS: Readonly<Record<string, Model>> = {
  'vit-tiny': vit(192, 3),
  'vit-small': vit(384, 6),
  'vit-base': vit(768, 12),
  'vit-large': vit(1024, 16, 24),
};
export const MOBILENETS: Readonly<Record<string, Model>> = {
  'mobilenetv2-1.0': mobilenet(true),
  'mobilenetv2-1.0 symmetric': mobilenet(false),
};
const swin = (dim: number, depths: number[], heads: number[]): Model =>
  parseModel({ where: 'config.json', values: { model_type: 'swin', embed_dim: dim, depths, num_heads: heads } });

export const SWINS: Readonly<Record<string, Model>> = {
  'swin-tiny': swin(96, [2, 2, 6, 2], [3, 6, 12, 24]),
  'swin-base': swin(128, [2, 2, 18, 2], [4, 8, 16, 32]),
};

/** Configurations that are nothing but defaults. */
export const CNNS: Readonly<Record<string, Model>> = {
  'mobilenetv3-large-1.0': parseModel({ where: 'config.json', values: { architecture: 'mobilenetv3_large_100' } }),
  'resnet-50': parseModel({ where: 'config.json', values: { model_type: 'resnet' } }),
  'convnext-tiny': parseModel({ where: 'config.json', values: { model_type: 'convnext' } }),
};
