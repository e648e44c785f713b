/** Where a batch of pictures has its channels: on its second axis, as PyTorch exports, or on its last, as TensorFlow does. */
import { PICTURE_CHANNELS } from '../../pictures/channels.ts';

export interface InputLayout {
  channels: number;
  /** They stand before height and width. */
  isFirst: boolean;
}

/** Three channels count before one and four, and the second axis before the last; undefined where neither is a number of channels of pictures. */
export function inputLayout(shape: readonly unknown[] | undefined): InputLayout | undefined {
  if (shape?.length !== 4) return undefined;
  for (const channels of [3, ...PICTURE_CHANNELS])
    for (const axis of [1, 3]) if (shape[axis] === channels) return { channels, isFirst: axis === 1 };
  return undefined;
}
