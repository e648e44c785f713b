/** What holds of a watch where nothing is said: command line, library and documentation take it from here. */
export const KEEP = 3;
/** New pictures that start a round, where no other cause is given. */
export const AFTER = 20;
/** Share of the pictures of each class that judge. */
export const HOLD_OUT = 0.2;
/** Milliseconds between two looks at the folder. */
export const LOOK_MS = 5000;
