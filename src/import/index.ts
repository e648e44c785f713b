/** From a model folder's config.json to a model that can be built. */

import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { fileExists, isFolder, readJson } from '../base/files.ts';
import { type ConfigSource, openConfig, refuseUnread, section } from '../formats/config.ts';
import { ignore, PRETRAINED, TIMM, TIMM_ARGS, TIMM_WRAPPER, TRANSFORMERS } from '../formats/harmless.ts';
import { refuseOtherFiles } from '../formats/otherfiles.ts';
import { tensorShapes } from '../formats/safetensors.ts';
import type { Builder } from '../network/builder.ts';
import type { DropRates } from '../network/drop.ts';
import { type ConvNext, convNext, hfConvNext, isTimmConvNext, timmConvNext } from './convnext.ts';
import { hfDrop, timmDrop } from './droprates.ts';
import { hfMobileNet, hfSwin, hfVit } from './huggingface.ts';
import { type MobileNet, mobileNet } from './mobilenet.ts';
import { isTimmMobileNetV3, timmMobileNetV3 } from './mobilenetv3.ts';
import { type Onnx, onnx } from './onnx/build.ts';
import { isBare, labelsOf } from './published.ts';
import { hfResNet, isTimmResNet, type ResNet, resNet, timmResNet } from './resnet.ts';
import { checkSwin, type Swin, swin } from './swin.ts';
import { isTimmMobileNet, isTimmSwin, isTimmVit, plainName, timmMobileNet, timmSwin, timmVit } from './timm.ts';
import { unsupported } from './unsupported.ts';
import { type Vit, vit } from './vit.ts';

export type Spec = Vit | Swin | MobileNet | ResNet | ConvNext | Onnx;

/** A network as its configuration describes it, whole and checked. */
export interface Model {
  /** The name that the configuration gives: model_type or architecture. */
  type: string;
  /** Whose configuration it is. */
  library: 'transformers' | 'timm' | 'onnx';
  /** Its family's numbers: widths, depths, names of tensors. */
  spec: Spec;
  /** Height and width that the network is built for. */
  image: readonly [number, number];
  /** Labels of the checkpoint's own head, by row; undefined where it has none. */
  labels: string[] | undefined;
  /** A Hugging Face backbone that was saved without a head: its tensors lack the prefix that they have in a classifier. */
  bare: boolean;
  /** What its configuration leaves out in training; a job applies it unless it says otherwise. */
  drop: DropRates;
}

/** The model_type under which transformers saves timm's models: the keys beside it are timm's. */
const WRAPPER = 'timm_wrapper';

/** The same of a folder's config.json. Throws InputError as `parseModel` does, and for a folder without one. */
export const readModel = (folder: string, imageSize?: readonly [number, number]): Model => parseModel(configOf(folder), imageSize);

/** Where a model folder's configuration is; a folder of another program's is refused with what it is. */
export function configPath(folder: string): string {
  const path = join(folder, 'config.json');
  if (isFolder(folder) && !fileExists(path)) refuseOtherFiles(folder);
  return path;
}

/** A model folder's configuration, with its tensors where it holds weights. */
export function configOf(folder: string): ConfigSource {
  const where = configPath(folder);
  const tensors = tensorShapes(folder);
  return { where, values: readJson(where), ...(tensors ? { tensors } : {}) };
}

/**
 * Reads a configuration that is in memory; `imageSize` is height and width in pixels, the model's own where absent. Throws InputError for
 * a key that is not understood, or a family that is not supported.
 */
