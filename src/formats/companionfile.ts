/**
 * Files that go with an adapter, beside it in its folder: safetensors whose `__metadata__.s2a` holds a version, the digest of the adapter that they belong to, and
 * what else is no tensor. One that lies beside another adapter is not taken for its own.
 */
import { dirname, join } from 'node:path';
import { InputError, shownValue } from '../base/error.ts';
import { fileExists } from '../base/files.ts';
import { isRecord, parseJson } from '../base/json.ts';
import { type AdapterFile, adapterDigest } from './adapterfile.ts';
import { openSafetensors, type SafetensorsFile } from './safetensors.ts';

/** One that is open. */
export interface Companion {
  file: SafetensorsFile;
  /** What its metadata say beside version and adapter. */
  fields: Readonly<Record<string, unknown>>;
  /** Refuses (InputError) what is not as it should be. */
  need(ok: boolean, name: string, got: unknown, expected: string): void;
}

/**
 * Reads the file `name` beside an adapter. `absent`: there is none; `foreign`: it belongs to another adapter. Throws InputError where it is damaged, or of
 * a version that is none of these.
 */
export function readCompanion<T>(
  adapter: AdapterFile,
  name: string,
  versions: readonly number[],
  read: (of: Companion) => T,
): T | 'absent' | 'foreign' {
  const path = join(dirname(adapter.path), name);
  if (!fileExists(path)) return 'absent';
  const file = openSafetensors(path);
  try {
    const need: Companion['need'] = (ok, what, got, expected) => {
      if (!ok) throw new InputError({ where: path, what: `bad ${what}`, got: shownValue(got), expected });
    };
    const text = file.metadata.get('s2a');
    need(text !== undefined, 'metadata', text, 'an s2a entry');
    const fields = parseJson(`${path}, metadata`, new TextEncoder().encode(text));
    need(isRecord(fields), 'metadata', fields, 'an object');
    need(versions.includes(fields.version as number), 'version', fields.version, versions.join(' or '));
    const { adapter: belongs } = fields;
    need(typeof belongs === 'string' && /^[0-9a-f]{64}$/.test(belongs), 'adapter', belongs, '64 hex digits');
    return belongs === adapterDigest(adapter) ? read({ file, fields, need }) : 'foreign';
  } finally {
    file.close();
  }
}
