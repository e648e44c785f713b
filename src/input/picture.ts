/** Pictures: decoded, resized and cut as the network's processor says, in a process that ends before training. */

import { readLimited } from '../base/reading.ts';
import { decoderName } from '../pictures/version.ts';
import { decodeLater } from './decodelater.ts';
import { startDecoder } from './decoder.ts';
import { isArrayPreparation } from './example.ts';
import { ffmpegLine } from './ffmpeg.ts';
import type { Input } from './input.ts';
import { checkPreprocess, outputSize } from './preprocess.ts';
import type { Preprocess } from './resized.ts';

export const picture: Input<Preprocess> = {
  name: 'picture',
  noun: { one: 'picture', many: 'pictures' },
  owns: (preparation) => !isArrayPreparation(preparation),
  port: (preprocess) => ({ ...outputSize(preprocess), channels: preprocess.mean.length, element: 'u8' }),
  check: checkPreprocess,
  preparedBy: decoderName,
  start: startDecoder,
  read: (path, preprocess, limit) => decodeLater(readLimited(path, limit, 'a picture'), preprocess, limit),
  show: (data, { mean }) => ({ channels: mean.length as 1 | 3 | 4, data }),
  frames: ffmpegLine,
};
