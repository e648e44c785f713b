/**
 * The decoder's memory unless another limit is given: of it the codec decodes any JPEG of 12 megapixels, or one of 30 that is not progressive.
 * Larger ones are decoded in rows, in little more than their file, slower and to the same bytes.
 */
export const defaultDecoderBytes = 128 * 2 ** 20;
