/** The merged folder's configuration: the base's, with the labels, the size of pictures and what else the weights now say. */
import { join } from 'node:path';
import { fileExists, readJson } from '../../base/files.ts';
import { stableJson } from '../../base/json.ts';
import { PRETRAINING } from '../../import/hfvit.ts';
import { headsOf } from '../../import/index.ts';
import type { ModelFolder } from '../../import/modelfolder.ts';
import { CLASS_NAMES, savedAs } from '../../import/published.ts';
import { processorFor } from '../../input/huggingface.ts';
import { type Preprocess, readPreprocess } from '../../input/preprocess.ts';
import { CLASSIFY, type TaskSettings, taskOf } from '../../task/index.ts';

type Json = Record<string, unknown>;

export interface Changes {
  labels: readonly string[];
  /** What the adapter was taught, where that is not one class of several. */
  task?: TaskSettings | undefined;
  /** Biases of q, k, v were added. */
  qkvBias: boolean;
}

const section = (config: Json, key: string): Json => {
  const value = config[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...(value as Json) } : {};
};

/** config.json of the merged model. */
export function mergedConfig({ folder, model, said }: ModelFolder, changes: Changes): Json {
  const config = said ?? readJson(join(folder, 'config.json'));
  if (model.library === 'torchvision') return torchvisionConfig(config, changes);
  return model.library === 'timm' ? timmConfig(config, model, changes) : huggingFaceConfig(config, model, changes);
}

/** Are there biases of q, k, v in the merged file? Undefined where the network has no such layers. */
const qkvBiases = ({ spec }: ModelFolder['model'], { qkvBias }: Changes): boolean | undefined =>
  'qkvBias' in spec ? spec.qkvBias === true || qkvBias : undefined;

function huggingFaceConfig(config: Json, model: ModelFolder['model'], changes: Changes): Json {
  const { type, image } = model;
  const { labels } = changes;
  const [h, w] = image;
  const before = config.image_size;
  const same = Array.isArray(before) ? before[0] === h && before[1] === w : before === h && h === w;
  // Where the key is absent its default holds, but for ResNets, which have no such key.
  const states = before !== undefined || (type !== 'resnet' && (h !== 224 || w !== 224));
  const biases = qkvBiases(model, changes);
  // Not every file says that it has none, and the library's default is that it has.
  const saysBiases = biases !== undefined && config.qkv_bias !== biases && ('qkv_bias' in config || !biases);
  const teacher = headsOf(model).length > 1 ? 'WithTeacher' : '';
  const out: Json = {
    ...config,
    ...(savedAs(type) === type ? {} : { model_type: savedAs(type) }),
    architectures: [`${CLASS_NAMES[savedAs(type)]}ForImageClassification${teacher}`],
    id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    num_labels: labels.length,
    ...(states && !same ? { image_size: h === w ? h : [h, w] } : {}),
    ...(saysBiases ? { qkv_bias: biases } : {}),
  };
  writeTask(out, changes);
  // Ours alone; the file has its norms now.
  delete out.batch_norm;
  if (savedAs(type) !== type) for (const key of PRETRAINING) delete out[key];
  for (const key of ['dtype', 'torch_dtype']) if (key in out) out[key] = 'float32';
  return out;
}

/** What the head answers: said where it is no class, or where the base said something. Thresholds of labels are a key of ours. */
function writeTask(out: Json, { task }: Changes): void {
  const { problemType } = taskOf(task?.name ?? CLASSIFY.name);
  if (task || (out.problem_type !== undefined && out.problem_type !== null)) out.problem_type = problemType;
  delete out.s2a_thresholds;
  const { threshold = [] } = task?.constants ?? {};
  if (threshold.some((t) => t !== 0.5)) out.s2a_thresholds = threshold;
}

function torchvisionConfig(config: Json, changes: Changes): Json {
  const out: Json = { ...config, num_classes: changes.labels.length, label_names: changes.labels };
  writeTask(out, changes);
  return out;
}

function timmConfig(config: Json, model: ModelFolder['model'], changes: Changes): Json {
  const { labels } = changes;
  const [h, w] = model.image;
  const args = section(config, 'model_args');
  const pretrained = section(config, 'pretrained_cfg');
  if ('num_classes' in args) args.num_classes = labels.length;
  const biases = qkvBiases(model, changes);
  if (biases !== undefined && args.qkv_bias !== biases && ('qkv_bias' in args || changes.qkvBias || !biases)) args.qkv_bias = biases;
  const input = pretrained.input_size;
  const same = Array.isArray(input) && input[1] === h && input[2] === w;
  if ('img_size' in args || (!same && /^(vit|deit|swin)/.test(String(config.architecture)))) args.img_size = [h, w];
  // Of the classes before: names, and a first row that timm would leave out.
  for (const key of ['label_names', 'label_descriptions', 'label_offset']) delete pretrained[key];
  const out: Json = {
    ...config,
    num_classes: labels.length,
    label_names: labels,
    model_args: args,
    pretrained_cfg: { ...pretrained, num_classes: labels.length, ...(same ? {} : { input_size: [model.channels, h, w] }) },
  };
  // transformers' wrapper around timm takes its labels from label_names, but from these where they are there.
  for (const key of ['id2label', 'label2id', 'num_labels', 'label_descriptions']) delete out[key];
  writeTask(out, changes);
  for (const key of ['dtype', 'torch_dtype']) if (key in out) out[key] = 'float32';
  return out;
}

/**
 * preprocessor_config.json for pictures as the adapter wants them: the base's own where that says it, else one that says every field; undefined
 * where the base is timm's, or where no processor of the other library prepares pictures so.
 */
export function mergedProcessor({ folder, model }: ModelFolder, wanted: Preprocess): Json | undefined {
  const path = join(folder, 'preprocessor_config.json');
  if (!fileExists(path)) return model.library === 'timm' ? undefined : processorFor(wanted);
  const config = readJson(path);
  const isSaid = stableJson(readPreprocess(config, path, undefined, model.type, model.channels)) === stableJson(wanted);
  return isSaid ? config : processorFor(wanted);
}
