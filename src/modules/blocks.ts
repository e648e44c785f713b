/** The blocks of a network, as modules need to know them. */
export interface Blocks {
  count: number;
  /** Rows of a token sequence that are not patches (class and distillation tokens); 0 for images [B,H,W,C]. */
  extraTokens: number;
  /** Height and width of the patch grid of a token sequence; undefined for images. */
  grid?: readonly [number, number];
}
