/** What a program carries for a board without JavaScript: the sections that `s2a pack` adds, encoded and read back. */
import { Section } from '../../assembly/abi/program.ts';

export interface Board {
  /** RunField.Bytes bytes (assembly/abi/run.ts). */
  run: Uint8Array;
  /** The settings' text, as every checkpoint of the run holds it. */
  settings: string;
  labels: readonly string[];
  /** Names of the weights' files in the model folder, in the order in which their digest is taken. */
  files: readonly string[];
  /** The adapter's weights file up to its data, and its config file. */
  adapterHead: Uint8Array;
  adapterConfig: Uint8Array;
  /** Indices of parameters, and one more for measured rates where there are some, in the order in which the adapter holds them. */
  adapterOrder: readonly number[];
  /** What the task's score is called. */
  score: string;
  /** The class that each number in the board's arrays of labels stands for, where they count otherwise; empty: they do not. */
  rows: readonly number[];
}

const text = new TextEncoder();

export const boardSections = (b: Board): [Section, Uint8Array][] => [
  [Section.Run, b.run],
  [Section.Settings, text.encode(b.settings)],
  [Section.Labels, text.encode(b.labels.join('\n'))],
  [Section.Files, text.encode(b.files.join('\n'))],
  [Section.AdapterHead, b.adapterHead],
  [Section.AdapterConfig, b.adapterConfig],
  [Section.AdapterOrder, new Uint8Array(Uint32Array.from(b.adapterOrder).buffer)],
  [Section.Score, text.encode(b.score)],
  [Section.Rows, new Uint8Array(Uint32Array.from(b.rows).buffer)],
];

/** How the decoder reads a section: its bytes, its text, the lines of its text. */
export interface Reader {
  section(id: Section): Uint8Array;
  text(id: Section): string;
  lines(id: Section): string[];
}

/** Reads them back; they have been checked. */
export const readBoard = (read: Reader): Board => ({
  run: read.section(Section.Run),
  settings: read.text(Section.Settings),
  labels: read.lines(Section.Labels),
  files: read.lines(Section.Files),
  adapterHead: read.section(Section.AdapterHead),
  adapterConfig: read.section(Section.AdapterConfig),
  adapterOrder: [...new Uint32Array(read.section(Section.AdapterOrder).slice().buffer)],
  score: read.text(Section.Score),
  rows: [...new Uint32Array(read.section(Section.Rows).slice().buffer)],
});
