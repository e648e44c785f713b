/** The part of a program that `s2a pack` adds: it agrees with the rest, and the rest has the digest by which checkpoints know it. */
import { Checkpoint } from '../../assembly/abi/checkpoint';
import { State } from '../../assembly/abi/head';
import { Io, LayoutWord, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { MOST_BACKS } from '../../assembly/abi/watch';
import {
  CORE_SECTIONS,
  countLines,
  countRecords,
  epochCount,
  layoutWord,
  linearBytes,
  portBytes,
  portOffset,
  refuse,
  runWord,
  section,
  sectionBytes,
  tensorTable,
} from './program';
import { shaAdd, shaBegin, shaEnd } from './sha256';

const MOST_SIDE: u32 = 4096;

/** What was packed agrees with the program: the ports have the run's pictures, the adapter has every parameter once. */
export function checkPacked(): void {
  if (sectionBytes(Section.Run) != RunField.Bytes) refuse('has a run of the wrong size');
  const batch = runWord(RunField.BatchSize);
  const micro = runWord(RunField.MicroBatch);
  const classes = runWord(RunField.Classes);
  const height = runWord(RunField.Height);
  const width = runWord(RunField.Width);
  const pixel = runWord(RunField.PixelBytes);
  if (runWord(RunField.Epochs) != epochCount || epochCount == 0) refuse('has a run without end');
  if (micro == 0 || batch == 0 || batch > 0x7fffffff || batch % micro != 0 || classes == 0 || (pixel != 1 && pixel != 4) || runWord(RunField.Head) > 1) refuse('has a broken run');
  if (height == 0 || width == 0 || height > MOST_SIDE || width > MOST_SIDE) refuse('has a broken run');
  if (runWord(RunField.Retries) > <u32>MOST_BACKS) refuse('has a broken run');
  const warmup = load<f64>(section(Section.Run) + RunField.Warmup);
  if (!(warmup >= 0 && warmup <= 1)) refuse('has a broken run');
  const state = section(Section.Run) + RunField.State;
  if ((load<u32>(state, State.Step) | load<u32>(state, State.Epoch) | load<u32>(state, State.Position)) != 0) refuse('has a run that has begun');
  const pictures = <u64>micro * height * width * 3 * pixel;
  if (
    portBytes(Io.Pictures) != pictures ||
    portBytes(Io.Labels) != <u64>micro << 2 ||
    portBytes(Io.EvalChoices) != <u64>micro << 2 ||
    portBytes(Io.Logits) != (<u64>micro * classes) << 2 ||
    (portOffset(Io.Samples) != 0 && portBytes(Io.Samples) != <u64>micro << 2) ||
    portOffset(Io.State) != layoutWord(LayoutWord.RegionOffset)
  )
    refuse('has ports that do not fit its run');
  if (countLines(Section.Labels) != classes) refuse('has the wrong number of labels');
  if (sectionBytes(Section.Settings) > <u32>Checkpoint.MostSettings) refuse('has settings of the wrong size');
  const n = countRecords(Section.Parameters);
  // Behind the parameters an adapter may tell its run's rates.
  const tensors = sectionBytes(Section.AdapterOrder) >> 2;
  if (sectionBytes(Section.AdapterOrder) != tensors << 2 || n == 0 || (tensors != n && tensors != n + 1)) refuse('has an adapter of the wrong size');
  const order = section(Section.AdapterOrder);
  memory.fill(tensorTable, 0, <usize>n << 4);
  let rates = 0;
  for (let i: u32 = 0; i < tensors; i++) {
    const k = load<u32>(order + (i << 2));
    if (k == n && tensors > n && rates == 0) {
      rates++;
      continue;
    }
    if (k >= n || load<u32>(tensorTable + (k << 4)) != 0) refuse('has an adapter in no order');
    store<u32>(tensorTable + (k << 4), 1);
  }
}

const context = memory.data(128);
const two = memory.data(8);

/** SHA-256 to `out` by which a checkpoint knows its program, as src/training/runfolder.ts has it: the arena's size, then each core section's id, length, bytes. */
export function digestCore(out: usize): void {
  shaBegin(context);
  store<u32>(two, linearBytes());
  shaAdd(context, two, 4);
  for (let id: u32 = 1; id <= CORE_SECTIONS; id++) {
    store<u32>(two, id);
    store<u32>(two, sectionBytes(id), 4);
    shaAdd(context, two, 8);
    shaAdd(context, section(id), sectionBytes(id));
  }
  shaEnd(context, out);
}
