/** How a family's readers are written down, by library. */
import type { Config } from '../formats/config.ts';
import type { Reader, Size, Spec } from './family.ts';

/** Names with a part each that changes: `named('resnet$', '18 34')`. */
export const named = (pattern: string, words: string): string[] => words.split(' ').map((word) => pattern.replace('$', word));

/** transformers' model types. */
export const transformers = <S extends Spec>(types: readonly string[], golden: readonly string[], read: Read<S>): Reader<S> => ({
  library: 'transformers',
  reads: (name) => types.includes(name),
  names: types,
  golden,
  read: (c, name, image) => read(c, image, name),
});
type Read<S> = (c: Config, image: Size, type: string) => S;

export const timm = <S extends Spec>(
  reads: (name: string) => boolean,
  names: readonly string[],
  golden: readonly string[],
  read: (name: string, c: Config, image: Size) => S,
): Reader<S> => ({ library: 'timm', reads, names, golden, read: (c, name, image) => read(name, c, image) });

/** torchvision's functions of these names. */
export const torchvision = <S extends Spec>(
  names: readonly string[],
  golden: readonly string[],
  read: (name: string, c: Config, image: Size) => S,
): Reader<S> => ({
  library: 'torchvision',
  reads: (name) => names.includes(name),
  names,
  golden,
  read: (c, name, image) => read(name, c, image),
});
