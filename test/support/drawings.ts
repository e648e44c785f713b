/** Drawings by people, of the Quick, Draw! data set, as a folder of pictures: root/class/*.png. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encode } from 'fast-png';
import { newFolder } from './folder.ts';

const { readClass } = (await import(pathToFileURL('tools/pictures/quickdraw.mjs').href)) as { readClass(name: string): Uint8Array[] };

export function drawings(classes: readonly string[], each: number): string {
  const root = newFolder();
  for (const name of classes) {
    mkdirSync(join(root, name));
    for (const [i, data] of readClass(name).slice(0, each).entries())
      writeFileSync(join(root, name, `${i}.png`), encode({ width: 28, height: 28, data, channels: 1, depth: 8 }));
  }
  return root;
}
