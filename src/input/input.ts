/**
 * What goes into a network. An input says what the network's port takes of one example, how an example becomes that, what an adapter remembers of
 * it, and what it is called. Cache, training, packing, evaluation and prediction read this; the registry is index.ts, a new input a file beside these.
 */
import type { Decoder, DecoderFile } from './decoder.ts';
import type { Element } from './example.ts';
import type { Preparation } from './preparation.ts';

/** One prepared example in the network's port: [height, width, channels], row by row. */
export interface Port {
  height: number;
  width: number;
  channels: number;
  element: Element;
  /** Of one example. */
  bytes: number;
}

/** Grey, RGB or RGBA, 8 bits, of the port's height and width. */
export interface Shown {
  channels: 1 | 3 | 4;
  data: Uint8Array;
}

export interface Input<P extends Preparation = Preparation> {
  name: 'picture' | 'array';
  /** What an example is called in sentences. */
  noun: { one: string; many: string };
  /** Whether a preparation is this input's. */
  owns(preparation: Preparation): boolean;
  port(preparation: P): Omit<Port, 'bytes'>;
  /** A preparation that comes from a file of ours: every field checked. */
  check(value: unknown, where: string): P;
  /** What prepares them: names and versions on which the bytes depend. */
  preparedBy(): string;
  /** Begins to prepare: files in, examples into the cache's file. */
  start(target: DecoderFile): Decoder;
  /** One file prepared, in memory of at most `limit` bytes. InputError where it cannot be used. */
  read(path: string, preparation: P, limit: number): Promise<Uint8Array>;
  /** An example as a page shows it. */
  show(bytes: Uint8Array, preparation: P): Shown;
  /** The line by which another program prepares frames alike; undefined where none does. */
  frames(preparation: P): string | undefined;
}
