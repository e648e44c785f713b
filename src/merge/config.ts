/** The merged folder's configuration: the base's, with the labels, the size of pictures and what else the weights now say. */
import { join } from 'node:path';
import type { Base } from '../base.ts';
import { processorFor } from '../data/huggingface.ts';
import { type Preprocess, readPreprocess } from '../data/preprocess.ts';
import { fileExists, readJson } from '../files.ts';
import { stableJson } from '../json.ts';
import { CLASS_NAMES } from '../models/published.ts';

type Json = Record<string, unknown>;

export interface Changes {
  labels: readonly string[];
  /** Biases of q, k, v were added. */
  qkvBias: boolean;
}

const section = (config: Json, key: string): Json => {
  const value = config[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...(value as Json) } : {};
};

/** config.json of the merged model. */
export function mergedConfig({ folder, model }: Base, changes: Changes): Json {
  const config = readJson(join(folder, 'config.json'));
  return 'architecture' in config ? timmConfig(config, model.image, changes) : huggingFaceConfig(config, model, changes);
}

function huggingFaceConfig(config: Json, { type, image, spec, bare }: Base['model'], { labels, qkvBias }: Changes): Json {
  const [h, w] = image;
  const before = config.image_size;
  const same = Array.isArray(before) ? before[0] === h && before[1] === w : before === h && h === w;
  // Where the key is absent its default holds, but for ResNets, which have no such key.
  const states = before !== undefined || (spec.family !== 'resnet' && (h !== 224 || w !== 224));
  const out: Json = {
    ...config,
    id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    num_labels: labels.length,
    ...(states && !same ? { image_size: h === w ? h : [h, w] } : {}),
    ...(qkvBias ? { qkv_bias: true } : {}),
    ...(bare ? { architectures: [`${CLASS_NAMES[type]}ForImageClassification`] } : {}),
  };
  for (const key of ['dtype', 'torch_dtype']) if (key in out) out[key] = 'float32';
  return out;
}

function timmConfig(config: Json, [h, w]: readonly [number, number], { labels, qkvBias }: Changes): Json {
  const args = section(config, 'model_args');
  const pretrained = section(config, 'pretrained_cfg');
  if ('num_classes' in args) args.num_classes = labels.length;
  if (qkvBias) args.qkv_bias = true;
  const input = pretrained.input_size;
  const same = Array.isArray(input) && input[1] === h && input[2] === w;
  if ('img_size' in args || (!same && /^(vit|deit|swin)/.test(String(config.architecture)))) args.img_size = [h, w];
  return {
    ...config,
    num_classes: labels.length,
    label_names: labels,
    model_args: args,
    pretrained_cfg: { ...pretrained, num_classes: labels.length, ...(same ? {} : { input_size: [3, h, w] }) },
  };
}

/**
 * preprocessor_config.json for pictures as the adapter wants them: the base's own where that says it, else one that says every field; undefined
 * where the base is timm's, or where no processor of the other library prepares pictures so.
 */
export function mergedProcessor({ folder, model }: Base, wanted: Preprocess): Json | undefined {
  const path = join(folder, 'preprocessor_config.json');
  if (!fileExists(path)) return model.library === 'timm' ? undefined : processorFor(wanted);
  const config = readJson(path);
  const isSaid = stableJson(readPreprocess(config, path, undefined, model.type)) === stableJson(wanted);
  return isSaid ? config : processorFor(wanted);
}
