/** What is held of an interlaced PNG until its end. */

/** Bytes held of each pixel of an interlaced picture: its index, its grey, or its three colours; `withAlpha`: all that is stored. */
export const heldBytes = (channels: number, withAlpha = false): number => (withAlpha ? channels : channels < 3 ? 1 : 3);
