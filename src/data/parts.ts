/** Names of folders: the parts of a data set, and what systems leave on disks. */

export type PartName = 'train' | 'val' | 'test';

/** As people and programs name them, in any case. */
const WORDS: Readonly<Record<PartName, readonly string[]>> = {
  train: ['train', 'training'],
  val: ['val', 'valid', 'validation', 'dev'],
  test: ['test', 'testing'],
};
export const PART_NAMES = Object.keys(WORDS) as PartName[];

export const partOf = (name: string): PartName | undefined => PART_NAMES.find((part) => WORDS[part].includes(name.toLowerCase()));

/** Left by cameras, desktops, archives and file systems, as files or as folders; not worth a line. What begins with a dot is theirs too. */
const SYSTEM =
  /^(\..*|thumbs\.db|ehthumbs(_vista)?\.db|desktop\.ini|icon\r|lost\+found|system volume information|\$recycle\.bin|recycler|recycled|__macosx|@eadir|@recycle|@recently-snapshot|#recycle|#snapshot|lost\.dir|found\.\d{3})$/i;
export const isSystems = (name: string): boolean => SYSTEM.test(name);

/** What s2a itself may have written among the pictures, by names of files. */
const OWN: readonly (readonly [name: RegExp, what: string])[] = [
  [/^adapter_(model\.safetensors|config\.json)$/, 'an adapter'],
  [/^program\.s2a$/, 'a program for a board'],
  [/\.pictures$|^features\.s2af$/, 'a cache of prepared pictures'],
  [/^checkpoint-.*\.s2ac?$|^metrics\.jsonl$/, "a run's folder"],
  [/\.safetensors$/, 'a model'],
];
/** What a folder with these files is, where it is no class; undefined where they do not say. */
export const ownKind = (names: readonly string[]): string | undefined => OWN.find(([name]) => names.some((n) => name.test(n)))?.[1];
