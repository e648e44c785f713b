/**
 * How a checkpoint was published, told by its own tensor names: a library's class says less, since a folder's `architectures` is what somebody
 * wrote once, and the names are what there is to read.
 */
import { InputError, shownValue } from '../base/error.ts';
import type { Config, ConfigSource } from '../formats/config.ts';

/** The classes' first syllables, by model_type: `ViT` of ViTModel and ViTForImageClassification. */
export const CLASS_NAMES: Readonly<Record<string, string>> = {
  vit: 'ViT',
  vit_mae: 'ViTMAE',
  deit: 'DeiT',
  swin: 'Swin',
  swinv2: 'Swinv2',
  pvt_v2: 'PvtV2',
  mobilenet_v2: 'MobileNetV2',
  resnet: 'ResNet',
  regnet: 'RegNet',
  convnext: 'ConvNext',
  convnextv2: 'ConvNextV2',
  beit: 'Beit',
  'data2vec-vision': 'Data2VecVision',
  clip: 'CLIP',
  clip_vision_model: 'CLIPVision',
  dinov2: 'Dinov2',
  dinov2_with_registers: 'Dinov2WithRegisters',
  dinov3_vit: 'DINOv3ViT',
  efficientnet: 'EfficientNet',
  ijepa: 'IJepa',
  siglip: 'Siglip',
  siglip_vision_model: 'SiglipVision',
  mobilenet_v1: 'MobileNetV1',
  mobilevit: 'MobileViT',
};

/** Model types without a class of their own that has a head: a classifier is saved as one of these. */
const SAVED_AS: Readonly<Record<string, string>> = { vit_mae: 'vit' };
export const savedAs = (type: string): string => SAVED_AS[type] ?? type;
/** What stands before the names of its backbone in a classifier, and a point. */
export const prefixOf = (type: string): string => savedAs(type).replaceAll('-', '_');

/** The class that the configuration says was saved. */
function savedClass(c: Config): string {
  const names = c.get('architectures');
  return Array.isArray(names) ? String(names[0]) : '';
}

/**
 * A backbone saved alone (`ViTModel`, `ResNetModel`, …): Hugging Face puts its name before every tensor of it in a classifier, and nothing there.
 * Without weights the class that config.json names decides.
 */
export function isBare(c: Config): boolean {
  const type = String(c.get('model_type'));
  // DINOv3 has no class with a head, so nothing stands before its names anywhere.
  if (!Object.hasOwn(CLASS_NAMES, type) || type === 'dinov3_vit') return false;
  if (c.tensors === undefined || c.tensors.size === 0) return savedClass(c) === `${CLASS_NAMES[type]}Model`;
  for (const name of c.tensors.keys()) if (name.startsWith(`${prefixOf(type)}.`)) return false;
  return [...c.tensors.keys()].some((name) => /^(embeddings|embedder|conv_stem|encoder)\./.test(name));
}

/** What stands before the names of a Hugging Face backbone. */
export const backbonePrefix = (c: Config): string => (isBare(c) ? '' : `${prefixOf(String(c.get('model_type')))}.`);

/** Does the checkpoint have this tensor? `otherwise` where there are no weights to ask. */
export const holds = (c: Config, tensor: string, otherwise: boolean): boolean => c.tensors?.has(tensor) ?? otherwise;

/** DeiT with a teacher has two classifiers, whose logits are averaged. */
export const hasTeacher = (c: Config): boolean => holds(c, 'cls_classifier.weight', savedClass(c).endsWith('WithTeacher'));

/** Where Hugging Face's classes of the families keep their classifier. */
const HEADS = ['classifier', 'classifier.1', 'cls_classifier'];

/**
 * Labels of the checkpoint's own head, by row; undefined where none are named. Hugging Face writes neither `id2label` nor `num_labels` for two
 * classes, its default: there the head itself says that it is one.
 */
export function labelsOf(c: Config): string[] | undefined {
  const [id2label, names] = [c.get('id2label'), c.get('label_names')];
  if (isLabelled(id2label)) return Object.keys(id2label).map((_, i) => String(id2label[String(i)]));
  if (Array.isArray(names) && names.every((n) => typeof n === 'string')) return names;
  if (id2label !== undefined && id2label !== null) return undefined;
  const isHuggingFace = Object.hasOwn(CLASS_NAMES, String(c.get('model_type')));
  const unsaid = isHuggingFace && HEADS.some((head) => c.tensors?.get(`${head}.weight`)?.[0] === 2) ? 2 : undefined;
  const n = c.get('num_labels') ?? c.get('num_classes') ?? unsaid;
  return Number.isSafeInteger(n) && (n as number) > 0 ? Array.from({ length: n as number }, (_, i) => `LABEL_${i}`) : undefined;
}

/** `{"0": "cat", "1": "dog"}`, every row from 0 on with a text, or a number, which is as good as one. */
function isLabelled(value: unknown): value is Record<string, string | number> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const rows = Object.keys(value);
  const of = value as Record<string, unknown>;
  return rows.length > 0 && rows.every((_, i) => Object.hasOwn(of, String(i)) && /^(string|number)$/.test(typeof of[String(i)]));
}

/** Why a folder's own head cannot be used: it has none, or does not say what its rows are. */
export function unnamedHead({ where, values }: ConfigSource): InputError {
  const { id2label } = values;
  if (id2label !== undefined && id2label !== null)
    return new InputError({
      where,
      what: 'id2label does not name every class of the head',
      got: shownValue(id2label),
      expected: 'a text for each row: {"0": …, "1": …}',
    });
  return new InputError({
    where,
    what: 'names no classes (id2label, num_labels, label_names or num_classes), so the folder has no head that can be used',
    hint: 'give an adapter',
  });
}
