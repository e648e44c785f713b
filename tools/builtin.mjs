// The built-in task, as `npm run demo` shows it and `npm run learning` measures it: ten drawn things, forty drawings of each to learn from.

/** The picture's side. */
export const SIDE = 96;
/**
 * Blocks of the network, of 16. It was trained to find poses; a classifier reads drawings better before its last blocks. Settled on classes
 * that judge nothing (docs/results/learning.md).
 */
export const DEPTH = 13;
/** A method's text in a network of so many blocks; without a depth, of all. */
export const inDepth = (method, depth) => (depth ? `${method}+depth:blocks=${depth}` : method);
/** Drawings of each class to learn from and to choose the epoch by; the other fifty judge. */
export const DRAWINGS = { train: 40, val: 10 };
/** As many as fit into about a minute on two slow cores; all that is not said is the product's default. */
export const EPOCHS = 6;