export function parseModel(source: ConfigSource, imageSize?: readonly [number, number]): Model {
  const c = openConfig(source);
  const type = c.get('model_type');
  const named = c.get('architecture');
  const architecture = typeof named === 'string' ? plainName(named) : undefined;
  let spec: Spec;
  if (type === 'vit' || type === 'deit') spec = hfVit(c, imageSize);
  else if (type === 'swin') spec = hfSwin(c, imageSize);
  else if (type === 'mobilenet_v2') spec = hfMobileNet(c, imageSize);
  else if (type === 'resnet') spec = hfResNet(c, imageSize);
  else if (type === 'convnext') spec = hfConvNext(c, imageSize);
  else if (architecture !== undefined && isTimmVit(architecture)) spec = timmVit(architecture, c, imageSize);
  else if (architecture !== undefined && isTimmSwin(architecture)) spec = timmSwin(architecture, c, imageSize);
  else if (architecture !== undefined && isTimmMobileNet(architecture)) spec = timmMobileNet(architecture, c, imageSize);
  else if (architecture !== undefined && isTimmMobileNetV3(architecture)) spec = timmMobileNetV3(architecture, c, imageSize);
  else if (architecture !== undefined && isTimmResNet(architecture)) spec = timmResNet(architecture, c, imageSize);
  else if (architecture !== undefined && isTimmConvNext(architecture)) spec = timmConvNext(architecture, c, imageSize);
  else if (typeof type === 'string' && type !== WRAPPER) throw unsupported(c.where, type);
  else if (architecture !== undefined) throw unsupported(c.where, architecture);
  else
    throw new InputError({
      where: c.where,
      what: 'names no network: neither model_type (transformers) nor architecture (timm) is there',
      hint: "save it with model.save_pretrained, or timm's save_for_hf, which write config.json",
    });
  checkGeometry(c.where, spec);
  const isTimm = type === WRAPPER || type === undefined;
  const model = {
    type: String(isTimm ? architecture : type),
    library: isTimm ? ('timm' as const) : ('transformers' as const),
    spec,
    image: spec.image,
    labels: labelsOf(c),
    bare: isBare(c),
    drop: isTimm ? timmDrop(c, spec.family === 'swin' ? 0.1 : 0) : hfDrop(c),
  };
  if (isTimm) {
    ignore(c, type === WRAPPER ? [...TIMM, ...TIMM_WRAPPER] : TIMM);
    ignore(section(c, 'model_args'), TIMM_ARGS);
    // Files of timm before 0.9 keep these keys at the top.
    ignore(c.has('pretrained_cfg') ? section(c, 'pretrained_cfg') : c, PRETRAINED);
  } else ignore(c, TRANSFORMERS);
  refuseUnread(c);
  return model;
}

/** Sizes that do not fit each other are refused here, with the configuration's name on them. */
function checkGeometry(where: string, spec: Spec): void {
  const fault = (what: string, got: string, expected: string): never => {
    throw new InputError({ where, what, got, expected });
  };
  if (spec.family === 'swin') {
    checkSwin(where, spec);
    return;
  }
  const [h, w] = spec.image;
  if (spec.family !== 'vit') {
    if (h < 32 || w < 32) fault('image size is too small', `${h}x${w}`, 'at least 32x32');
    return;
  }
  if (spec.dim % spec.heads !== 0) fault('hidden size does not divide into heads', `${spec.dim} / ${spec.heads}`, 'a whole number');
  if (spec.patch[0] !== spec.patch[1]) fault('patches are not square', spec.patch.join('x'), 'equal height and width');
  for (const [a, b] of [spec.image, spec.pretrainedImage]) {
    if (a % spec.patch[0] !== 0 || b % spec.patch[1] !== 0)
      fault('image size is not a multiple of the patch size', `${a}x${b}`, `multiples of ${spec.patch[0]}`);
  }
}

/** Appends the network's forward nodes; `x` is the normalised picture [B,H,W,3]. Returns the logits. */
export function buildModel(b: Builder, x: number, spec: Spec, classes: number): number {
  switch (spec.family) {
    case 'vit':
      return vit(b, x, spec, classes);
    case 'swin':
      return swin(b, x, spec, classes);
    case 'mobilenet':
      return mobileNet(b, x, spec, classes);
    case 'resnet':
      return resNet(b, x, spec, classes);
    case 'convnext':
      return convNext(b, x, spec, classes);
    case 'onnx':
      return onnx(b, x, spec, classes);
  }
}
