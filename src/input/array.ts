/** Arrays: read by ranges from .npy files, value by value, in the process that trains. */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { isRecord } from '../base/json.ts';
import type { Decoder, DecoderFile } from './decoder.ts';
import { type ArrayPreparation, arrayReader, checkArrayPreparation, isArrayPreparation } from './example.ts';
import type { Input, Shown } from './input.ts';

/** Raised where the same file gives other bytes. */
const READER = 'npy 1';

export const array: Input<ArrayPreparation> = {
  name: 'array',
  noun: { one: 'array', many: 'arrays' },
  owns: isArrayPreparation,
  port: ({ height, width, channels, element }) => ({ height, width, channels, element }),
  check: (value, where) => checkArrayPreparation(isRecord(value) ? value : {}, where),
  preparedBy: () => READER,
  start: startReader,
  async read(path, preparation) {
    const reader = arrayReader();
    try {
      return reader.read(path, preparation).bytes;
    } finally {
      reader.close();
    }
  },
  show,
  frames: () => undefined,
};

/** The first channel, or all where there are three, from its darkest to its brightest. */
function show(bytes: Uint8Array, { channels, element }: ArrayPreparation): Shown {
  const values = element === 'u8' ? bytes : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const shown = channels === 3 ? 3 : 1;
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    if (i % channels >= shown) continue;
    least = Math.min(least, values[i]!);
    most = Math.max(most, values[i]!);
  }
  const data = new Uint8Array((values.length / channels) * shown);
  const scale = most > least ? 255 / (most - least) : 0;
  for (let i = 0; i < data.length; i++) data[i] = Math.round((values[Math.floor(i / shown) * channels + (i % shown)]! - least) * scale);
  return { channels: shown, data };
}

/** What is wrong with an array ends the run, with the file and the line that mends it; a picture would be passed over. */
function startReader({ fd }: DecoderFile): Decoder {
  const reader = arrayReader();
  return {
    async decode({ path, spec, offset }) {
      const { bytes, content } = reader.read(path, spec as ArrayPreparation);
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
      } catch (error) {
        return { failed: (error as NodeJS.ErrnoException).code ?? String(error) };
      }
      return { digest: createHash('sha256').update(bytes).digest('hex'), content };
    },
    async close() {
      reader.close();
    },
  };
}
