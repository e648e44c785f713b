// The built-in task of the learning experiments, as all of them deal it. The recipe was settled on DEVELOPMENT (tools/pictures/sets.mjs).

/** The picture's side that the demo uses. */
export const SIDE = 96;
/** Drawings of each class; the others judge. */
export const DRAWINGS = { train: 10, val: 6 };
export const RECIPE = { epochs: 20, smoothing: 0.1, augment: { shift: SIDE / 8, flip: true } };
/** The seed that deals the drawings. */
export const deal = (seed, d) => seed + 100 * d;
