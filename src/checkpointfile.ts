/**
 * Checkpoints: everything a run needs to go on after `kill -9` or a power cut as if nothing had happened. One file each, little-endian:
 *
 *     0          8             12              16             16 + n, padded to 8            end - 32
 *     | S2ACKPT\0 | version u32 | n u32         | JSON head    | regions, one after the other | SHA-256 of all before it
 *
 * `checkpoint-<step>.s2ac` in the run folder, each written whole or not at all, the newest two kept: should the card return rubbish for
 * the newest, the one before it still stands.
 */
import { createHash } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hashRange } from './digest.ts';
import { InputError, shown, shownValue } from './error.ts';
import { type ByteSource, guarded, isFolder, makeFolder, openFile, writeAtomic } from './files.ts';
import { isRecord, parseJson } from './json.ts';

export type Settings = Record<string, string | number>;

/** Where a run stands and what it belongs to. */
export interface CheckpointHead {
  /** Optimizer steps done. */
  step: number;
  epoch: number;
  /** Pictures of this epoch already consumed: data order and accumulation position. */
  position: number;
  /** Digests: a checkpoint goes on only with the same program and the same data. */
  program: string;
  data: string;
  /** What the run was started with, by name: told apart one by one, so that a refusal can say which differs. */
  settings: Settings;
  /** What the host itself has to remember, as plain JSON: best accuracy so far and the like. */
  host: Record<string, unknown>;
}

/** A valid checkpoint on disk; its regions are read straight to where they belong. Close it after use. */
export interface Checkpoint extends CheckpointHead {
  path: string;
  /** Bytes of each region. */
  regions: readonly number[];
  /** Fills `target`, which must have the size of the region. */
  read(region: number, target: Uint8Array): void;
  close(): void;
}

const magic = 'S2ACKPT\0';
const version = 1;
const fixedBytes = 16;
const digestBytes = 32;

/** Writes a checkpoint and removes all but the one before it. The regions are views of the arena and are not copied. */
export function writeCheckpoint(folder: string, head: CheckpointHead, regions: readonly Uint8Array[]): string {
  makeFolder(folder);
  const path = join(folder, fileName(head.step));
  const json = new TextEncoder().encode(JSON.stringify({ ...head, regions: regions.map((region) => region.length) }));
  const start = new Uint8Array(dataStart(json.length));
  const fixed = new DataView(start.buffer);
  start.set(new TextEncoder().encode(magic));
  fixed.setUint32(8, version, true);
  fixed.setUint32(12, json.length, true);
  start.set(json, fixedBytes);
  writeAtomic(path, (write) => {
    const hash = createHash('sha256');
    for (const part of [start, ...regions]) {
      hash.update(part);
      write(part);
    }
    write(hash.digest());
  });
  const before = stepsIn(folder).find((step) => step < head.step);
  for (const step of stepsIn(folder)) {
    if (step !== head.step && step !== before) remove(folder, step);
  }
  return path;
}

/**
 * The newest valid checkpoint, or undefined where there is none. A damaged one is said through `warn` and the one before it taken; that all
 * are damaged, or that the newest valid one belongs to another program or other data, is an InputError.
 */
export function readLatest(
  folder: string,
  expected: Pick<CheckpointHead, 'program' | 'data' | 'settings'>,
  warn: (sentence: string) => void,
): Checkpoint | undefined {
  const steps = isFolder(folder) ? stepsIn(folder) : [];
  let damage: InputError | undefined;
  for (const step of steps) {
    const path = join(folder, fileName(step));
    let checkpoint: Checkpoint;
    try {
      checkpoint = openCheckpoint(path);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (damage) warn(damage.message);
      damage = error;
      continue;
    }
    const other = difference(path, checkpoint, expected);
    if (other) {
      checkpoint.close();
      throw other;
    }
    if (damage) warn(`${damage.message}; going on from step ${checkpoint.step}`);
    return checkpoint;
  }
  if (damage) throw damage;
  return undefined;
}

/** Why a checkpoint is not one of this run, settings first: they explain what follows from them (a seed makes another split). */
function difference(path: string, found: CheckpointHead, expected: Parameters<typeof readLatest>[1]): InputError | undefined {
  const short = (value: string | number | undefined) => (typeof value === 'string' ? shown(value.slice(0, 40)) : (value ?? 'nothing'));
  const refuse = (what: string, then: string | number | undefined, now: string | number | undefined) =>
    new InputError({
      where: path,
      what: `the checkpoint belongs to a run with ${what}`,
      got: short(now),
      expected: short(then),
      hint: 'repeat the command it was started with, or start anew without --resume',
    });
  for (const key of new Set([...Object.keys(found.settings), ...Object.keys(expected.settings)]))
    if (found.settings[key] !== expected.settings[key]) return refuse(`another ${key}`, found.settings[key], expected.settings[key]);
  const { program, data } = expected;
  if (found.data !== data) return refuse('other pictures', found.data.slice(0, 12), data.slice(0, 12));
  if (found.program !== program) return refuse('another program', found.program.slice(0, 12), program.slice(0, 12));
  return undefined;
}

