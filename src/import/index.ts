/** From a model folder's config.json to a model that can be built. */

import { join } from 'node:path';
import { MOST_CHANNELS } from '../../assembly/abi/ops/pixels.ts';
import { InputError } from '../base/error.ts';
import { fileExists, isFolder, readJson } from '../base/files.ts';
import { type Config, type ConfigSource, integer, openConfig, refuseUnread, section } from '../formats/config.ts';
import { ignore, PRETRAINED, TIMM, TIMM_ARGS, TIMM_WRAPPER, TRANSFORMERS } from '../formats/harmless.ts';
import { refuseOtherFiles } from '../formats/otherfiles.ts';
import { hasWeights, openWeightsFile, tensorShapes } from '../formats/weightsfolder.ts';
import type { Builder } from '../network/builder.ts';
import { type DropRates, NO_DROP } from '../network/drop.ts';
import { hfDrop, timmDrop } from './droprates.ts';
import { readerOf } from './families.ts';
import type { Family, Library, Reader, Size, Spec } from './family.ts';
import { problemOf, thresholdsOf } from './problem.ts';
import { isBare, labelsOf } from './published.ts';
import { plainName } from './timm.ts';
import { unsupported } from './unsupported.ts';

export type { Spec } from './family.ts';

/** A network as its configuration describes it, whole and checked. */
export interface Model {
  /** The name that the configuration gives: model_type or architecture. */
  type: string;
  /** Whose configuration it is. */
  library: Library;
  /** Whose graph it is, and where its checkpoints keep what. */
  family: Family;
  /** Its family's numbers: widths, depths, names of tensors. */
  spec: Spec;
  /** Height and width that the network is built for. */
  image: readonly [number, number];
  /** Numbers of a position of what goes in: three of a colour picture. */
  channels: number;
  /** Labels of the checkpoint's own head, by row; undefined where it has none. */
  labels: string[] | undefined;
  /** What its own head answers, as `problem_type` says it; undefined where it does not. */
  problem?: string | undefined;
  /** From which probabilities its labels are answered, where a merged adapter says it. */
  thresholds?: readonly number[] | undefined;
  /** A Hugging Face backbone that was saved without a head: its tensors lack the prefix that they have in a classifier. */
  bare: boolean;
  /** What its configuration leaves out in training; a job applies it unless it says otherwise. */
  drop: DropRates;
}

/** The model_type under which transformers saves timm's models: the keys beside it are timm's. */
const WRAPPER = 'timm_wrapper';

/** The same of a folder's config.json. Throws InputError as `parseModel` does, and for a folder without one. */
export const readModel = (folder: string, imageSize?: Size): Model => parseModel(configOf(folder), imageSize);

/** Where a model folder's configuration is; a folder of another program's is refused with what it is. */
export function configPath(folder: string): string {
  const path = join(folder, 'config.json');
  if (!isFolder(folder) || fileExists(path)) return path;
  refuseOtherFiles(folder);
  const file = hasWeights(folder) ? openWeightsFile(folder) : undefined;
  file?.close();
  throw new InputError({
    where: path,
    what: 'no such file',
    ...(file ? { got: file.path, hint: 'say with --arch of which network these weights are, or write config.json (docs/models.md)' } : {}),
  });
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
export function parseModel(source: ConfigSource, imageSize?: Size): Model {
  const c = openConfig(source);
  const type = c.get('model_type');
  const { family, reader, name } = find(c);
  const spec = reader.read(c, name, imageSize);
  check(c.where, family, spec);
  const isTimm = reader.library === 'timm';
  const model = {
    type: name,
    library: reader.library,
    family,
    spec,
    image: spec.image,
    channels: channelsOf(c, reader.library),
    labels: labelsOf(c),
    problem: problemOf(c),
    thresholds: thresholdsOf(c),
    bare: isBare(c),
    drop:
      reader.library === 'torchvision'
        ? NO_DROP
        : isTimm
          ? timmDrop(c, typeof family.dropPath === 'function' ? family.dropPath(name) : (family.dropPath ?? 0))
          : hfDrop(c),
  };
  if (reader.library === 'torchvision') {
    section(c, 'arguments');
    ignore(c, ['library', 'architecture', 'num_classes', 'label_names']);
  } else if (isTimm) {
    ignore(c, type === WRAPPER ? [...TIMM, ...TIMM_WRAPPER] : TIMM);
    ignore(section(c, 'model_args'), TIMM_ARGS);
    // Files of timm before 0.9 keep these keys at the top.
    ignore(c.has('pretrained_cfg') ? section(c, 'pretrained_cfg') : c, PRETRAINED);
  } else ignore(c, TRANSFORMERS);
  refuseUnread(c);
  return model;
}

/** How many channels the first convolution reads; of a model of pictures and texts the half for pictures says it. */
function channelsOf(c: Config, library: Library): number {
  if (library === 'timm') return integer(section(c, 'model_args'), 'in_chans', 3, MOST_CHANNELS);
  return integer(c.has('vision_config') ? section(c, 'vision_config') : c, 'num_channels', 3, MOST_CHANNELS);
}

/** Who reads the configuration, and the name that it goes by. */
function find(c: Config): { family: Family; reader: Reader; name: string } {
  const [type, named] = [c.get('model_type'), c.get('architecture')];
  if (c.get('library') === 'torchvision') {
    const name = String(named);
    const found = readerOf('torchvision', name);
    if (found) return { ...found, name };
    throw unsupported(c.where, name, 'torchvision');
  }
  const isWrapped = type === WRAPPER;
  if (typeof type === 'string' && !isWrapped) {
    const found = readerOf('transformers', type);
    if (found) return { ...found, name: type };
    if (typeof named !== 'string') throw unsupported(c.where, type);
  }
  if (typeof named === 'string') {
    const name = plainName(named);
    const found = readerOf('timm', name);
    if (found) return { ...found, name };
    throw unsupported(c.where, typeof type === 'string' && !isWrapped ? type : name);
  }
  throw new InputError({
    where: c.where,
    what: 'names no network: neither model_type (transformers) nor architecture (timm) is there',
    hint: "save it with model.save_pretrained, or timm's save_for_hf, which write config.json",
  });
}

/** Sizes that do not fit each other are refused here, with the configuration's name on them. */
function check(where: string, family: Family, spec: Spec): void {
  family.check?.(where, spec);
  const [h, w] = spec.image;
  if (!family.check && (h < 32 || w < 32))
    throw new InputError({ where, what: 'image size is too small', got: `${h}x${w}`, expected: 'at least 32x32' });
}

/** Appends the network's forward nodes; `x` is the normalised input [B,H,W,C]. Returns the logits. */
export function buildModel(b: Builder, x: number, { family, spec }: Model, classes: number): number {
  b.input = x;
  return family.build(b, x, spec, classes);
}

/** The checkpoint's own classifiers: of several the logits are the mean. */
export const headsOf = ({ family, spec }: Model): readonly string[] => family.heads(spec);
