/** What holds of a watch and a server where nothing is said: the command line and the library take it from here. */
export const KEEP = 3;
/** New pictures that start a round, where no other cause is given. */
export const AFTER = 20;
/** Share of the pictures of each class that judge. */
export const HOLD_OUT = 0.2;
/** Milliseconds between two looks at the folder. */
export const LOOK_MS = 5000;
/** What a server listens on: this machine alone. */
export const HOST = '127.0.0.1';
export const PORT = 8080;
