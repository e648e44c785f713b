/** Checkpoints (abi/checkpoint.ts) as both hosts name, write and check them. */
import { Checkpoint, CheckpointHead as Head, EpochRecord } from '../abi/checkpoint.ts';
import { MOST_BACKS } from '../abi/watch.ts';
import { Files } from './files.ts';
import { isSame, Words } from './words.ts';

/** "S2ACKPT" and a zero. */
const MAGIC: number = 0x43413253;
const MAGIC_END: number = 0x0054504b;

/** `checkpoint-12.s2ac` is step 12's. */
export const NAME_BEGIN = 'checkpoint-';
export const NAME_END = '.s2ac';
const MOST_STEP: number = 4294967295;

/** The step that a name of so many letters tells; -1 where it is no checkpoint's. */
export function stepOf(letterAt: (i: number) => number, letters: number): number {
  const end = letters - NAME_END.length;
  const from: number = NAME_BEGIN.length;
  if (end <= from || end > from + 10) return -1;
  for (let i = 0; i < NAME_BEGIN.length; i++) if (letterAt(i) !== NAME_BEGIN.charCodeAt(i)) return -1;
  for (let i = 0; i < NAME_END.length; i++) if (letterAt(end + i) !== NAME_END.charCodeAt(i)) return -1;
  let step: number = 0;
  for (let i: number = from; i < end; i++) {
    const digit = letterAt(i) - 0x30;
    if (digit < 0 || digit > 9 || (digit === 0 && i === from && end > from + 1)) return -1;
    step = step * 10 + digit;
  }
  return step <= MOST_STEP ? step : -1;
}

/** Magic, version, sizes; the rest of a head is the run's own and where it stands. */
export function putSizes(words: Words, at: number, settingsBytes: number, regionBytes: number): void {
  words.setU32(at, MAGIC);
  words.setU32(at + 4, MAGIC_END);
  words.setU32(at + Head.Version, Checkpoint.Version);
  words.setU32(at + Head.SettingsBytes, settingsBytes);
  words.setU32(at + Head.RegionBytes, regionBytes);
}

/** Where the settings begin: behind the head and the epochs' records. */
export function settingsStart(words: Words, at: number): number {
  return Head.Bytes + words.u32(at + Head.Epochs) * EpochRecord.Bytes;
}
export function regionStart(words: Words, at: number): number {
  return Math.ceil((settingsStart(words, at) + words.u32(at + Head.SettingsBytes)) / 16) * 16;
}

export const OTHER_VERSION = 'another version of s2a wrote it';

/**
 * What is wrong with a file of so many bytes; empty: nothing. Its head is read to `head`, all of it through a stage of `room` bytes. Nothing of a damaged
 * file is believed, so the digest comes before everything that the head says.
 */
export function fileFault(files: Files, file: number, size: number, words: Words, head: number, stage: number, room: number): string {
  const end = size - Checkpoint.DigestBytes;
  if (end < Head.Bytes) return 'too short';
  if (!files.tryRead(file, 0, head, Head.Bytes)) return 'it cannot be read';
  if (words.u32(head) !== MAGIC || words.u32(head + 4) !== MAGIC_END) return 'it does not start like one';
  files.beginDigest(0);
  for (let at: number = 0; at < end; at += room) {
    const n = Math.min(room, end - at);
    if (!files.tryRead(file, at, stage, n)) return 'it cannot be read';
    files.addDigest(0, stage, n);
  }
  const stored = stage + Checkpoint.DigestBytes;
  files.endDigest(0, stage);
  if (!files.tryRead(file, end, stored, Checkpoint.DigestBytes)) return 'it cannot be read';
  if (!isSame(words, stage, stored, Checkpoint.DigestBytes)) return 'its SHA-256 is wrong';
  return words.u32(head + Head.Version) === Checkpoint.Version ? headFault(words, head, end) : OTHER_VERSION;
}

/** What is wrong with the head of a file whose digest, behind `end` bytes, is right; empty: nothing. */
function headFault(words: Words, at: number, end: number): string {
  const epochs = words.u32(at + Head.Epochs);
  if (epochs > Checkpoint.MostEpochs) return 'its epochs';
  if (words.u32(at + Head.SettingsBytes) > Checkpoint.MostSettings) return 'its settings';
  if (regionStart(words, at) + words.u32(at + Head.RegionBytes) !== end) return 'its parts do not fill it';
  if (words.u32(at + Head.BestEpoch) > epochs) return 'its best epoch';
  return words.u32(at + Head.Backs) > MOST_BACKS ? 'how often it went back' : '';
}

/**
 * What makes a right file none of a run of so many epochs over so many pictures; empty: nothing. `withRun`: it is the run's own and not a copy of its
 * parameters.
 */
export function runFault(words: Words, head: number, regionBytes: number, epochs: number, pictures: number, withRun: boolean): string {
  const n = words.u32(head + Head.Epochs);
  const epoch = words.u32(head + Head.Epoch);
  if (words.u32(head + Head.RegionBytes) !== regionBytes) return 'its region has another size';
  if (n > epochs || epoch > epochs || words.u32(head + Head.Position) > pictures) return 'its epochs';
  return !withRun || (n === epoch && (n === 0 || words.u32(head + Head.BestEpoch) > 0)) ? '' : 'its epochs';
}

/** Whether the settings of the file whose head is given are these, read through a stage. */
export function hasSettings(
  files: Files,
  file: number,
  words: Words,
  head: number,
  settings: number,
  bytes: number,
  stage: number,
  room: number,
): boolean {
  if (words.u32(head + Head.SettingsBytes) !== bytes) return false;
  const at = settingsStart(words, head);
  for (let done: number = 0; done < bytes; done += room) {
    const n = Math.min(room, bytes - done);
    files.read(file, at + done, stage, n);
    if (!isSame(words, stage, settings + done, n)) return false;
  }
  return true;
}

/** Whether nothing is left to learn: all epochs are done, or patience has ended. */
export function isFinished(epoch: number, bestEpoch: number, epochs: number, patience: number): boolean {
  return epoch >= epochs || (patience > 0 && epoch - Math.min(epoch, bestEpoch) >= patience);
}

/** A whole number of the settings' text by its key, `"epochs":`; 0 where it has none of that name. */
export function settingOf(words: Words, text: number, bytes: number, key: string): number {
  for (let i: number = key.length; i < bytes; i++) {
    let k = 0;
    while (k < key.length && words.u8(text + i - key.length + k) === key.charCodeAt(k)) k += 1;
    if (k < key.length) continue;
    let value: number = 0;
    for (let at = text + i; at < text + bytes && value < 100000000; at++) {
      const digit = words.u8(at) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    return value;
  }
  return 0;
}
