/** The hand-over to a board that only predicts: a program without training, which needs neither what backward keeps nor the optimizer's state. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bytes } from '../base/bytes.ts';
import { makeFolder, writeAtomic } from '../base/files.ts';
import { type Precision, type WeightsWish, wishOf } from '../base/precision.ts';
import { STORED_FILE } from '../engine/storedfile.ts';
import { commandBytes, commandPages, withMaximum } from '../engine/wasm.ts';
import { readAdapter } from '../formats/adapterfile.ts';
import type { SafetensorsFile } from '../formats/safetensors.ts';
import { type ModelFolder, openModelFolder, openWeights } from '../import/modelfolder.ts';
import { inputOf, portOf } from '../input/index.ts';
import { encodeProgram } from '../program/program.ts';
import { storedBytes } from '../program/stored.ts';
import { CLASSIFY } from '../task/index.ts';
import { tellsRates } from '../training/adapter.ts';
import { settle } from '../training/compilejob.ts';
import { type BoardWeights, boardWeights } from './boardweights.ts';
import { openInference } from './classifier.ts';
import { boardOf } from './pack.ts';

/** A model and an adapter, for a board that only predicts. */
export interface PackInferenceJob {
  /** The model that the adapter was trained on, as `TrainJob` takes it. */
  model: string;
  /** An adapter; the board is given one when it predicts, this or another of the same base, method and number of classes. */
  adapter: string;
  /** The folder for s2a.wasm and program.s2a. */
  out: string;
  /** Pictures that go through at once (1). */
  microBatch?: number;
  /** The most linear memory: bytes, or a text such as '48MiB'. Unlimited where absent. */
  budget?: Bytes;
  /** Precision of frozen weights where it is not to be the adapter's. With `,stream` they stay in a file, which s2a.wasm is told by `--stored`. */
  weights?: WeightsWish<Precision>;
}

/** What packing an inference wrote. */
export interface PackedInference {
  /** The folder. */
  out: string;
  /** The classes' names, in the order of the logits. */
  classes: readonly string[];
  /** Weights' files that the board needs too, in the model folder; none where they are written beside the program, from a model of another kind of file. */
  weights: string[];
  /** Bytes of the file in which the board keeps weights that are streamed, which it is told by `--stored`; 0: there is none. */
  storedBytes: number;
  /** The arena, and the most memory that s2a.wasm takes. */
  memory: { planBytes: number; totalBytes: number };
  /** The line by which ffmpeg prepares frames as training did; null for arrays, which nothing prepares. */
  frames: string | null;
}

/** Writes program.s2a and s2a.wasm. Throws what `loadClassifier` throws for files that are broken or do not belong together. */
export function packInference({ model, adapter: path, out, microBatch = 1, ...options }: PackInferenceJob): PackedInference {
  const { streams } = wishOf<Precision>(options.weights, 'f32');
  if (streams) makeFolder(out);
  // The board writes a file of its own; this one is of use while the program is checked here.
  const stored = streams ? join(out, `.${STORED_FILE}`) : undefined;
  try {
    return packOpened({ model, adapter: path, out, microBatch, ...options }, stored);
  } finally {
    if (stored !== undefined) rmSync(stored, { force: true });
  }
}

/** Of a job, what its program is made of. */
type Inference = Omit<PackInferenceJob, 'out' | 'microBatch'> & {
  microBatch: number;
  stored?: string | undefined;
  /** The class that each number in the board's arrays of labels stands for, where it is another. */
  rows?: readonly number[];
  /** What the board reads of the model's weights; `digest`: what the adapter was trained over. */
  weightsOf(base: ModelFolder, weights: SafetensorsFile, digest: string): BoardWeights;
};

/** The program that judges and predicts, with all that a board needs beside it; in `file` as bytes. */
export function inferenceProgram({ model, adapter: path, microBatch, stored, rows, weightsOf, ...options }: Inference) {
  const { engine, adapter, preprocess } = openInference(path, {
    model,
    microBatch,
    ...options,
    ...(stored === undefined ? {} : { stored }),
  });
  void engine.close();
  const base = openModelFolder(model, adapter.base.imageSize);
  const weights = openWeights(base, { method: adapter.method });
  const own = weightsOf(base, weights, adapter.base.digest);
  weights.close();
  const file = readAdapter(path);
  const tells = tellsRates(file);
  file.weights.close();
  const board = boardOf(engine.program, {
    options: settle({ model, data: '', out: '', epochs: 1, batchSize: microBatch }),
    head: 'zero',
    pixelBytes: portOf(preprocess).element === 'f32' ? 4 : 1,
    samples: 1,
    weights: own,
    labels: adapter.labels,
    task: adapter.task ?? CLASSIFY,
    info: adapter,
    tellsRates: tells,
    ...(rows ? { rows } : {}),
  });
  return { file: encodeProgram({ ...engine.program, board }), program: engine.program, labels: adapter.labels, own, preprocess };
}

function packOpened({ out, ...job }: PackInferenceJob & { microBatch: number }, stored: string | undefined): PackedInference {
  const { file, program, labels, own, preprocess } = inferenceProgram({
    ...job,
    stored,
    weightsOf(base, weights, digest) {
      makeFolder(out);
      return boardWeights(base, weights, { out, digest });
    },
  });
  const command = commandBytes();
  const pages = commandPages(command, program, { fileBytes: file.length, epochs: 1 });
  writeAtomic(join(out, 'program.s2a'), (write) => write(file));
  writeAtomic(join(out, 's2a.wasm'), (write) => write(withMaximum(command, pages)));
  return {
    out,
    classes: labels,
    weights: own.isHere ? [] : own.files,
    storedBytes: storedBytes(program),
    memory: { planBytes: program.linearBytes, totalBytes: pages * 65536 },
    frames: inputOf(preprocess).frames(preprocess) ?? null,
  };
}
