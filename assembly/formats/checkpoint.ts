/** The head of a checkpoint (abi/checkpoint.ts) as both hosts write and check it. */
import { Checkpoint, CheckpointHead as Head, EpochRecord } from '../abi/checkpoint.ts';
import { MOST_BACKS } from '../abi/watch.ts';
import { Words } from './words.ts';

/** "S2ACKPT" and a zero. */
const MAGIC: number = 0x43413253;
const MAGIC_END: number = 0x0054504b;

export function hasMagic(words: Words, at: number): boolean {
  return words.u32(at) === MAGIC && words.u32(at + 4) === MAGIC_END;
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

/** What is wrong with the head of a file whose digest, behind `end` bytes, is right; empty: nothing. */
export function headFault(words: Words, at: number, end: number): string {
  const epochs = words.u32(at + Head.Epochs);
  if (epochs > Checkpoint.MostEpochs) return 'its epochs';
  if (words.u32(at + Head.SettingsBytes) > Checkpoint.MostSettings) return 'its settings';
  if (regionStart(words, at) + words.u32(at + Head.RegionBytes) !== end) return 'its parts do not fill it';
  if (words.u32(at + Head.BestEpoch) > epochs) return 'its best epoch';
  return words.u32(at + Head.Backs) > MOST_BACKS ? 'how often it went back' : '';
}
