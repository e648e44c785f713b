/** The random streams. A stream's word is this in its lowest 4 bits, the stream's own numbering above. */
export const enum Stream {
  /** The order of an epoch: Feistel round in bits 4–7, epoch above. */
  Order = 1,
  /** Crop and flip of a picture. */
  Augment = 2,
  /** Initial values of a learnable tensor: the tensor's number above. */
  Initial = 3,
  /** Dropout and drop-path: the layer's number above gives a picture its key; under that key, four elements a counter. */
  Drop = 4,
  /** Two pictures in one. */
  Mix = 5,
}
