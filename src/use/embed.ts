/** Features of many pictures as one array (.npy), with a table that says which row is which picture's. */
import { writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { InputError, S2aError, withoutPlace } from '../base/error.ts';
import { createFile, guarded, makeFolder, writeText } from '../base/files.ts';
import { type FoundPicture, picturesOf } from '../data/pictures.ts';
import { csvField } from '../formats/csv.ts';
import { npyHead } from '../formats/npy/write.ts';
import { defaultDecoderBytes } from '../input/decoderlimit.ts';
import { inputOf, type Preparation } from '../input/index.ts';
import { type EmbedderOptions, loadEmbedder } from './embedder.ts';

/** What embedding takes. */
export interface EmbedJob extends EmbedderOptions {
  /** Where absent, the features of the model alone. */
  adapter?: string;
  /** Picture files, rows of arrays (`x.npy[7]`), and folders, below which every picture is taken. */
  pictures: readonly string[];
  /** The array's file, `.npy`; a `.csv` of the same name says what its rows are. */
  out: string;
  /** A picture more is done. */
  onPicture?(done: number, total: number): void;
}

/** What embedding wrote. */
export interface Embedded {
  /** f32 [pictures, features]. */
  out: string;
  /** `file,label`, a line for each row; the label is the name of the folder that the picture lies in. */
  names: string;
  /** How many rows there are. */
  pictures: number;
  /** How many numbers a row has: f32 [features]. */
  features: number;
  /** Pictures that could not be used, and why. */
  skipped: { file: string; reason: string }[];
}

/** A picture prepared; undefined where it cannot be used, which is noted. */
async function readOrSkip(file: string, preprocess: Preparation, skipped: Embedded['skipped']): Promise<Uint8Array | undefined> {
  try {
    return await inputOf(preprocess).read(file, preprocess, defaultDecoderBytes);
  } catch (error) {
    skipped.push({ file, reason: error instanceof S2aError ? withoutPlace(error) : (error as Error).message });
    return undefined;
  }
}

/** Writes features of pictures. Throws InputError where none of them can be used. */
export async function embedJob({ adapter, pictures, out, onPicture, ...options }: EmbedJob): Promise<Embedded> {
  if (!/\.npy$/i.test(out))
    throw new InputError({ where: '--out', what: 'is no array file', got: out, expected: 'a name that ends in .npy' });
  const listed = picturesOf(pictures);
  if (listed.length === 0) throw new InputError({ where: 'pictures', what: 'none is given' });
  const embedder = loadEmbedder(adapter, options);
  makeFolder(dirname(out));
  const file = createFile(out);
  try {
    const { features, preprocess } = embedder;
    const skipped: Embedded['skipped'] = [];
    const rows: FoundPicture[] = [];
    const head = npyHead('<f4', [listed.length, features]);
    file.write(head);
    for (const [i, picture] of listed.entries()) {
      const pixels = await readOrSkip(picture.file, preprocess, skipped);
      onPicture?.(i + 1, listed.length);
      if (pixels === undefined) continue;
      file.write(new Uint8Array(embedder.embedPrepared(pixels).buffer));
      rows.push(picture);
    }
    if (rows.length === 0) throw new InputError({ where: skipped[0]!.file, what: `no picture can be used: ${skipped[0]!.reason}` });
    // Fewer rows than were announced: the head is as long whatever their number.
    guarded(out, 'cannot be written', () => writeSync(file.fd, npyHead('<f4', [rows.length, features]), 0, head.length, 0));
    file.commit();
    const names = out.replace(/\.npy$/i, '.csv');
    writeText(names, `file,label\n${rows.map((row) => `${csvField(row.file)},${csvField(row.label)}\n`).join('')}`);
    return { out, names, pictures: rows.length, features, skipped };
  } finally {
    file.discard();
    await embedder.close();
  }
}
