/** Kinds of files by their names: what is read, and for what is not its name and the command that converts it. */

import { counted } from '../base/counted.ts';
import { isArray } from '../input/example.ts';

/** What is read. */
const READ = /\.(jpe?g|jfif|jpe|png|webp)$/i;
export const READ_KINDS = '.jpg, .jpeg, .png or .webp';
export const isPicture = (name: string): boolean => READ.test(name);

interface Kind {
  name: string;
  /** Endings. */
  endings: readonly string[];
  /** What it is converted to. */
  to?: 'jpg' | 'png';
}

const KINDS: readonly Kind[] = [
  { name: 'HEIC', endings: ['heic', 'heif'] },
  { name: 'AVIF', endings: ['avif'] },
  { name: 'GIF', endings: ['gif'], to: 'png' },
  { name: 'BMP', endings: ['bmp', 'dib'], to: 'png' },
  { name: 'TIFF', endings: ['tif', 'tiff'], to: 'png' },
  { name: 'JPEG XL', endings: ['jxl'] },
  { name: 'JPEG 2000', endings: ['jp2', 'j2k', 'jpf'] },
  { name: 'raw', endings: ['dng', 'cr2', 'cr3', 'nef', 'arw', 'orf', 'raf', 'rw2', 'pef'] },
  { name: 'SVG', endings: ['svg'], to: 'png' },
  { name: 'PSD', endings: ['psd'], to: 'png' },
  { name: 'PPM', endings: ['ppm', 'pgm', 'pbm', 'pnm'], to: 'png' },
];
const VIDEOS = /\.(mp4|mov|avi|mkv|webm|m4v|3gp)$/i;

const endingOf = (name: string): string => /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
const kindOf = (name: string): Kind | undefined => {
  const ending = endingOf(name);
  return KINDS.find((kind) => kind.endings.includes(ending));
};
/** The kind that a sentence about a file's bytes names, as `a HEIC picture, not a JPEG`. */
const kindIn = (reason: string): Kind | undefined => KINDS.find((kind) => new RegExp(`\\b${kind.name}\\b.*\\bnot a`).test(reason));

const article = (name: string): string => (/^[AEI]|^SVG|^S/.test(name) ? 'an' : 'a');

/** Why a file is not read, by its name. */
export function whyNot(name: string): string {
  const kind = kindOf(name);
  if (kind) return `${article(kind.name)} ${kind.name} picture, not ${READ_KINDS}`;
  return VIDEOS.test(name) ? 'a video, not a picture' : `not ${READ_KINDS}`;
}

/** `'photos/cat'/*.heic` as a shell takes it. */
const glob = (folder: string, ending: string): string =>
  `${/^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`}/*.${ending}`;

/** Where a class has nothing but files of one kind that is not read: what they are, and the line that converts them. */
export function unreadClass(
  folder: string,
  files: readonly { name: string; reason?: string }[],
): { what: string; hint: string } | undefined {
  const [first, ...others] = files;
  if (first === undefined) return undefined;
  if (files.every(({ name }) => VIDEOS.test(name)))
    return {
      what: `holds ${counted(files.length, 'video')} and no picture`,
      hint: `take pictures from them: ffmpeg -i FILE -vf fps=1 FOLDER/%05d.jpg`,
    };
  const of = (file: { name: string; reason?: string }): Kind | undefined => (file.reason && kindIn(file.reason)) || kindOf(file.name);
  const kind = of(first);
  if (kind === undefined || others.some((other) => of(other) !== kind)) return undefined;
  const to = kind.to ?? 'jpg';
  // A file that has another kind's ending needs to be told what it is.
  const ending = endingOf(first.name);
  const mogrify = `magick mogrify -format ${to} ${kind.endings.includes(ending) ? '' : `${kind.endings[0]}:`}${glob(folder, ending)}`;
  return {
    what: `holds ${counted(files.length, `${kind.name} picture`)}, which ${files.length === 1 ? 'is' : 'are'} not read`,
    hint: `ImageMagick converts ${files.length === 1 ? 'it' : 'them'}: ${mogrify}`,
  };
}

/** What a folder is looked through for. */
export interface Wanted {
  one: string;
  many: string;
  /** Endings, for sentences. */
  read: string;
  isOne(name: string): boolean;
  /** Why a file is none. */
  whyNot(name: string): string;
  /** Where a class has nothing but files of one kind that is not read: what they are, and what converts them. */
  unread(folder: string, files: readonly { name: string }[]): { what: string; hint: string } | undefined;
}

export const PICTURES: Wanted = { one: 'picture', many: 'pictures', read: READ_KINDS, isOne: isPicture, whyNot, unread: unreadClass };
export const ARRAYS: Wanted = {
  one: 'array',
  many: 'arrays',
  read: '.npy',
  isOne: isArray,
  whyNot: (name) => (isPicture(name) ? 'a picture among arrays' : 'not .npy'),
  unread: () => undefined,
};
