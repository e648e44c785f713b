/**
 * A checkpoint file, little-endian, the same bytes from every runtime:
 *
 *     0        128                    · settings          · padded to 16    · end - 32
 *     | head   | n epochs of 64 bytes | text, m bytes     | region          | SHA-256 of all before it |
 *
 * The region is one piece of the arena. The settings are text that the writer does not look into: what the run was started with.
 */
export const enum CheckpointHead {
  /** 8 bytes: "S2ACKPT" and a zero. */
  Magic = 0,
  /** u32. */
  Version = 8,
  /** u32: epochs that have ended, n. */
  Epochs = 12,
  /** u32: bytes of the settings, m. */
  SettingsBytes = 16,
  /** u32: the best epoch so far, 1 is the first; 0: none. */
  BestEpoch = 20,
  /** u32. */
  RegionBytes = 24,
  /** u32: where the run stands; also in the state block, repeated here to be read without the region. */
  Step = 28,
  Epoch = 32,
  Position = 36,
  /** f64, u32, u32: sums over this epoch's pictures so far. */
  Loss = 40,
  Correct = 48,
  Count = 52,
  /** u32: how often the run has gone back (watch.ts); f32: mean loss of its first step. */
  Backs = 56,
  FirstLoss = 60,
  /** Two SHA-256: of the program and of the data (src/training/runfolder.ts, src/data/digest.ts). */
  Program = 64,
  Data = 96,
  Bytes = 128,
}

/** One epoch that has ended. */
export const enum EpochRecord {
  TrainLoss = 0,
  TrainCorrect = 8,
  TrainCount = 12,
  ValLoss = 16,
  ValCorrect = 24,
  ValCount = 28,
  /** u32: 1 where it was the best so far, 2 added where it shows that something was learnt. */
  Flags = 32,
  /** u32: how many different classes were answered while judging. */
  Answers = 36,
  /** f64: mean over the classes of the share that was right. */
  Balanced = 40,
  /** u32: the class of which least was right, with its pictures; then 4 zeros. */
  Worst = 48,
  WorstCorrect = 52,
  WorstCount = 56,
  Bytes = 64,
}

export const enum Checkpoint {
  Version = 3,
  DigestBytes = 32,
  /** Keeps the settings of a hostile file small. */
  MostSettings = 65536,
  MostEpochs = 1000000,
}
