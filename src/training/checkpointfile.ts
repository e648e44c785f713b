/**
 * Checkpoints: everything a run needs to go on after `kill -9` or a power cut as if nothing had happened, in the layout of
 * assembly/abi/checkpoint.ts, which the WASI program reads and writes too: a run may go on under another runtime.
 *
 * `checkpoint-<step>.s2ac` in the run folder, each written whole or not at all, the newest two kept: should the card return rubbish for
 * the newest, the one before it still stands.
 */
import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Checkpoint as File, CheckpointHead as Head } from '../../assembly/abi/checkpoint.ts';
import {
  fileFault,
  NAME_BEGIN,
  NAME_END,
  OTHER_VERSION,
  putSizes,
  regionStart,
  settingsStart,
  stepOf,
} from '../../assembly/formats/checkpoint.ts';
import { InputError, shown } from '../base/error.ts';
import { type ByteSource, guarded, isFolder, makeFolder, openFile, writeAtomic } from '../base/files.ts';
import { parseJson, stableJson } from '../base/json.ts';
import { rangeFiles } from '../base/rangefiles.ts';
import { wordsOf } from '../base/words.ts';
import { History } from './history.ts';

export type Settings = Record<string, string | number>;

/** What a run belongs to: a checkpoint goes on only with the same. */
export interface Belongs {
  /** SHA-256, 64 hex digits, of the program and of the pictures with their split. */
  program: string;
  data: string;
  /** What the run was started with, by name: told apart one by one, so that a refusal can say which differs. */
  settings: Settings;
}

/** Where a run stands and what it belongs to. */
export interface CheckpointHead extends Belongs {
  /** Optimizer steps done. */
  step: number;
  epoch: number;
  /** Pictures of this epoch already consumed: data order and accumulation position. */
  position: number;
  /** What the run itself has to remember. */
  history: History;
}

/** A valid checkpoint on disk; its region is read straight to where it belongs. Close it after use. */
export interface Checkpoint extends CheckpointHead {
  path: string;
  regionBytes: number;
  /** Fills `target`, which must have the size of the region. */
  read(target: Uint8Array): void;
  close(): void;
}

const align = (n: number): number => (n + 15) & ~15;

