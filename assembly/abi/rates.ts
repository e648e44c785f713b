/** Relative learning rates (src/passes/rates.ts). */
export const enum Rates {
  /** Pictures that outputs are measured on before the first step: in whole passes, at least so many. */
  MeasuredPictures = 32,
  /** Groups whose smallest and largest rate the state block keeps, in the order of RATE_GROUPS. */
  Groups = 6,
}