/** Whether there is a run to go on with, damaged or not. */
export const hasCheckpoints = (folder: string): boolean => isFolder(folder) && stepsIn(folder).length > 0;

/** Removes the checkpoints of an earlier run, which a run that starts anew must not find later. */
export function clearCheckpoints(folder: string): void {
  if (!isFolder(folder)) return;
  for (const step of stepsIn(folder)) remove(folder, step);
}

/** Opens a checkpoint and checks all of it, its digest included, before anything is used. */
export function openCheckpoint(path: string): Checkpoint {
  const source = openFile(path);
  try {
    return check(path, source);
  } catch (error) {
    source.close();
    throw error;
  }
}

function check(path: string, source: ByteSource): Checkpoint {
  const bad = (what: string, got?: string | number, expected?: string | number) =>
    new InputError({ where: path, what: `damaged checkpoint: ${what}`, got, expected });
  if (source.size < fixedBytes + digestBytes) throw bad('too short', `${source.size} bytes`);
  const start = new Uint8Array(fixedBytes);
  source.readAt(0, start);
  if (new TextDecoder().decode(start.subarray(0, 8)) !== magic) throw bad('it does not start like one');

  // The digest comes before the version and everything else: nothing of a damaged file is believed.
  const hash = createHash('sha256');
  const end = source.size - digestBytes;
  hashRange(hash, source, 0, end);
  const stored = new Uint8Array(digestBytes);
  source.readAt(end, stored);
  const computed = hash.digest();
  if (!stored.every((byte, i) => byte === computed[i])) throw bad('its SHA-256 is wrong');

  const fixed = new DataView(start.buffer);
  const found = fixed.getUint32(8, true);
  if (found !== version) throw new InputError({ where: path, what: 'checkpoint of another version of s2a', got: found, expected: version });
  const jsonBytes = fixed.getUint32(12, true);
  if (dataStart(jsonBytes) > end) throw bad('head length', jsonBytes);
  const json = new Uint8Array(jsonBytes);
  source.readAt(fixedBytes, json);
  const head = parseJson(`${path}, head`, json);
  const { step, epoch, position, program, data, settings, host, regions } = head as Record<string, unknown> &
    CheckpointHead & { regions: number[] };
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  for (const [name, value] of Object.entries({ step, epoch, position })) if (!isCount(value)) throw bad(name, shownValue(value));
  if (typeof program !== 'string' || typeof data !== 'string' || !isRecord(settings) || !isRecord(host)) throw bad('head fields');
  if (!Array.isArray(regions) || !regions.every(isCount)) throw bad('regions', shownValue(regions));
  const offsets = [dataStart(jsonBytes)];
  for (const bytes of regions) offsets.push(offsets.at(-1)! + bytes);
  if (offsets.at(-1) !== end) throw bad('its regions do not fill it', offsets.at(-1), end);

  return {
    ...{ path, step, epoch, position, program, data, settings: settings as Settings, host, regions },
    read(region, target) {
      const bytes = regions[region];
      if (target.length !== bytes) {
        throw new InputError({ where: path, what: `region ${region} has another size`, got: target.length, expected: bytes });
      }
      source.readAt(offsets[region]!, target);
    },
    close: () => source.close(),
  };
}

/** First byte of the regions: 8-byte aligned. */
function dataStart(jsonBytes: number): number {
  return Math.ceil((fixedBytes + jsonBytes) / 8) * 8;
}

function fileName(step: number): string {
  return `checkpoint-${step}.s2ac`;
}

function remove(folder: string, step: number): void {
  const path = join(folder, fileName(step));
  guarded(path, 'cannot be removed', () => rmSync(path, { force: true }));
}

/** Steps of the checkpoints in a folder, newest first. */
function stepsIn(folder: string): number[] {
  return guarded(folder, 'cannot be read', () => readdirSync(folder))
    .map((name) => /^checkpoint-(0|[1-9]\d{0,14})\.s2ac$/.exec(name)?.[1])
    .filter((step) => step !== undefined)
    .map(Number)
    .sort((a, b) => b - a);
}
