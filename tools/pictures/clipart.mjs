// Drawings in colour from openclipart (public domain), as Debian's package openclipart-png carries them: a folder of PNG files for each kind.
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openPackage } from '../packages.mjs';

export const PACKAGE = { client: 'apt', name: 'openclipart-png' };

/** Kinds that judge, and kinds that recipes are settled on: folders, whose own folders belong to them. */
export const KINDS = {
  judge: {
    bugs: 'animals/bugs',
    cards: 'recreation/games/cards/white',
    desserts: 'food/desserts',
    flags: 'signs_and_symbols/flags/africa',
    fruit: 'food/fruit',
    geography: 'geography',
    hardware: 'computer/hardware',
    mammals: 'animals/mammals',
    music: 'recreation/music',
    people: 'people/stickmen',
    roadsigns: 'transportation/roadsigns',
    sports: 'recreation/sports',
  },
  settle: {
    arrows: 'shapes/arrows',
    beverages: 'food/beverages',
    birds: 'animals/birds',
    buttons: 'computer/buttons',
    homes: 'buildings/homes',
    jigsaw: 'shapes/jigsaw',
    mapsymbols: 'signs_and_symbols/map_symbols',
    office: 'office',
    patterns: 'special/patterns',
    plants: 'plants',
    smilies: 'people/smilies',
    tools: 'tools',
  },
};

/** The pictures of a kind in an order that does not depend on the file system: `{ name, path }`. */
export function listKind(folder) {
  const root = join(openPackage(PACKAGE), 'usr/share/openclipart/png', folder);
  return (
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      // A link is a picture that another folder has.
      .filter((file) => file.endsWith('.png') && lstatSync(join(root, file)).isFile())
      .sort()
      .map((file) => ({ name: file.replaceAll('/', '-').slice(0, -'.png'.length), path: join(root, file) }))
  );
}

export const readPicture = ({ path }) => readFileSync(path);