/** Writes a checkpoint and removes all but the one before it. The region is a view of the arena and is not copied. */
export function writeCheckpoint(folder: string, head: CheckpointHead, region: Uint8Array): string {
  makeFolder(folder);
  const path = join(folder, fileName(head.step));
  const start = encodeHead(head, region.length);
  writeAtomic(path, (write) => {
    const hash = createHash('sha256');
    for (const part of [start, region]) {
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

/** The text by which settings are kept and compared: the WASI program carries it along as it is. */
export const settingsText = (settings: Settings): string => stableJson(settings);

/** All that comes before the region: what the run remembers, with where it stands and what it belongs to; then the settings. */
function encodeHead({ step, epoch, position, program, data, settings, history }: CheckpointHead, regionBytes: number): Uint8Array {
  const text = new TextEncoder().encode(settingsText(settings));
  const remembered = history.bytes;
  const bytes = new Uint8Array(align(remembered.length + text.length));
  bytes.set(remembered);
  const view = new DataView(bytes.buffer);
  const words = wordsOf(() => view);
  putSizes(words, 0, text.length, regionBytes);
  words.setU32(Head.Step, step);
  words.setU32(Head.Epoch, epoch);
  words.setU32(Head.Position, position);
  bytes.set(Buffer.from(program, 'hex'), Head.Program);
  bytes.set(Buffer.from(data, 'hex'), Head.Data);
  bytes.set(text, remembered.length);
  return bytes;
}

/**
 * The newest valid checkpoint, or undefined where there is none; with `epoch`, none of a later one, which a run that went back
 * may have left. A damaged one is said through `warn` and the one before it taken; that all
 * are damaged, or that the newest valid one belongs to another program or other data, is an InputError.
 */
export function readLatest(folder: string, expected: Belongs, warn: (sentence: string) => void, epoch?: number): Checkpoint | undefined {
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
    if (epoch !== undefined && checkpoint.epoch > epoch) {
      checkpoint.close();
      continue;
    }
    if (damage) warn(`${damage.message}; going on from step ${checkpoint.step}`);
    return checkpoint;
  }
  if (damage) throw damage;
  return undefined;
}

/** Why a checkpoint is not one of this run, settings first: they explain what follows from them (a seed makes another split). */
function difference(path: string, found: CheckpointHead, expected: Belongs): InputError | undefined {
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
    if (found.settings[key] !== expected.settings[key])
      return refuse(`another ${plain(key)}`, said(key, found.settings[key]), said(key, expected.settings[key]));
  const { program, data } = expected;
  if (found.data !== data) return refuse('other pictures', found.data.slice(0, 12), data.slice(0, 12));
  if (found.program !== program) return refuse('another program', found.program.slice(0, 12), program.slice(0, 12));
  return undefined;
}

/** A setting as a person gives it. */
const said = (key: string, value: string | number | undefined): string | number | undefined =>
  key === 'arithmetic' ? (value === undefined ? 'plain' : 'fast') : value;

/** `batchSize` as a person says it. */
const plain = (key: string): string =>
  ({ epochs: 'number of epochs', rate: 'learning rate', products: 'arithmetic over coded weights' })[key] ??
  key.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);

/** Whether there is a run to go on with, damaged or not. */
export const hasCheckpoints = (folder: string): boolean => isFolder(folder) && stepsIn(folder).length > 0;

/** Checkpoints of a folder, newest first; none where it does not exist. */
export const pathsIn = (folder: string): string[] => (isFolder(folder) ? stepsIn(folder).map((step) => join(folder, fileName(step))) : []);

/** Bytes of a run's checkpoints, its best parameters and its start. */
export const checkpointBytes = (runFolder: string): number =>
  [runFolder, join(runFolder, 'best'), join(runFolder, 'start')].reduce((sum, folder) => {
    const sizes = pathsIn(folder).map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0);
    return sizes.reduce((bytes, size) => bytes + size, sum);
  }, 0);

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

/** What a file is read through. */
const STAGE_BYTES = 65536;

function check(path: string, source: ByteSource): Checkpoint {
  const memory = new Uint8Array(Head.Bytes + STAGE_BYTES);
  const fixed = new DataView(memory.buffer);
  const words = wordsOf(() => fixed);
  const bad = (what: string) => new InputError({ where: path, what: `damaged checkpoint: ${what}` });
  const fault = fileFault(rangeFiles(path, source, memory), 0, source.size, words, 0, Head.Bytes, STAGE_BYTES);
  if (fault === OTHER_VERSION)
    throw new InputError({
      where: path,
      what: 'checkpoint of another version of s2a',
      got: words.u32(Head.Version),
      expected: File.Version,
    });
  if (fault !== '') throw bad(fault);
  const [textStart, regionBytes] = [settingsStart(words, 0), words.u32(Head.RegionBytes)];
  const before = new Uint8Array(regionStart(words, 0));
  source.readAt(0, before);
  const settings = parseJson(`${path}, settings`, before.subarray(textStart, textStart + words.u32(Head.SettingsBytes)), 2);
  if (!Object.values(settings).every((value) => typeof value === 'string' || typeof value === 'number')) throw bad('its settings');
  const hex = (at: number): string => Buffer.from(memory.subarray(at, at + File.DigestBytes)).toString('hex');

  return {
    ...{ path, step: words.u32(Head.Step), epoch: words.u32(Head.Epoch), position: words.u32(Head.Position) },
    ...{ program: hex(Head.Program), data: hex(Head.Data), settings: settings as Settings, regionBytes },
    history: new History(before.slice(0, textStart)),
    read(target) {
      if (target.length !== regionBytes)
        throw new InputError({ where: path, what: 'its region has another size', got: regionBytes, expected: target.length });
      source.readAt(before.length, target);
    },
    close: () => source.close(),
  };
}

function fileName(step: number): string {
  return `${NAME_BEGIN}${step}${NAME_END}`;
}

function remove(folder: string, step: number): void {
  const path = join(folder, fileName(step));
  guarded(path, 'cannot be removed', () => rmSync(path, { force: true }));
}

/** Steps of the checkpoints in a folder, newest first. */
function stepsIn(folder: string): number[] {
  return guarded(folder, 'cannot be read', () => readdirSync(folder))
    .map((name) => stepOf((i) => name.charCodeAt(i), name.length))
    .filter((step) => step >= 0)
    .sort((a, b) => b - a);
}
