/**
 * How a model is named: by its folder or file, and, behind a `#`, by what such a file cannot say itself. Of weights of torch.save (or of
 * safetensors without a configuration) that is their network, `resnet18.pth#resnet18`, with `torchvision/` or `timm/` before it where it matters
 * whose.
 */
import { join } from 'node:path';
import { InputError, nearest, shown } from '../base/error.ts';
import { fileExists, isFolder } from '../base/files.ts';
import type { ConfigSource } from '../formats/config.ts';
import { hasWeights, isTorchFile, tensorShapes } from '../formats/weightsfolder.ts';
import { namesOf, readerOf } from './families.ts';
import { plainName } from './timm.ts';

/** A model's path, and what was said behind `#`. */
export interface ModelName {
  path: string;
  said?: string;
}

/** A path that is there is one, whatever signs are in it. */
export function modelName(text: string): ModelName {
  const at = text.indexOf('#');
  return at < 0 || fileExists(text) ? { path: text } : { path: text.slice(0, at), said: text.slice(at + 1) };
}

/** Files that are weights alone. */
export const isWeightsAlone = (path: string): boolean =>
  (isTorchFile(path) || /\.safetensors$/i.test(path)) && fileExists(path) && !isFolder(path);

const LIBRARIES = ['torchvision', 'timm'] as const;
/** A file's configuration, whose network's name was said. */
export type SaidConfig = ConfigSource & { library: (typeof LIBRARIES)[number] };

/** The configurations that a network's name may mean, torchvision's first. Throws InputError where it means none. */
export function configsSaid(path: string, said: string): SaidConfig[] {
  const where = `--arch ${shown(said)}`;
  if (isFolder(path) && fileExists(join(path, 'config.json')))
    throw new InputError({
      where,
      what: 'is said of a folder whose config.json says which network it is',
      got: path,
      hint: 'leave it out',
    });
  const [, of, name = said] = /^(torchvision|timm)\/(.*)$/s.exec(said) ?? [];
  const libraries = LIBRARIES.filter(
    (library) => (of ?? library) === library && readerOf(library, library === 'timm' ? plainName(name) : name) !== undefined,
  );
  if (libraries.length === 0) {
    const near = nearest(name, new Set(LIBRARIES.filter((library) => (of ?? library) === library).flatMap(namesOf)));
    throw new InputError({
      where,
      what: `is no network of ${of ?? "torchvision's or timm's"} that is read`,
      hint: `${near.length === 0 ? '' : `did you mean ${near.join(', ')}? `}docs/models.md lists them`,
    });
  }
  const tensors = hasWeights(path) ? tensorShapes(path) : undefined;
  return libraries.map((library) => ({
    where,
    library,
    values: library === 'timm' ? { architecture: name } : { library, architecture: name },
    ...(tensors ? { tensors } : {}),
  }));
}

/** Weights without a network. */
export const unsaid = (path: string): InputError =>
  new InputError({
    where: path,
    what: 'is weights alone, and does not say of which network',
    hint: 'say it with --arch, as --arch resnet18 (in a program model: "FILE#resnet18"), or give a folder with the file and its config.json',
  });
