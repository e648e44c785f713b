/**
 * A program file: little-endian u32 words, then the bytes of its sections, each 4-byte aligned.
 *
 *     word 0   magic "S2AP"            word 4   bytes of the arena (linear memory)
 *     word 1   ABI version             word 5   count of sections n
 *     word 2   bytes of the file       words 6… n × (section id, byte offset, bytes)
 *     word 3   CRC-32 of what follows the first four words
 *
 * There is no compatibility promise: the version must match exactly, recompiling takes under a second.
 */
export const enum ProgramFile {
  Magic = 0x50413253,
  Version = 6,
  HeaderWords = 6,
  /** Words of the part that the checksum does not cover. */
  UncheckedWords = 4,
}

export const enum Section {
  /** Layout words: see below. */
  Layout = 1,
  /** The bytes that stand in the arena's program region: code, then constant tables. */
  Image = 2,
  /** Records of WeightWord.Count words. */
  Weights = 3,
  /** Records of (Io, arena offset, bytes). */
  Io = 4,
  /** Records of ParameterWord.Count words. */
  Parameters = 5,
  /** Node names, one a line, by node id. */
  Symbols = 6,
  /** Names of tensors, one a line; records give the line. */
  Names = 7,
  /** JSON: what the program is for (model, classes, method, policy, preprocessing). */
  About = 8,
  /**
   * What `s2a pack` adds for a runtime without JavaScript; all of these or none. Run: RunField (run.ts). Then the checkpoint's settings, the
   * classes' names (one a line), the weights' files in the model folder (one a line), the adapter's weights file up to its data, its config,
   * and u32 indices of parameters in the order of that data; where the phase rates is not empty one more, behind theirs, for the measured rates.
   */
  Run = 9,
  Settings = 10,
  Labels = 11,
  Files = 12,
  AdapterHead = 13,
  AdapterConfig = 14,
  AdapterOrder = 15,
  /** The name of the figure by which the task's epochs are told (src/task). */
  Score = 16,
  /** u32: the class that each number in the arrays of labels stands for, where they do not count as the labels here do; empty: they do. */
  Rows = 17,
}

export const enum LayoutWord {
  ProgramOffset = 0,
  RegionOffset,
  RegionBytes,
  ScratchOffset,
  ScratchBytes,
  MaxThreads,
  /** Arena offsets of the phases: start and end of init, train, update, eval, rates. */
  Entries,
  Count = 16,
}

/** A tensor of the weights file → the arena: the words of `Source` in src/graph/graph.ts. */
export const enum WeightWord {
  Name = 0,
  Offset,
  Start,
  D0,
  D1,
  D2,
  S0,
  S1,
  S2,
  /** Shape that the tensor must have in the file: rank, then up to 4 sizes. */
  Rank,
  Shape,
  /** An `Encoding` of abi/weights.ts. Where it is not f32, D0 counts the output channels and each is whole in the file. */
  Encoding = 14,
  Count = 15,
}

/** A learnable tensor: its address, and how its elements lie in the checkpoint's own layout (rank and shape as above). */
export const enum ParameterWord {
  Name = 0,
  Offset,
  Gradient,
  D0,
  D1,
  D2,
  S0,
  S1,
  S2,
  Rank,
  Shape,
  Count = 14,
}

/** What the host writes and reads around a phase. */
export const enum Io {
  Pictures = 1,
  Labels,
  Samples,
  Losses,
  Choices,
  EvalLosses,
  EvalChoices,
  Logits,
  State,
  /** What the loss reads of each output (src/task): it lies in the image, and only where the task has such. */
  Constants,
  /** Where the adapter tells unknown pictures: what they are told by (abi/ops/distance.ts), in the image, and how far each picture is, f32[B]. */
  Known,
  Distances,
  /** Where pictures are mixed and a pass has an odd number of them: the one whose partner is in the pass (abi/ops/mix.ts), its label and number. */
  Partner,
  PartnerLabel,
  PartnerSample,
  /** Where the loss weighs its classes: f32 by class, in the image. */
  ClassWeights,
}
