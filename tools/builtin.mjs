// The built-in task, as `npm run demo` shows it and `npm run learning` measures it: ten drawn things, forty drawings of each to learn from.

/** The picture's side; a MobileNetV2 sees a drawing of 28 x 28 no better at 128. */
export const SIDE = 96;
/** Drawings of each class to learn from and to choose the epoch by; the other fifty judge. */
export const DRAWINGS = { train: 40, val: 10 };
/** As many as fit into about a minute on two slow cores. All else is the product's default. */
export const EPOCHS = 6;
